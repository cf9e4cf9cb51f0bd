"""Answers that are there at once go out when the pass of the loop is over, but for some: refusals could fill it."""

import pytest

from gateway.http.fast_path import FastProtocol
from gateway.settings import AdmissionSettings
from tests.http.both_ways import Worker, post
from tests.http.wire import Client, passes

KNOWN = post(body=b'{"instances": [{"x": 1}]}', request_id=None)
NOBODY = post("/predict/nobody", request_id=None)
PROBE = b"GET /livez HTTP/1.1\r\nhost: weir\r\n\r\n"
LONG_WAY = (
    b"POST /predict/slow HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\nx-api-key: another\r\n"
    b'transfer-encoding: chunked\r\n\r\n1b\r\n{"instances": [{"x": 1.0}]}\r\n0\r\n\r\n'
)
MALFORMED = b"\0\0\0\r\n\r\n"
pytestmark = pytest.mark.parametrize("worker", ["fast"], indirect=True)


async def known_client(worker: Worker) -> Client:
    """Return a client whose request was answered, so that its head is known."""
    client = worker.connect()
    client.send(KNOWN)
    await client.answers(1)
    return client


def shed(worker: Worker, *, told: bool = False) -> None:
    """Let nobody in; ``told`` says whether somebody wants to see the failures."""
    worker.notes.passes_over = not told
    gate = worker.pipeline.gate
    gate.is_shedding, gate.limits = True, (0, 0, 0)


def use_up(client: Client) -> None:
    """Let as many refusals go out as may within a pass."""
    assert isinstance(client.protocol, FastProtocol)
    while client.protocol.fast_path.may_answer_now():
        pass


async def statuses(client: Client, n: int) -> list[int]:
    """Return the statuses of all answers but the first."""
    return [answer.status for answer in (await client.answers(n + 1))[1:]]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("requests", [KNOWN, KNOWN * 3, KNOWN * 2 + NOBODY, post(request_id="r-1")])
def test_who_is_refused_is_told_after_the_pass(worker: Worker, requests: bytes, *, told: bool) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        shed(worker, told=told)
        before = len(client.transport.written)
        use_up(client)
        client.send(requests)
        assert len(client.transport.written) == before
        n = requests.count(b"POST")
        assert await statuses(client, n) == [503] * n

    worker.run(scenario)


@pytest.mark.parametrize("n", [1, 3, 40])
def test_the_first_who_are_refused_are_told_at_once_in_every_pass(worker: Worker, n: int) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        for again in range(2):
            shed(worker)
            client.send(KNOWN * n)
            answers = client.received()[1 + again * n :]
            assert [answer.status for answer in answers] == [503] * n
            assert len({answer["x-request-id"] for answer in answers}) == n
            use_up(client)
            await passes()
            worker.clock.advance(0.05)

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 1, ("/predict", "503"): 2 * n}
    assert worker.state.total_requests == 1 + 2 * n


@pytest.mark.parametrize("n", [1, 3])
def test_so_is_who_asks_for_what_is_not_there(worker: Worker, n: int) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        before = len(client.transport.written)
        client.send(NOBODY * n)
        assert len(client.transport.written) == before
        assert await statuses(client, n) == [404] * n

    worker.run(scenario)


def test_who_asks_again_within_the_pass_is_answered_in_order(worker: Worker) -> None:
    worker.admission = AdmissionSettings(quota_requests_per_s=0.001, quota_burst=2)

    async def scenario() -> None:
        client = await known_client(worker)
        client.send(KNOWN, KNOWN * 2, KNOWN + NOBODY, KNOWN)
        assert await statuses(client, 6) == [200, 429, 429, 429, 429, 429]

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 2, ("/predict", "429"): 5}


@pytest.mark.parametrize(("behind", "status"), [(PROBE, 200), (MALFORMED, 400)])
def test_what_comes_behind_refusals_is_answered_behind_them(worker: Worker, behind: bytes, status: int) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        shed(worker)
        use_up(client)
        client.send(KNOWN * 2 + behind)
        assert await statuses(client, 3) == [503, 503, status]

    worker.run(scenario)


@pytest.mark.parametrize(("behind", "status"), [(PROBE, 200), (MALFORMED, 400)])
def test_what_is_under_way_behind_refusals_is_answered_before_what_comes_next(
    worker: Worker, behind: bytes, status: int
) -> None:
    worker.admission = AdmissionSettings(quota_requests_per_s=0.001, quota_burst=1)

    async def scenario() -> None:
        client = await known_client(worker)
        use_up(client)
        client.send(KNOWN * 2 + LONG_WAY, behind)
        await passes()
        worker.slow.open()
        answers = (await client.answers(5))[1:]
        assert [answer.status for answer in answers] == [429, 429, 200, status]
        assert [b"predictions" in answer.body for answer in answers] == [False, False, True, False]

    worker.run(scenario)


def test_refusals_go_out_before_the_worker_stops(worker: Worker) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        shed(worker)
        use_up(client)
        client.send(KNOWN * 2)
        worker.stop()
        await client.end()
        assert [answer.status for answer in client.received()] == [200, 503, 503]

    worker.run(scenario)


def test_refusals_go_out_before_the_end_of_who_says_nothing_more(worker: Worker) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        shed(worker)
        use_up(client)
        client.send(KNOWN * 2)
        client.protocol.eof_received()
        assert [answer.status for answer in client.received()] == [200, 503, 503]

    worker.run(scenario)


def test_who_leaves_is_told_nothing(worker: Worker) -> None:
    async def scenario() -> None:
        client = await known_client(worker)
        shed(worker)
        use_up(client)
        client.send(KNOWN * 2)
        client.leave()
        await passes()
        assert len(client.received()) == 1

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 1, ("/predict", "503"): 2}


def test_who_reads_nothing_and_asks_on_is_not_read_from_for_ever(worker: Worker) -> None:
    worker.admission = AdmissionSettings(quota_requests_per_s=0.001, quota_burst=1)

    async def scenario() -> None:
        client = await known_client(worker)
        use_up(client)
        client.send(*[KNOWN * 100] * 20)
        assert client.unread > 15
        assert await statuses(client, 2_000) == [429] * 2_000

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 1, ("/predict", "429"): 2_000}
