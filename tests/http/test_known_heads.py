"""Known heads: what is remembered, what needs no parser then, and that clients see none of it."""

from typing import Any

import pytest

from gateway.http.known_heads import KnownHeads, lasting_scope
from tests.http.both_ways import LIMIT, Worker, post
from tests.http.wire import passes

BODY = b'{"instances": [{"x": 1}]}'
WHOLE = post(body=BODY, request_id=None)
SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/predict/m",
    "raw_path": b"/predict/m",
    "query_string": b"",
    "headers": [(b"host", b"weir"), (b"content-length", b"25")],
}


def remembering(data: bytes = WHOLE, **scope: Any) -> KnownHeads[dict[str, Any]]:
    heads: KnownHeads[dict[str, Any]] = KnownHeads()
    said = lasting_scope({**SCOPE, **scope})
    if said is not None:
        heads.remember(data, len(BODY), said)
    return heads


def test_a_request_with_a_known_head_is_taken_apart() -> None:
    found = remembering(client=("10.0.0.1", 1)).split(WHOLE[: -len(BODY)] + BODY.replace(b"1", b"2"))
    assert found is not None
    known, body, behind = found
    assert body == BODY.replace(b"1", b"2")
    assert known == {**SCOPE, "headers": tuple(SCOPE["headers"])}
    assert behind == len(WHOLE)


@pytest.mark.parametrize("behind", [b"P", WHOLE, b"\r\n"])
@pytest.mark.parametrize("learnt_alone", [True, False])
def test_where_a_known_request_ends_is_told_whatever_comes_behind_it(behind: bytes, learnt_alone: bool) -> None:
    found = remembering(WHOLE if learnt_alone else WHOLE + behind).split(WHOLE + behind)
    assert found is not None
    assert found[1:] == (BODY, len(WHOLE))


def test_requests_behind_each_other_are_taken_apart_without_copying_what_is_behind() -> None:
    heads, data, ends = remembering(), WHOLE * 3 + WHOLE[:-1], [0]
    while (found := heads.split(data, ends[-1])) is not None:
        assert found[1] == BODY
        ends.append(found[2])
    assert ends == [len(WHOLE) * n for n in range(4)]
    assert heads.split(WHOLE, len(WHOLE)) is None


@pytest.mark.parametrize("before", [b"\r\n\r\n", b"\n\r\n\r\n", b"\r\n"])
def test_blank_lines_before_a_request_are_no_head(before: bytes) -> None:
    heads = remembering(before + WHOLE * 3)
    assert heads.split(before + WHOLE) is None
    assert heads.split(before + b"x" * 100) is None


@pytest.mark.parametrize("data", [WHOLE[:-1], WHOLE[:40], b"", WHOLE.replace(b"weir", b"heir")])
def test_anything_but_a_whole_request_with_a_known_head_is_left_to_the_parser(data: bytes) -> None:
    assert remembering().split(data) is None


@pytest.mark.parametrize("name", [b"expect", b"transfer-encoding", b"upgrade", b"x-request-id"])
def test_a_head_that_means_something_else_or_nothing_the_next_time_is_not_remembered(name: bytes) -> None:
    assert remembering(headers=[*SCOPE["headers"], (name, b"x")]).split(WHOLE) is None


def test_a_head_without_a_length_or_of_another_version_or_too_long_is_not_remembered() -> None:
    long = post("/predict/m", BODY, "x: " + "y" * 2048)
    assert remembering(headers=[(b"host", b"weir")]).split(WHOLE) is None
    assert remembering(http_version="1.0").split(WHOLE) is None
    assert remembering(long).split(long) is None


def test_the_memory_is_bounded() -> None:
    heads = remembering()
    for i in range(1024):
        heads.remember(post(f"/predict/m{i}", BODY), len(BODY), SCOPE)
    assert heads.split(WHOLE) is None
    assert heads.split(post("/predict/m1023", BODY)) is not None


def test_a_head_is_answered_alike_whether_it_is_known_or_not(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        for n in range(3):
            client.send(WHOLE)
            await client.answers(n + 1)
        answers = client.received()
        assert {answer.status for answer in answers} == {200}
        assert len({answer["x-request-id"] for answer in answers}) == 3
        first, *others = [{name for name, _ in answer.headers} for answer in answers]
        assert others == [first, first]
        assert worker.asgi_requests == (3 if worker.way == "asgi" else 0)

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 3}


def test_requests_with_a_known_head_may_come_in_parts_or_behind_others(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(WHOLE)
        await client.answers(1)
        client.send(WHOLE[:-3])
        await passes()
        client.send(WHOLE[-3:] + WHOLE, WHOLE)
        await client.answers(4)
        client.send(WHOLE * 2 + WHOLE[:30], WHOLE[30:])
        await client.answers(7)
        assert {answer.status for answer in client.received()} == {200}

    worker.run(scenario)


def test_nothing_is_taken_behind_what_is_no_request(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(WHOLE)
        await client.answers(1)
        client.send(post("/predict/slow", b'{"instances": [[1]]}', request_id=None))
        client.send(b"no request at all\r\n\r\n")
        client.send(WHOLE)
        worker.slow.open()
        await client.end()
        assert [answer.status for answer in client.received()] == [200, 200, 400]

    worker.run(scenario)
    assert worker.answered()[("/predict", "200")] == 2


def test_nothing_is_taken_behind_the_last_request_of_a_connection(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(WHOLE)
        await client.answers(1)
        client.send(post("/predict/slow", b'{"instances": [[1]]}', "connection: close", request_id=None))
        client.send(WHOLE)
        worker.slow.open()
        await client.end()
        assert [answer["connection"] for answer in client.received()] == [None, "close"]

    worker.run(scenario)
    assert +worker.answered() == {("/predict", "200"): 2}


def test_a_known_head_does_not_let_a_body_past_the_rules(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        for n, body in enumerate([b" " * LIMIT + BODY, b" " * LIMIT + BODY, BODY, b"x" * len(BODY)]):
            client.send(post(body=body, request_id=None))
            await client.answers(n + 1)
        assert [answer.status for answer in client.received()] == [413, 413, 200, 400]

    worker.run(scenario)


def test_the_last_answer_to_a_known_head_says_that_it_is_the_last(worker: Worker) -> None:
    slow = post("/predict/slow", b'{"instances": [[1]]}', request_id=None)

    async def scenario() -> None:
        worker.slow.open()
        client = worker.connect()
        client.send(slow)
        await client.answers(1)
        client.send(slow)
        client.protocol.shutdown()  # type: ignore[attr-defined]  # uvicorn's protocols have it
        await client.end()
        assert [answer["connection"] for answer in client.received()] == [None, "close"]

    worker.run(scenario)
