"""A connection whose request was refused for want of room is not read from for a moment."""

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
        client.send(post(request_id=None))
        await passes()
        assert client.unread == 1
        worker.clock.advance(0.05)
        assert [answer.status for answer in await client.answers(2)] == [503, 200]

    worker.run(scenario)
