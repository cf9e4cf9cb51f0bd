"""What is left of a request when it has been answered: nothing, without the help of the garbage collector."""

import gc

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
