"""A client that has sent all and closes its side gets the answers that are ready."""

import asyncio

import pytest

from tests.http.both_ways import Worker, post


@pytest.mark.parametrize("worker", ["fast"], indirect=True)
@pytest.mark.parametrize("requests", [1, 2, 8])
def test_answers_that_are_ready_go_out_before_the_end(worker: Worker, requests: int) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(*[post(request_id=None)] * requests)
        await asyncio.sleep(0)  # the pass in which all run
        client.protocol.eof_received()
        client.transport.close()
        await client.end()
        assert [answer.status for answer in client.received()] == [200] * requests

    worker.run(scenario)
