"""A request that is all that its connection has is let in, or refused, in one step; nobody can tell."""

from __future__ import annotations

import json

import pytest

from tests.http.both_ways import Worker, post
from tests.http.wire import Client, passes

BODY = b'{"instances": [{"x": 1}]}'
V2_BODY = b'{"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}'
PLAIN = post(body=BODY, request_id=None)
HASTY = post("/predict/m", BODY, "x-request-deadline-ms: 20000", request_id=None)
LOW = post("/predict/m", BODY, "x-request-priority: low", request_id=None)
HIGH = post("/predict/m", BODY, "x-request-priority: high", request_id=None)
V2 = post("/v2/models/m/infer", V2_BODY, request_id=None)
SLOW = post("/predict/slow", BODY, "x-request-deadline-ms: 20000", request_id=None)
ALL = [PLAIN, HASTY, LOW, HIGH, V2]
pytestmark = pytest.mark.parametrize("worker", ["fast"], indirect=True)


async def clients_of(worker: Worker, n: int, limits: tuple[int, int, int]) -> list[Client]:
    """Return clients whose heads are known to a worker that sheds above some numbers in flight."""
    first = worker.connect()
    for i, request in enumerate(ALL):
        first.send(request)
        await first.answers(i + 1)
    worker.pipeline.gate.is_shedding, worker.pipeline.gate.limits = True, limits
    worker.notes.passes_over = True
    return [worker.connect() for _ in range(n)]


@pytest.mark.parametrize("request_", ALL)
def test_it_is_let_in_where_there_is_room_and_answered_by_its_own_protocol(worker: Worker, request_: bytes) -> None:
    async def scenario() -> None:
        clients = await clients_of(worker, 3, (9, 9, 9))
        for again in range(1, 3):
            for client in clients:
                client.send(request_)
            for client in clients:
                answer = (await client.answers(again))[-1]
                assert answer.status == 200
                assert ("outputs" in json.loads(answer.body)) == (request_ is V2)
        assert worker.pipeline.gate.in_flight == 0

    worker.run(scenario)


@pytest.mark.parametrize("request_", ALL)
def test_it_is_refused_at_once_where_there_is_none(worker: Worker, request_: bytes) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, (0, 0, 0))
        client.send(request_)
        (answer,) = client.received()
        assert answer.status == 503
        assert len(answer["x-request-id"] or "") == 16
        assert request_ is V2 or json.loads(answer.body)["request_id"] == answer["x-request-id"]
        worker.clock.advance(0.05)
        worker.pipeline.gate.limits = (9, 9, 9)
        client.send(request_)
        assert (await client.answers(2))[1].status == 200

    worker.run(scenario)
    shed = [priority for reason, priority in worker.notes.sheds if reason == "concurrency_limit"]
    assert shed == [2 if request_ is LOW else 0 if request_ is HIGH else 1]
    assert sum(n for (_, status), n in worker.answered().items() if status == "503") == 1
    assert worker.state.total_requests == len(ALL) + 2


@pytest.mark.parametrize(
    ("request_", "limits", "status"),
    [(LOW, (2, 2, 0), 503), (PLAIN, (2, 2, 0), 200), (PLAIN, (2, 0, 0), 503), (HIGH, (2, 0, 0), 200)],
)
def test_the_room_is_that_of_its_priority(
    worker: Worker, request_: bytes, limits: tuple[int, int, int], status: int
) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, limits)
        client.send(request_)
        assert (await client.answer()).status == status

    worker.run(scenario)


@pytest.mark.parametrize("request_", ALL)
@pytest.mark.parametrize("limits", [(0, 0, 0), (9, 9, 9)])
def test_where_the_worker_is_about_to_stop_the_answer_says_so(
    worker: Worker, request_: bytes, limits: tuple[int, int, int]
) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, limits)
        client.send(request_)
        await client.answers(1)
        worker.clock.advance(0.05)
        worker.drain()
        client.send(request_)
        await client.end()
        assert [answer["connection"] for answer in client.received()] == [None, "close"]

    worker.run(scenario)


def test_what_comes_behind_it_is_answered_behind_it(worker: Worker) -> None:
    async def scenario() -> None:
        first = worker.connect()
        first.send(SLOW)
        await worker.slow.until_running()
        worker.slow.open()
        await first.answers(1)
        (client,) = await clients_of(worker, 1, (2, 2, 2))
        client.send(SLOW)
        client.send(PLAIN, V2, b"GET /livez HTTP/1.1\r\nhost: weir\r\n\r\n")
        await passes()
        assert [answer.status for answer in await client.answers(4)] == [200, 200, 503, 200]

    worker.run(scenario)


def test_who_leaves_takes_it_back(worker: Worker) -> None:
    async def scenario() -> None:
        first = worker.connect()
        first.send(SLOW)
        await worker.slow.until_running()
        (client,) = await clients_of(worker, 1, (2, 2, 2))
        client.send(SLOW)
        assert worker.pipeline.gate.in_flight == 2
        client.leave()
        assert worker.pipeline.gate.in_flight == 1
        worker.slow.open()
        await first.answers(1)

    worker.run(scenario)
