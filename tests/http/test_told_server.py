"""A server that ends when it is told to, not at its next look."""

import asyncio
import socket

import uvicorn

from gateway.http.told_server import ToldServer


async def nobody(scope: object, receive: object, send: object) -> None:
    """Answer nothing."""


class Watched(ToldServer):
    """A server that says when it serves."""

    def __init__(self) -> None:
        super().__init__(uvicorn.Config(nobody, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
        self.serves = asyncio.Event()

    async def main_loop(self) -> None:
        self.serves.set()
        await super().main_loop()


def test_a_server_serves_until_it_is_told_to_stop() -> None:
    async def story() -> None:
        told = Watched()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = asyncio.create_task(told.serve(sockets=[listener]))
            await told.serves.wait()
            assert not serving.done()
            told.stop()
            await asyncio.wait_for(serving, 10)

    asyncio.run(story())


def test_a_server_that_was_told_before_it_began_ends_at_once() -> None:
    async def story() -> None:
        told = Watched()
        told.stop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await asyncio.wait_for(told.serve(sockets=[listener]), 10)

    asyncio.run(story())
