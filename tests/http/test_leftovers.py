"""What is left of an answered request, and of a connection: nothing, without the help of the garbage collector."""

import asyncio
import gc
import weakref

import pytest

from gateway.call import Call
from tests.http.both_ways import Worker, post
from tests.http.wire import passes


def test_an_answered_request_is_freed_at_once(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(*[post(request_id=None)] * 3)
        await client.answers(3)
        gc.collect()
        gc.disable()
        try:
            more = worker.connect()
            more.send(*[post(request_id=None)] * 50)
            await more.answers(50)
            more.leave()
            await passes()
            assert sum(isinstance(kept, Call) for kept in gc.get_objects()) == 0
        finally:
            gc.enable()

    worker.run(scenario)


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        (b"", 0),
        (b"POST /predict/m HT", 0),
        (b"no HTTP\r\n\r\n", 1),
        (b"GET /livez HTTP/1.1\r\nhost: weir\r\n\r\n", 1),
        (post() * 3, 3),
        (post() + b"GET /livez HTTP/1.1\r\nhost: weir\r\n\r\n" + post(), 3),
        (post("/predict/wide", b'{"instances": [[1, 2]]}') + post()[:-1], 1),
        (post("/predict/slow") + b"GET /livez HTTP/1.1\r\nhost: weir\r\n\r\n", 0),
        (post(body=b'{"inst') + post("/predict/wide", b'{"instances": [[1, 2, 3]]}'), 2),
    ],
)
def test_a_connection_that_has_ended_is_freed_at_once(worker: Worker, said: bytes, answers: int) -> None:
    async def scenario() -> None:
        gc.disable()
        try:
            for _ in range(2):  # the second time, heads are known
                client = worker.connect()
                client.send(*[said] if said else [])
                await client.answers(answers)
                gone = asyncio.Event()
                weakref.finalize(client.protocol, asyncio.get_running_loop().call_soon_threadsafe, gone.set)
                client.leave()
                worker.slow.open()
                del client.protocol  # a loop lets go of it as well
                worker.notes.failures.clear()
                await asyncio.wait_for(gone.wait(), 20.0)
        finally:
            gc.enable()

    worker.run(scenario)
