"""What a client asks at once after it was refused for want of room waits for a moment."""

import pytest

from tests.http.both_ways import Worker, post
from tests.http.wire import passes


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_a_client_that_asks_again_at_once_waits_a_moment(worker: Worker) -> None:
    async def scenario() -> None:
        worker.pipeline.gate.limits = (0, 0, 0)
        client = worker.connect()
        client.send(post(request_id=None))
        assert (await client.answer()).status == 503
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
        worker.pipeline.gate.limits = (0, 0, 0)
        client = worker.connect()
        client.send(post(request_id=None))
        assert (await client.answer()).status == 503
        worker.pipeline.gate.limits = (9, 9, 9)
        worker.clock.advance(0.05)
        client.send(post(request_id=None))
        assert [answer.status for answer in await client.answers(2)] == [503, 200]

    worker.run(scenario)


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
def test_what_waits_is_answered_before_the_worker_stops(worker: Worker) -> None:
    async def scenario() -> None:
        worker.pipeline.gate.limits = (0, 0, 0)
        client = worker.connect()
        client.send(post(request_id=None))
        assert (await client.answer()).status == 503
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
        worker.pipeline.gate.limits = (0, 0, 0)
        client = worker.connect()
        client.send(post(request_id=None))
        assert (await client.answer()).status == 503
        client.send(post(request_id=None))
        client.leave()
        worker.clock.advance(0.05)
        await passes()

    worker.run(scenario)
    assert +worker.answered() == {("/predict", "503"): 1}
