"""Plain requests that come in one pass of the loop are submitted together, and no client can tell."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.engine.version import ServableVersion
from gateway.pipeline import Pipeline
from tests.http.both_ways import Versions, Way, Worker, post
from tests.http.wire import Client, passes

ROWS = {
    '{"instances": [[1, 2]]}': 200,
    '{"instances": [[1, 2], {"x1": 2, "x0": 3}]}': 200,
    '{"instances": [{"x0": 2.5, "x1": -1}], "model": "m"}': 200,
    '{"instances": [{"x0": 1, "x1": 1}], "model": "other"}': 400,
    '{"instances": [[4, 0]]}': 200,
    '{"instances": [[1, 1], [9, 1]]}': 422,
    '{"instances": [[1, 1]]': 400,
    '{"instances": []}': 400,
    '{"instances": [[1]]}': 422,
    '{"instances": [[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2],[1,2]]}': 413,
    '{"instances": [{"x0": "1", "x1": 1}]}': 422,
    '{"instances": [[1e300, 1]]}': 422,
    "\xff": 400,
}
ONE = next(iter(ROWS))


def asked(body: str = ONE, model: str = "wide") -> bytes:
    """Return a request whose head is the same whatever its body."""
    return post(f"/predict/{model}", body.ljust(90).encode("latin-1"), request_id=None)


async def known_clients(worker: Worker, n: int, *models: str) -> list[Client]:
    """Return clients whose next request has a head that is known."""
    for model in models or ("wide",):
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
    assert [status for status, *_ in fast[0]] == list(ROWS.values())
    assert fast == seen("asgi")


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_those_for_one_model_are_submitted_together_and_answered_within_the_pass(
    worker: Worker, together: list[int]
) -> None:
    async def scenario() -> None:
        models = ("wide", "ruled", "wide", "m", "wide")
        clients = await known_clients(worker, len(models), "wide", "ruled", "m")
        for client, model in zip(clients, models, strict=True):
            client.send(asked(ONE if model == "wide" else '{"instances": [[1]]}', model))
        await passes(1)
        assert [[answer.status for answer in client.received()] for client in clients] == [[200]] * len(models)

    worker.run(scenario)
    assert together == [3], "rows of the others are decoded by themselves"


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_they_are_one_run_of_the_very_rows_that_were_sent(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, together: list[int]
) -> None:
    rows, run = list[int](), ServableVersion.run

    def counting(version: ServableVersion, feeds: Any, n: int, handle: Any = None) -> Any:
        rows.append(n)
        return run(version, feeds, n, handle)

    monkeypatch.setattr(ServableVersion, "run", counting)

    async def scenario() -> None:
        clients = await known_clients(worker, 20)
        rows.clear()
        for i, client in enumerate(clients):
            client.send(asked(f'{{"instances": [[0, {i}]]}}'))
        answers = [json.loads((await client.answer()).body)["predictions"] for client in clients]
        assert answers == [[[0.0, float(i)]] for i in range(20)]

    worker.run(scenario)
    assert (rows, together) == ([20], [20])


def test_where_a_canary_has_a_share_each_is_routed_by_itself(worker: Worker, together: list[int]) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 40, "shared")
        for client in clients:
            client.send(asked(model="shared"))
        assert {(await client.answer())["x-variant"] for client in clients} == {"stable", "canary"}

    worker.run(scenario)
    assert together == []


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_canary_that_comes_in_the_meantime_gets_its_share(worker: Worker, together: list[int]) -> None:
    async def scenario() -> None:
        clients = await known_clients(worker, 40, "wide", "shared")
        for client in clients:
            client.send(asked())
        table = worker.pipeline.table
        worker.pipeline.table = replace(table, routes={**table.routes, "wide": table.routes["shared"]})
        assert {(await client.answer())["x-variant"] for client in clients} == {"stable", "canary"}

    worker.run(scenario)
    assert together == [40]


@pytest.mark.parametrize(("body", "status"), [(ONE, 200), ("{", 400), ('{"instances": [[9, 1]]}', 422)])
@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_who_says_nothing_more_within_the_pass_is_answered(worker: Worker, body: str, status: int) -> None:
    async def scenario() -> None:
        first, other = await known_clients(worker, 2)
        other.send(asked())
        first.send(asked(body))
        first.protocol.eof_received()
        assert [answer.status for answer in first.received()] == [status]
        assert (await other.answer()).status == 200

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


def test_what_runs_in_a_thread_is_gathered_over_passes(worker: Worker, together: list[int]) -> None:
    one = '{"instances": [[1]]}'

    async def scenario() -> None:
        worker.slow.open()
        known = worker.connect()
        known.send(asked(one, "slow"))
        await known.answer()
        clients = [worker.connect() for _ in range(4)]
        for client in clients:
            client.send(asked(one, "slow"))
            await passes(1)
        assert [(await client.answer()).status for client in clients] == [200] * 4

    worker.run(scenario)
    assert worker.slow.rows_run[1] > 1, "the first pass did not go alone"
    assert sum(worker.slow.rows_run) == 5
    assert together == []


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
        client.send(asked(), asked('{"instances": [[3, 2]]}') + asked("{"))
        answers = await client.answers(3)
        assert [answer.status for answer in answers] == [200, 200, 400]
        assert [b"[[1.0,2.0]]" in answer.body for answer in answers] == [True, False, False]

    worker.run(scenario)
