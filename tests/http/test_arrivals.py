"""Plain requests that come in one pass of the loop are submitted together, and no client can tell."""

from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline import Pipeline
from tests.http.both_ways import Versions, Way, Worker, post
from tests.http.wire import Client, passes

ROWS = [
    '{"instances": [[1]]}',
    '{"instances": [[1], {"x": 2}]}',
    '{"instances": [{"x": 2.5}], "model": "m"}',
    '{"instances": [{"x": 1}], "model": "other"}',
    '{"instances": [[4]]}',
    '{"instances": [[1], [9]]}',
    '{"instances": [[1]]',
    '{"instances": []}',
    '{"instances": [[1,2]]}',
    '{"instances": [[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1]]}',
    '{"instances": [{"x": "1"}]}',
    '{"instances": [[1e300]]}',
    "\xff",
]


def asked(body: str = ROWS[0], model: str = "ruled") -> bytes:
    """Return a request whose head is the same whatever its body."""
    return post(f"/predict/{model}", body.ljust(80).encode("latin-1"), request_id=None)


async def known_clients(worker: Worker, n: int, *models: str) -> list[Client]:
    """Return clients whose next request has a head that is known."""
    for model in models or ("ruled",):
        first = worker.connect()
        first.send(asked(model=model))
        await first.answer()
    return [worker.connect() for _ in range(n)]


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give how many requests were submitted together, each time."""
    counts, submit_all = list[int](), Pipeline.submit_all

    def counting(pipeline: Pipeline, calls: Any, alone: Any) -> None:
        counts.append(len(calls))
        submit_all(pipeline, calls, alone)

    monkeypatch.setattr(Pipeline, "submit_all", counting)
    return counts


def test_each_is_answered_as_if_it_had_come_alone(
    tmp_path: Path, versions_both_ways: Versions, together: list[int]
) -> None:
    def seen(way: Way) -> tuple[Any, ...]:
        worker, answers = Worker(way, tmp_path / way, versions_both_ways), list[Any]()

        async def scenario() -> None:
            clients = await known_clients(worker, len(ROWS))
            for client, body in zip(clients, ROWS, strict=True):
                client.send(asked(body))
            answers.extend([(await client.answer()).comparable() for client in clients])

        worker.run(scenario)
        worker.close()
        return answers, worker.answered(), worker.outcomes()

    fast = seen("fast")
    assert together == [len(ROWS)]
    assert [status for status, *_ in fast[0]] == [200, 200, 200, 400, 200, 422, 400, 400, 422, 413, 422, 422, 400]
    assert fast == seen("asgi")


def test_those_for_one_model_are_submitted_together(worker: Worker, together: list[int]) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 5, "ruled", "m")
        for client, model in zip(clients, ("ruled", "m", "ruled", "m", "ruled"), strict=True):
            client.send(asked(model=model))
        assert [(await client.answer()).status for client in clients] == [200] * 5

    worker.run(scenario)
    assert together == ([3, 2] if worker.way == "fast" else [])


def test_where_a_canary_has_a_share_each_is_routed_by_itself(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 3, "tried")
        for client, value in zip(clients, (2, 7, 2), strict=True):  # the canary answers 2 and fails 7
            client.send(asked(f'{{"instances": [[{value}]]}}', "tried"))
        answers = [await client.answer() for client in clients]
        assert [(answer.status, answer["x-variant"]) for answer in answers] == [
            (200, "canary"),
            (200, "stable"),
            (200, "canary"),
        ]

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_who_leaves_within_the_pass_is_not_run_for(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 3)
        for client in clients:
            client.send(asked())
        clients[1].leave()
        assert [(await clients[i].answer()).status for i in (0, 2)] == [200, 200]

    worker.run(scenario)
    assert worker.outcomes()[("weir_rows_total", "1", "m", "stable")] == 3, "and the first, which made it known"
    assert worker.answered() == {("/predict", "200"): 3, ("/predict", "0"): 1}


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_where_not_all_find_room_as_many_are_let_in_as_do(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 4)
        worker.pipeline.gate.limits = (3, 3, 3)
        for client in clients:
            client.send(asked())
        assert [(await client.answer()).status for client in clients] == [200, 200, 200, 503]

    worker.run(scenario)


def test_where_not_all_fit_the_queue_as_many_are_queued_as_do(tmp_path: Path, versions_both_ways: Versions) -> None:
    worker = Worker("fast", tmp_path, versions_both_ways, queue_rows=2)

    async def scenario() -> None:
        clients = await known_clients(worker, 4)
        for client in clients:
            client.send(asked())
        assert [(await client.answer()).status for client in clients] == [200, 200, 503, 503]

    worker.run(scenario)
    worker.close()


def test_what_comes_while_a_run_is_under_way_is_the_next_run(worker: Worker) -> None:
    async def scenario() -> None:
        first, *others = [worker.connect() for _ in range(4)]
        worker.slow.open()
        first.send(asked(model="slow"))
        await first.answer()
        worker.slow.close()
        for client in (first, *others):
            client.send(asked(model="slow"))
            await worker.slow.until_running()
        worker.slow.open()
        assert [(await client.answers(1))[-1].status for client in others] == [200] * 3

    worker.run(scenario)
    assert worker.slow.rows_run == [1, 1, 3]


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_worker_that_is_told_to_stop_answers_what_came_in_this_pass(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 2)
        for client in clients:
            client.send(asked())
        worker.stop()
        answers = [await client.answer() for client in clients]
        assert [(answer.status, answer["connection"]) for answer in answers] == [(200, "close")] * 2
        await passes()
        assert all(client.has_ended for client in clients)

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_what_comes_behind_it_within_the_pass_is_answered_behind_it(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await known_clients(worker, 1)
        client.send(asked('{"instances": [[1]]}'), asked('{"instances": [[2]]}') + asked("{"))
        answers = await client.answers(3)
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert [b"[1.0]" in answer.body for answer in answers] == [True, False, False]

    worker.run(scenario)
