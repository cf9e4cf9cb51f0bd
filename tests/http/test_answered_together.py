"""Requests of a run are answered together where they are all that their connections have; nobody can tell."""

import json
import logging
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.codec.plain import PlainWriter
from gateway.codec.v2_answers import V2Writer
from gateway.http.exchange import Exchange
from tests.http.both_ways import Versions, Way, Worker, post
from tests.http.wire import Client, passes

BODIES = [f'{{"instances": [[0, {i}]]}}'.encode() for i in range(10)]
PLAIN = [post("/predict/wide", body, request_id=None) for body in BODIES]
BROKEN = post("/predict/wide", b'{"instances": [[9, 1]]}', request_id=None)
V2 = b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0, 1]}]}'
NEIGHBOURS = [
    post("/v2/models/wide/infer", V2),
    post("/predict/wide", BODIES[2], request_id="r-2"),
    post("/predict/wide/", BODIES[3]),
    post("/predict/wide", BODIES[4], "connection: close", request_id=None),
    post("/predict/wide", BODIES[5], "transfer-encoding: identity", request_id=None),
]


def tensors(*values: float, wants_raw: bool = True, is_raw: bool = True, own_id: str | None = None) -> bytes:
    """Return a request with a row for each value, by the Open Inference Protocol."""
    rows = [cell for value in values for cell in (0.0, value)]
    tensor: dict[str, Any] = {"name": "x", "shape": [len(values), 2], "datatype": "FP32"}
    tensor |= {"parameters": {"binary_data_size": 4 * len(rows)}} if is_raw else {"data": rows}
    said = {"inputs": [tensor], "parameters": {"binary_data_output": wants_raw}}
    head = json.dumps(said if own_id is None else {**said, "id": own_id}).encode()
    if not is_raw:
        return post("/v2/models/wide/infer", head, request_id=None)
    line, raw = f"inference-header-content-length: {len(head)}", struct.pack(f"<{len(rows)}f", *rows)
    return post("/v2/models/wide/infer", head + raw, line, request_id=None)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give how many requests of each run were answered together."""
    counts, reply_together = list[int](), Exchange.reply_together

    def counting(calls: Any) -> Any:
        others = reply_together(calls)
        counts.append(len(calls) - len(others))
        return others

    monkeypatch.setattr(Exchange, "reply_together", staticmethod(counting))
    return counts


async def calm_clients(worker: Worker, n: int) -> list[Client]:
    """Return clients each of which was answered a plain request, by a head that is known."""
    for request in PLAIN:
        first = worker.connect()
        first.send(request)
        await first.answer()
    clients = [worker.connect() for _ in range(n)]
    for client in clients:
        client.send(PLAIN[0])
    for client in clients:
        await client.answer()
    return clients


async def newest(client: Client, n: int = 2) -> Any:
    """Return the ``n``-th answer, the last."""
    answers = await client.answers(n)
    assert len(answers) == n
    return answers[-1]


def assert_seen_alike_both_ways(
    folder: Path, versions: Versions, ask: Callable[[Worker], Coroutine[Any, Any, list[Client]]]
) -> None:
    """Have clients ask a worker of each way, and hold their answers and its counts against each other."""

    def seen(way: Way) -> tuple[Any, ...]:
        worker, received = Worker(way, folder / way, versions), list[Any]()

        async def scenario() -> None:
            received.extend([[a.comparable() for a in client.received()] for client in await ask(worker)])

        worker.run(scenario)
        worker.close()
        return received, worker.answered(), worker.outcomes()

    assert seen("fast") == seen("asgi")


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_all_of_a_run_are_answered_together(worker: Worker, together: list[int]) -> None:
    async def scenario() -> None:
        clients = await calm_clients(worker, 5)
        together.clear()
        for client, request in zip(clients, PLAIN, strict=False):
            client.send(request)
        answers = [await newest(client) for client in clients]
        assert [b"[[0.0,%d.0]]" % i in answer.body for i, answer in enumerate(answers)] == [True] * 5
        assert len({answer["x-request-id"] for answer in answers}) == 5

    worker.run(scenario)
    assert together == [5]
    assert worker.answered() == {("/predict", "200"): 20}
    assert worker.state.total_requests == 20


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([BROKEN], id="refused"),
        pytest.param([b"GET /livez HTTP/1.1\r\nhost: weir\r\n\r\n"], id="another route"),
        pytest.param([PLAIN[1] + PLAIN[2]], id="pipelined"),
        pytest.param([PLAIN[1], PLAIN[2]], id="behind an unanswered one"),
        pytest.param([PLAIN[1][:40], PLAIN[1][40:]], id="in two pieces"),
        pytest.param([PLAIN[1] + PLAIN[2][:40], PLAIN[2][40:]], id="one and a half"),
        *(pytest.param([request], id=f"neighbour {i}") for i, request in enumerate(NEIGHBOURS)),
        pytest.param([b"\0\0\0\r\n\r\n"], id="no HTTP"),
    ],
)
def test_whatever_comes_on_one_connection_is_answered_as_ever_and_so_are_the_others(
    tmp_path: Path, versions_both_ways: Versions, others: list[bytes]
) -> None:
    async def ask(worker: Worker) -> list[Client]:
        clients = await calm_clients(worker, 3)
        for _ in range(2):  # the second time from the state that the first has left
            clients[0].send(PLAIN[1])
            clients[1].send(*others)
            clients[2].send(PLAIN[2])
            await passes()
        for client in clients:
            client.send(PLAIN[3])
        await passes()
        return clients

    assert_seen_alike_both_ways(tmp_path, versions_both_ways, ask)


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([tensors(1), tensors(2), tensors(3)], id="alike"),
        pytest.param([tensors(1), tensors(2, 3, 4), tensors(5, 6)], id="of several sizes"),
        pytest.param([tensors(1), tensors(2, own_id='"mine"'), tensors(3)], id="one with an id"),
        pytest.param([tensors(1, wants_raw=False), tensors(2), tensors(3)], id="one to get JSON"),
        pytest.param([tensors(1, is_raw=False), tensors(2), tensors(3)], id="one of JSON"),
        pytest.param([tensors(1, is_raw=False, wants_raw=False)] * 3, id="all JSON"),
        pytest.param([PLAIN[1], tensors(2), tensors(3), PLAIN[4]], id="plain ones among them"),
        pytest.param([tensors(1)], id="only one"),
    ],
)
def test_tensors_of_a_run_are_answered_as_if_each_had_come_alone(
    tmp_path: Path, versions_both_ways: Versions, requests: list[bytes]
) -> None:
    async def ask(worker: Worker) -> list[Client]:
        for request in requests:
            first = worker.connect()
            first.send(request)
            await first.answer()
        clients = await calm_clients(worker, len(requests))
        for _ in range(2):
            for client, request in zip(clients, requests, strict=True):
                client.send(request)
            await passes()
        return clients

    assert_seen_alike_both_ways(tmp_path, versions_both_ways, ask)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_tensors_are_answered_together_where_others_are(worker: Worker, together: list[int]) -> None:
    async def scenario() -> None:
        (client, *others) = await calm_clients(worker, 4)
        for _ in range(2):
            together.clear()
            client.send(tensors(7, 8))
            for i, other in enumerate(others):
                other.send(tensors(i))
            await passes()
        assert client.received()[-1].body.endswith(struct.pack("<4f", 0, 7, 0, 8))
        assert [other.received()[-1].body[-4:] for other in others] == [struct.pack("<f", i) for i in range(3)]

    worker.run(scenario)
    assert together == [4]
    assert worker.answered()["/v2", "200"] == 8


@pytest.mark.parametrize("is_sent", [True, False])
@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_worker_that_says_goodbye_says_it_in_every_answer(worker: Worker, *, is_sent: bool) -> None:
    async def scenario() -> None:
        clients = await calm_clients(worker, 3)
        for client in clients * is_sent:
            client.send(PLAIN[1])
        worker.drain()
        for client in clients * (not is_sent):
            client.send(PLAIN[1])
        answers = [await newest(client) for client in clients]
        assert [(answer.status, answer["connection"]) for answer in answers] == [(200, "close")] * 3
        for client in clients:
            await client.end()

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_request_held_back_when_the_worker_stops_is_the_last_of_its_connection(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await calm_clients(worker, 1)
        worker.pipeline.gate.is_shedding, worker.pipeline.gate.limits = True, (0, 0, 0)
        client.send(PLAIN[1])
        assert (await newest(client)).status == 503
        worker.pipeline.gate.is_shedding, worker.pipeline.gate.limits = False, (9, 9, 9)
        client.send(PLAIN[2])
        worker.stop()
        answer = await newest(client, 3)
        assert (answer.status, answer["connection"]) == (200, "close")
        await client.end()

    worker.run(scenario)


@pytest.mark.parametrize("is_sent", [True, False])
@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_worker_without_room_turns_away_who_was_answered_before(worker: Worker, *, is_sent: bool) -> None:
    async def scenario() -> None:
        clients = await calm_clients(worker, 3)
        for client in clients * is_sent:
            client.send(PLAIN[1])
        worker.pipeline.gate.is_shedding, worker.pipeline.gate.limits = True, (0, 0, 0)
        for client in clients * (not is_sent):
            client.send(PLAIN[1])
        assert [(await newest(client)).status for client in clients] == [503] * 3
        worker.pipeline.gate.is_shedding, worker.pipeline.gate.limits = False, (9, 9, 9)
        for client in clients:
            client.send(PLAIN[2])
        await passes()
        assert [len(client.received()) for client in clients] == [2] * 3, "who was refused is to wait a moment"
        worker.clock.advance(0.05)
        assert [(await newest(client, 3)).status for client in clients] == [200] * 3

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_connection_that_cannot_be_written_to_does_not_keep_the_others_from_their_answers(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: bytes) -> None:
        raise OSError("gone")

    async def scenario() -> None:
        clients = await calm_clients(worker, 3)
        for client in clients:
            client.send(PLAIN[1])
        clients[0].transport.write = broken  # type: ignore[assignment,method-assign]
        assert [(await newest(client)).status for client in clients[1:]] == [200, 200]

    worker.run(scenario)
    assert [record.message.startswith("request ") for record in caplog.records] == [True]
    caplog.clear()


def test_an_answer_that_cannot_be_written_is_a_failure_of_each(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        clients = await calm_clients(worker, 3)
        monkeypatch.setattr(PlainWriter, "texts", lambda *_: 1 / 0)
        for client in clients:
            client.send(PLAIN[1])
        assert [(await newest(client)).status for client in clients] == [500] * 3
        monkeypatch.undo()
        for client in clients:
            client.send(PLAIN[1])
        assert [(await newest(client, 3)).status for client in clients] == [200] * 3

    worker.run(scenario)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 3
    caplog.clear()


@pytest.mark.parametrize("wants_raw", [True, False])
def test_tensors_that_cannot_be_written_are_one_request_s_failure(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, wants_raw: bool
) -> None:
    requests = [tensors(i, own_id=f"mine-{i}", wants_raw=wants_raw) for i in range(4)]
    write, write_raw = V2Writer.write, V2Writer.write_raw

    def failing(writer: V2Writer, request_id: str, *arguments: Any) -> Any:
        return 1 / (request_id != "mine-1") and write(writer, request_id, *arguments)

    def failing_raw(writer: V2Writer, outputs: Any, told: Any) -> Any:
        for (request_id, _), answer in zip(told, write_raw(writer, outputs, told), strict=True):
            yield 1 / (request_id != "mine-1") and answer

    async def scenario() -> None:
        clients = await calm_clients(worker, 4)
        monkeypatch.setattr(V2Writer, "write", failing)
        monkeypatch.setattr(V2Writer, "write_raw", failing_raw)
        for n in (2, 3):
            for client, request in zip(clients, requests, strict=True):
                client.send(request)
            assert [(await newest(client, n)).status for client in clients] == [200, 500, 200, 200]

    worker.run(scenario)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2
    assert worker.answered()["/v2", "200"] == 6
    caplog.clear()


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_client_that_takes_no_answers_is_not_read_from(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await calm_clients(worker, 1)
        client.send(PLAIN[1])
        client.protocol.pause_writing()
        client.send(PLAIN[2])
        assert (await newest(client)).status == 200
        await passes()
        assert client.unread == 1
        client.protocol.resume_writing()
        assert (await newest(client, 3)).status == 200

    worker.run(scenario)


def test_a_connection_ends_when_it_has_been_idle_for_too_long_since_its_last_answer(worker: Worker) -> None:
    async def scenario() -> None:
        (client,) = await calm_clients(worker, 1)
        worker.clock.advance(70)
        client.send(PLAIN[1])
        await newest(client)
        worker.clock.advance(74)
        await passes()
        assert not client.has_ended
        worker.clock.advance(2)
        await client.end()

    worker.run(scenario)
