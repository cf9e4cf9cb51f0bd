"""The gRPC server of one worker, on its event loop; all workers listen on one port, and the kernel spreads clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio

from gateway.grpc.listening import stop_listening
from gateway.grpc.rpc_counts import RpcCounts
from gateway.grpc.streams import Streams
from gateway.settings import Settings

__all__ = ["GrpcServer"]

_STREAMS_PER_CONNECTION = 256
_RPCS = 4096
_AGE_S, _AGE_SPREAD = 5.0, 1.2
"""gRPC spreads the ages of connections by a tenth, so that not all come back at once."""
_QUIET_S, _POLL_S = 0.3, 0.02


class GrpcServer:
    """Listens from ``standing`` on until it is drained.

    A message may be as large as a body over HTTP, unpacked where it is compressed. A client has at most 256 RPCs on one
    connection, and waits with more; every five seconds it is sent to a new one, which costs it nothing but the
    handshake, spreads clients over workers, and lets them leave a worker that is about to stop. A worker has at most
    4,096 RPCs, and refuses more with ``RESOURCE_EXHAUSTED``.
    """

    def __init__(self, settings: Settings, service: Any, streams: Streams, counts: RpcCounts) -> None:
        options = [
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", _STREAMS_PER_CONNECTION),
            ("grpc.max_connection_age_ms", round(_AGE_S * 1e3)),
        ]
        self._settings, self._streams, self._counts = settings, streams, counts
        self._server = aio.server(handlers=[service], options=options, maximum_concurrent_rpcs=_RPCS)
        self._stopping: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """Serve for as long as the block lasts, then drain.

        Raises
        ------
        OSError
            The address cannot be bound.
        """
        self._bind()
        await self._server.start()
        try:
            yield
        finally:
            self.drain()
            if self._stopping is not None:
                await self._stopping

    def drain(self) -> None:
        """Begin to stop: no connection comes any more, streams end, and what is under way has the time of the drain."""
        if self._stopping is None:
            stop_listening(self._settings.grpc_port or 0)
            self._streams.drain()
            self._stopping = asyncio.create_task(self._stop(), name="grpc-stop")

    async def _stop(self) -> None:
        """Stop when the clients have left.

        An RPC that reaches a server which stops is cancelled, even where its client could not know. So the server goes
        on until nobody asks any more: a connection that has its age is told to go, and nothing is lost on the way.
        """
        loop, drain_s = asyncio.get_running_loop(), self._settings.serving.drain_s
        began = loop.time()
        for _ in range(round(min(drain_s, _AGE_S * _AGE_SPREAD) / _POLL_S)):
            if self._counts.is_quiet(_QUIET_S):
                break
            await asyncio.sleep(_POLL_S)
        await self._server.stop(max(0.0, began + drain_s - loop.time()))

    def _bind(self) -> None:
        host, port = self._settings.host, self._settings.grpc_port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        credentials = _credentials(self._settings)
        try:
            if credentials is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on {address}: {error}") from error


def _credentials(settings: Settings) -> Any:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return grpc.ssl_server_credentials([(settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())])
