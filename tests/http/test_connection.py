"""A connection's life, with the fast path and without: who is waited for, for how long, how it ends, what it holds."""

import json

import pytest

from tests.http.both_ways import READ_TIMEOUT_S, Worker, post
from tests.http.wire import Client, passes

KEEP_ALIVE_S = 75
LIVE = post("/livez", b"", method="GET", length=False)
LARGE = post("/metrics", b"", method="GET", length=False)
GOOD = b'{"instances": [{"x": 1}, {"x": 2}]}'
INFER_SLOW = b'{"instances": [[1]]}'
SLOW = post("/predict/slow", INFER_SLOW)
SLOW_ASGI = post("/predict/slow/", INFER_SLOW)
WAITING = pytest.mark.parametrize("waiting", [pytest.param(SLOW, id="slow"), pytest.param(SLOW_ASGI, id="slow-asgi")])


def statuses(client: Client) -> list[tuple[int, str | None]]:
    return [(answer.status, answer["connection"]) for answer in client.received()]


def test_an_idle_connection_is_closed_after_the_keep_alive_time(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        worker.clock.advance(KEEP_ALIVE_S - 1)
        for request in (post(), LIVE, post()):
            client.send(request)
            await client.answers(len(client.received()) + 1)
            worker.clock.advance(KEEP_ALIVE_S - 0.5)
            assert not client.transport.is_closing()
        worker.clock.advance(1)
        await client.end()

    worker.run(scenario)


def test_a_connection_that_never_asks_anything_is_closed(worker: Worker) -> None:
    async def scenario() -> None:
        client, blank = worker.connect(), worker.connect()
        blank.send(b"\r\n")
        worker.clock.advance(KEEP_ALIVE_S + 1)
        await client.end()
        await blank.end()

    worker.run(scenario)


@WAITING
def test_no_connection_is_closed_while_a_request_waits(worker: Worker, waiting: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(waiting + post()[:-1])
        await worker.slow.until_running()
        worker.clock.advance(10 * KEEP_ALIVE_S)
        worker.slow.open()
        await client.answers(1)
        client.send(post()[-1:])
        await client.answers(2)
        assert statuses(client) == [(200, None), (200, None)]

    worker.run(scenario)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"PO", id="method"),
        pytest.param(post()[:40], id="head"),
        pytest.param(post()[:-1], id="body"),
        pytest.param(post("/livez", b"abc")[:-1], id="asgi-body"),
        pytest.param(post("/predict/m", b"5\r\nab", "transfer-encoding: chunked", length=False), id="chunk"),
        pytest.param(post("/predict/m", b"", "content-length: 100000", length=False), id="body-refused-at-once"),
        pytest.param(post("/predict/m", b"", "expect: 100-continue", "content-length: 5", length=False), id="continue"),
    ],
)
@pytest.mark.parametrize("before", [pytest.param(b"", id="first"), pytest.param(post(), id="second")])
def test_a_request_that_never_arrives_whole_ends_the_connection(worker: Worker, before: bytes, part: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        if before:
            client.send(before)
            await client.answers(1)
            worker.clock.advance(50)
        for start in range(len(part)):
            client.send(part[start : start + 1])
        await passes()
        worker.clock.advance(READ_TIMEOUT_S - 1)
        await passes()
        assert not client.transport.is_closing()
        worker.clock.advance(1)
        await client.end()

    worker.run(scenario)


@pytest.mark.parametrize("part", [post()[:-1], post("/predict/m/")[:-1]])
def test_head_and_body_together_have_the_time_of_a_request(worker: Worker, part: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(part[:30])
        worker.clock.advance(READ_TIMEOUT_S / 2)
        client.send(part[30:])
        await passes()
        worker.clock.advance(READ_TIMEOUT_S / 2)
        await client.end()

    worker.run(scenario)


def test_a_request_may_take_its_time_to_arrive(worker: Worker) -> None:
    async def scenario() -> None:
        client, raw = worker.connect(), post()
        for start in range(0, len(raw), 10):
            client.send(raw[start : start + 10])
            worker.clock.advance(3)
        assert (await client.answer()).status == 200

    worker.run(scenario)


@pytest.mark.parametrize("part", [post()[:-1], SLOW_ASGI[:-1], post()[:30]])
def test_a_client_that_leaves_before_its_request_is_whole_leaves_nothing_behind(worker: Worker, part: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post() + part)
        await client.answers(1)
        client.leave()
        await passes()

    worker.run(scenario)
    assert sum(worker.answered().values()) == (1 if part.endswith(b"conten") or len(part) == 30 else 2)
    assert worker.slow.rows_run == []


def test_work_of_a_client_that_has_gone_is_not_begun(worker: Worker) -> None:
    async def scenario() -> None:
        first, second = worker.connect(), worker.connect()
        first.send(SLOW)
        await worker.slow.until_running()
        second.send(SLOW + SLOW)
        await passes()
        second.leave()
        worker.slow.open()
        assert (await first.answer()).status == 200
        await passes()

    worker.run(scenario)
    rows = sum(worker.slow.rows_run)
    assert rows == 1
    assert sum(worker.answered().values()) == (3 if worker.way == "fast" else 2)


def test_every_request_of_a_client_that_has_gone_is_counted_once(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post() + SLOW + post())
        await worker.slow.until_running()
        await passes()
        client.leave()
        worker.slow.open()
        await passes()

    worker.run(scenario)
    counted = worker.answered()
    if worker.way == "fast":
        assert counted == {("/predict", "200"): 1, ("/predict", "0"): 2}
    else:
        assert counted == {("/predict", "200"): 1, ("/predict", "0"): 1}, "the third was never begun"


def test_a_client_that_does_not_take_its_answers_is_not_read_from(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post())
        await client.answers(1)
        client.protocol.pause_writing()
        client.send(post(), post(), post(), LIVE)
        await passes()
        assert (client.unread, len(client.received())) == (4, 1)
        client.protocol.resume_writing()
        await client.answers(5)
        assert not client.unread

    worker.run(scenario)


@WAITING
def test_answers_that_nobody_takes_do_not_let_more_requests_in(worker: Worker, waiting: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(waiting)
        await worker.slow.until_running()
        client.protocol.pause_writing()
        worker.slow.open()
        client.send(post(), post())
        await passes()
        assert client.unread == 2
        client.protocol.resume_writing()
        await client.answers(3)

    worker.run(scenario)


def test_a_client_that_never_takes_its_answers_is_cut_off(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post())
        await client.answers(1)
        client.protocol.pause_writing()
        worker.clock.advance(KEEP_ALIVE_S)
        await client.end()
        assert client.transport.was_aborted

    worker.run(scenario)


def test_a_stop_closes_idle_connections(worker: Worker) -> None:
    async def scenario() -> None:
        new, used = worker.connect(), worker.connect()
        used.send(post())
        await used.answers(1)
        worker.stop()
        await new.end()
        await used.end()

    worker.run(scenario)


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([SLOW], id="one"),
        pytest.param([SLOW, post(), post()], id="three"),
        pytest.param([SLOW, LIVE], id="asgi-behind"),
        pytest.param([SLOW, LIVE, LIVE, post()], id="three-asgi-behind"),
        pytest.param([SLOW_ASGI, post()], id="asgi-before"),
    ],
)
@pytest.mark.parametrize("is_draining", [False, True])
def test_a_stop_lets_requests_that_wait_be_answered_and_closes_with_the_last(
    worker: Worker, requests: list[bytes], is_draining: bool
) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(b"".join(requests))
        await worker.slow.until_running()
        await passes()
        if is_draining:
            worker.drain()
        worker.stop()
        worker.slow.open()
        await client.end()
        assert statuses(client) == [(200, None)] * (len(requests) - 1) + [(200, "close")]

    worker.run(scenario)


@pytest.mark.parametrize("late", [post(), LIVE])
def test_a_request_that_comes_behind_others_after_the_stop_is_the_last(worker: Worker, late: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(SLOW)
        await worker.slow.until_running()
        worker.stop()
        client.send(late)
        worker.slow.open()
        await client.end()
        assert statuses(client)[-1] == (200, "close")
        assert len(statuses(client)) == (2 if worker.way == "fast" else 1), "uvicorn lets nothing in behind a stop"

    worker.run(scenario)


def test_a_request_half_of_which_came_before_the_stop_is_answered(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post()[:-1])
        worker.stop()
        client.send(post()[-1:])
        await client.end()
        assert statuses(client) == [(200, "close")]

    worker.run(scenario)


@pytest.mark.parametrize("request_", [pytest.param(post(), id="fast"), pytest.param(LIVE, id="asgi")])
def test_a_draining_worker_closes_with_its_next_answer(worker: Worker, request_: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        worker.drain()
        client.send(request_)
        await client.end()
        assert statuses(client) == [(200, "close")]

    worker.run(scenario)


@pytest.mark.parametrize("requests", [[post()] * 3, [post(), LIVE], [LIVE, post()]])
def test_a_draining_worker_answers_all_that_came_at_once(worker: Worker, requests: list[bytes]) -> None:
    async def scenario() -> None:
        client = worker.connect()
        worker.drain()
        client.send(b"".join(requests))
        await client.end()
        assert statuses(client) == [(200, None)] * (len(requests) - 1) + [(200, "close")]

    worker.run(scenario)


def test_a_draining_worker_answers_what_came_with_a_request_that_it_refuses(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        worker.drain()
        client.send(post("/predict/m", b"{") + LIVE)
        await client.end()
        assert statuses(client) == [(400, None), (200, "close")]

    worker.run(scenario)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_asks_for_another_protocol_is_answered_as_if_it_did_not(worker: Worker, parts: int) -> None:
    """Its body is a request too, which must be taken neither for another one nor for none."""

    async def scenario() -> None:
        client = worker.connect()
        raw = post("/predict/m", post(), "connection: Upgrade, HTTP2-Settings", "upgrade: h2c")
        whole = raw + raw + post() + post("/predict/m", GOOD, "connection: upgrade", "upgrade: h2c") + LIVE
        step = len(whole) // parts + 1
        client.send(*(whole[at : at + step] for at in range(0, len(whole), step)))
        assert [answer.status for answer in await client.answers(5)] == [400, 400, 200, 200, 200]

    worker.run(scenario)
    assert worker.answered() == {("/predict", "400"): 2, ("/predict", "200"): 2, ("/livez", "200"): 1}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (("transfer-encoding: gzip, chunked",), "the only transfer encoding is chunked"),
        (("content-length: 1", "content-length: 2"), "no HTTP/1.1: "),
    ],
    ids=["coding", "lengths"],
)
@pytest.mark.parametrize("asked", [(), ("connection: upgrade", "upgrade: h2c")], ids=["plain", "upgrade"])
def test_a_refusal_says_why_whatever_protocol_is_asked_for(
    worker: Worker, asked: tuple[str, ...], headers: tuple[str, ...], reason: str
) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/predict/m", b"0\r\n\r\n", *asked, *headers, length=False))
        answer = await client.answer()
        assert answer.status == 400
        assert reason in json.loads(answer.body)["detail"]

    worker.run(scenario)


def test_a_large_answer_and_small_ones_behind_it_come_whole(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(LARGE + post() + LARGE)
        assert [len(answer.body) > 50_000 for answer in await client.answers(3)] == [True, False, True]

    worker.run(scenario)
