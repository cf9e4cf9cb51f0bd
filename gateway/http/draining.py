"""uvicorn for one worker of several on one socket, stopping so that no client has a request refused or cut off."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from gateway.http.told_server import ToldServer

__all__ = ["CompanionServer", "DrainingServer"]

_POLL_S = 0.02
_LINGER_POLLS = 50
"""Clients get a second in all."""
_HANDSHAKE_S = 2.0


class DrainingServer(ToldServer):
    """A server that leaves its clients time to go.

    Closing an idle connection can cross a request on its way, which is then lost. So a server that was told to stop
    first answers with ``connection: close``, on the connections that still wait on the socket too, and closes what is
    idle after a second.

    Parameters
    ----------
    drain
        Called before anything else when the server stops.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye to clients, then stop as uvicorn does."""
        await self._drain()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        await self._stop_accepting(sockets or [])
        for _ in range(_LINGER_POLLS):
            if self.server_state.connections:
                await asyncio.sleep(_POLL_S)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and unlike uvicorn do not die of it afterwards: the worker has more to end than this."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        """Close the listening sockets; who connected in time is still answered, if only by the last worker."""
        copies = [socket.socket(fileno=os.dup(listener.fileno())) for listener in sockets]
        for server, listener in zip(self.servers, sockets, strict=True):
            server.close()
            listener.close()
        await asyncio.sleep(_POLL_S)  # the loop lets go of a socket in one of its next passes
        for copy in copies:
            with copy:
                copy.setblocking(False)
                waiting = list(_accepted(copy))
            await asyncio.gather(*(self._greet(connection) for connection in waiting))

    async def _greet(self, connection: socket.socket) -> None:
        loop, context = asyncio.get_running_loop(), self.config.ssl
        patience_s = None if context is None else _HANDSHAKE_S
        try:
            await loop.connect_accepted_socket(
                self._protocol, connection, ssl=context, ssl_handshake_timeout=patience_s
            )
        except OSError:  # this one left, or does not speak TLS
            connection.close()

    def _protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


class CompanionServer(DrainingServer):
    """A second server of the same worker, which stands for as long as it is needed and is told by no signal."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config, _nothing_first)

    @asynccontextmanager
    async def standing(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve for as long as the block lasts, then drain."""
        serving = asyncio.create_task(self.serve(sockets=[listener]), name="companion")
        try:
            yield
        finally:
            self.stop()
            await serving

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the other server."""
        yield


async def _nothing_first() -> None:
    return


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            yield listener.accept()[0]
        except BlockingIOError:
            return
        except ConnectionError:  # this one left before its turn
            continue
