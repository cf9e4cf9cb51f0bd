"""What a client asks at once after it was refused for want of room waits for a moment."""

import json

import pytest

from gateway.settings import AdmissionSettings
from tests.http.both_ways import Worker, post
from tests.http.wire import Client, passes


async def refused(worker: Worker) -> Client:
    """Return a client whose request was refused; whoever asks next is refused too."""
    worker.pipeline.gate.limits = (0, 0, 0)
    client = worker.connect()
    client.send(post(request_id=None))
    assert (await client.answer()).status == 503
    return client


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_client_that_asks_again_at_once_waits_a_moment(worker: Worker) -> None:
    async def scenario() -> None:
        client = await refused(worker)
        worker.pipeline.gate.limits = (9, 9, 9)
        client.send(post(request_id=None)[:30], post(request_id=None)[30:])
        await passes()
        assert client.unread == 1, "nothing more is read than what came first"
        worker.clock.advance(0.049)
        await passes()
        assert len(client.received()) == 1
        worker.clock.advance(0.001)
        assert [answer.status for answer in await client.answers(2)] == [503, 200]

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_client_that_takes_its_time_does_not_wait(worker: Worker) -> None:
    async def scenario() -> None:
        client = await refused(worker)
        worker.pipeline.gate.limits = (9, 9, 9)
        worker.clock.advance(0.05)
        client.send(post(request_id=None))
        assert [answer.status for answer in await client.answers(2)] == [503, 200]

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_what_waits_is_answered_before_the_worker_stops(worker: Worker) -> None:
    async def scenario() -> None:
        client = await refused(worker)
        worker.pipeline.gate.limits = (9, 9, 9)
        client.send(post(request_id=None))
        worker.stop()
        await client.end()
        assert [(a.status, a["connection"]) for a in client.received()] == [(503, None), (200, "close")]
        worker.clock.advance(0.05)

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_who_leaves_while_he_waits_leaves_nothing(worker: Worker) -> None:
    async def scenario() -> None:
        client = await refused(worker)
        client.send(post(request_id=None))
        client.leave()
        worker.clock.advance(0.05)
        await passes()

    worker.run(scenario)
    assert +worker.answered() == {("/predict", "503"): 1}


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
@pytest.mark.parametrize("told", [True, False])
def test_known_requests_are_turned_away_in_turn_and_counted_like_others(worker: Worker, *, told: bool) -> None:
    known = post(body=b'{"instances": [{"x": 1}]}', request_id=None)
    rests: list[dict[str, str]] = []

    async def scenario() -> None:
        worker.notes.passes_over = not told
        client = worker.connect()
        client.send(known)
        await client.answers(1)
        gate = worker.pipeline.gate
        gate.is_shedding, gate.limits = True, (0, 0, 0)
        client.send(known * 3 + known[:20])
        assert [answer.status for answer in await client.answers(4)] == [200, 503, 503, 503]
        gate.limits = (9, 9, 9)
        client.send(known[20:])
        worker.clock.advance(0.05)
        assert [answer.status for answer in await client.answers(5)][4:] == [200]
        rests.extend(json.loads(answer.body) for answer in client.received()[1:4])

    worker.run(scenario)
    assert len({rest["request_id"] for rest in rests}) == 3
    assert {rest["reason"] for rest in rests} == {"concurrency_limit"}
    assert worker.answered() == {("/predict", "200"): 2, ("/predict", "503"): 3}
    assert worker.notes.sheds == [("concurrency_limit", 1)] * 3
    assert len(worker.notes.failures) == (3 if told else 0)
    assert worker.state.total_requests == 5


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_who_has_room_by_his_priority_is_not_turned_away(worker: Worker) -> None:
    body = b'{"instances": [{"x": 1}]}'
    known = post("/predict/m", body, "x-request-priority: normal", request_id=None)
    urgent = post("/predict/m", body, "x-request-priority: high", request_id=None)

    async def scenario() -> None:
        client = worker.connect()
        for n, request in enumerate((known, urgent)):
            client.send(request)
            await client.answers(n + 1)
        gate = worker.pipeline.gate
        gate.is_shedding, gate.limits = True, (9, 0, 0)
        client.send(known + urgent + known)
        assert [answer.status for answer in await client.answers(5)][2:] == [503, 200, 503]

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_known_requests_over_a_quota_are_turned_away_like_others_and_wait_for_nothing(worker: Worker) -> None:
    body = b'{"instances": [{"x": 1}]}'
    greedy, other = (post(body=body, request_id=None), post("/predict/m", body, "x-api-key: b", request_id=None))
    worker.admission = AdmissionSettings(quota_requests_per_s=0.001, quota_burst=2)

    async def scenario() -> None:
        client = worker.connect()
        for n, request in enumerate((greedy, other)):
            client.send(request)
            await client.answers(n + 1)
        client.send(greedy * 3 + other)
        assert [answer.status for answer in (await client.answers(6))[2:]] == [200, 429, 429, 200]
        client.send(greedy * 2 + other + greedy)
        answers = await client.answers(10)
        assert [answer.status for answer in answers[6:]] == [429] * 4
        assert (answers[-1]["retry-after"], json.loads(answers[-1].body)["reason"]) == ("1000", "quota")
        assert len({answer["x-request-id"] for answer in answers}) == 10

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 4, ("/predict", "429"): 6}
    assert worker.state.total_requests == 10
