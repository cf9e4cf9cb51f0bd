"""Where requests are shed and nobody can join those let in, they run at once, and hold their places to the end."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.http.both_ways import Worker, post
from tests.http.wire import Client, passes

KNOWN = post(body=b'{"instances": [{"x": 1}]}', request_id=None)
SLOW = post("/predict/slow", b'{"instances": [{"x": 1}]}', request_id=None)
HIGH = post("/predict/m", b'{"instances": [{"x": 1}]}', "x-request-priority: high", request_id=None)
pytestmark = pytest.mark.parametrize("worker", ["fast"], indirect=True)


async def clients_of(worker: Worker, n: int, limits: tuple[int, int, int]) -> list[Client]:
    """Return clients whose heads are known to a worker that sheds above some numbers in flight."""
    first = worker.connect()
    for i, request in enumerate((KNOWN, HIGH)):
        first.send(request)
        await first.answers(i + 1)
    gate = worker.pipeline.gate
    gate.is_shedding, gate.limits = True, limits
    worker.notes.passes_over = True
    return [worker.connect() for _ in range(n)]


def statuses(client: Client) -> list[int]:
    return [answer.status for answer in client.received()]


def ran(worker: Worker) -> int:
    """Return how many requests of the stable version have been answered so far."""
    return len(worker.notes.answered_by)


def test_who_takes_the_last_place_starts_the_run_of_all(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await clients_of(worker, 4, (3, 3, 3))
        before = ran(worker)
        for client in clients[:2]:
            client.send(KNOWN)
        assert ran(worker) == before
        clients[2].send(KNOWN)
        assert ran(worker) == before + 3
        assert worker.pipeline.gate.in_flight == 3
        clients[3].send(KNOWN)
        assert statuses(clients[3]) == [503]
        await passes()
        assert [statuses(client) for client in clients] == [[200], [200], [200], [503]]
        assert worker.pipeline.gate.in_flight == 0

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 5, ("/predict", "503"): 1}


def test_the_next_pass_lets_in_as_many_again(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await clients_of(worker, 6, (2, 2, 2))
        for three in (clients[:3], clients[3:]):
            for client in three:
                client.send(KNOWN)
            await passes()
        assert [statuses(client) for client in clients] == [[200], [200], [503]] * 2

    worker.run(scenario)


def test_those_of_one_piece_are_answered_in_order_where_some_find_no_place(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, (2, 2, 2))
        client.send(KNOWN * 4)
        await passes()
        assert statuses(client) == [200, 200, 503, 503]

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 4, ("/predict", "503"): 2}


def test_it_happens_once_a_pass(worker: Worker) -> None:
    async def scenario() -> None:
        clients = await clients_of(worker, 3, (3, 1, 1))
        before = ran(worker)
        clients[0].send(KNOWN)
        assert ran(worker) == before + 1
        clients[1].send(HIGH)
        clients[2].send(HIGH)
        assert ran(worker) == before + 1
        await passes()
        assert [statuses(client) for client in clients] == [[200]] * 3

    worker.run(scenario)


def test_in_the_calm_the_run_waits_for_the_end_of_the_pass(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, (1, 1, 1))
        worker.pipeline.gate.is_shedding = False
        before = ran(worker)
        client.send(KNOWN * 2)
        assert ran(worker) == before
        await passes()
        assert statuses(client) == [200, 503]

    worker.run(scenario)


def test_what_runs_in_a_thread_gathers_as_ever(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, (1, 1, 1))
        client.send(SLOW)
        await worker.slow.until_running()
        assert statuses(client) == []
        worker.slow.open()
        await client.answers(1)
        assert worker.pipeline.gate.in_flight == 0

    worker.run(scenario)


def test_who_finds_no_place_is_turned_away_before_anything_is_shed(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, (0, 0, 0))
        worker.pipeline.gate.is_shedding = False
        client.send(KNOWN * 3)
        assert statuses(client) == [503] * 3

    worker.run(scenario)
    assert worker.notes.sheds == [("concurrency_limit", 1)] * 3


def test_the_loop_is_held_for_one_run_a_pass_however_many_are_due(worker: Worker, monkeypatch: Any) -> None:
    """What was to run at the end of the pass does not run then as well: such runs would add up from pass to pass."""

    async def scenario() -> None:
        clients = await clients_of(worker, 40, (40, 40, 40))
        lane: Any = worker.pipeline.table.find("m").stable_arm().lane
        few = SimpleNamespace(limit=4, inline_rows=4, observe=lambda *_: None, cost=lane._sizer.cost)
        monkeypatch.setattr(lane, "_sizer", few)
        runs, run_here = list[int](), lane._run_here

        def counting(work: Any) -> None:
            runs.append(work.rows)
            run_here(work)

        monkeypatch.setattr(lane, "_run_here", counting)
        for client in clients:
            client.send(KNOWN)
        assert runs == [4]
        for i in range(2, 10):
            await asyncio.sleep(0)
            assert len(runs) == i
        await passes()
        assert runs == [4] * 10
        assert [statuses(client) for client in clients] == [[200]] * 40

    worker.run(scenario)


def test_a_fault_in_the_run_is_reported_and_keeps_nobody_from_an_answer(worker: Worker, monkeypatch: Any) -> None:
    async def scenario() -> None:
        (client,) = await clients_of(worker, 1, (1, 1, 1))
        lane: Any = worker.pipeline.table.find("m").stable_arm().lane
        told, takes_next = list[dict[str, Any]](), lane._next

        def broken() -> None:
            monkeypatch.setattr(lane, "_next", takes_next)
            raise ZeroDivisionError

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "call_exception_handler", told.append)
        monkeypatch.setattr(lane, "_next", broken)
        client.send(KNOWN * 2)
        lane._schedule()
        await passes()
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
        assert statuses(client) == [200, 503]

    worker.run(scenario)
