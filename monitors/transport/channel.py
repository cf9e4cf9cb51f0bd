"""A bounded one-way channel over a Unix socket. The sender never waits: full or away means drop and count."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

from monitors.transport.frames import FrameInvalid, FrameParser, Record

__all__ = ["ChannelSender", "ChannelServer", "SocketPathTooLong"]

MAXIMUM_PATH_BYTES = 107
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0

logger = logging.getLogger(__name__)


class SocketPathTooLong(ValueError):
    """A socket path that the kernel cannot hold."""

    def __init__(self, path: Path) -> None:
        found = len(os.fsencode(path))
        super().__init__(
            f"the socket path {path} has {found} bytes, a Unix socket takes {MAXIMUM_PATH_BYTES}: shorten the directory"
        )


class _Link(asyncio.Protocol):
    """One connection of a sender."""

    def __init__(self, on_writable: Callable[[], None]) -> None:
        self._on_writable = on_writable
        self.transport: asyncio.Transport | None = None
        self.is_writable = False
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports are not instances of asyncio's
        self.is_writable = True

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        self._on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_writable = False
        self.lost.set()


class ChannelSender:
    """Send frames to a ``ChannelServer``, connecting and reconnecting in the background.

    Parameters
    ----------
    path
        The server's socket; it need not exist yet.
    limit_bytes
        Most bytes that wait here; a frame beyond it is dropped and counted.
    on_connect
        Gives the frames to send first on every connection.

    Raises
    ------
    SocketPathTooLong
        For a path above 107 bytes.

    Notes
    -----
    Every method belongs to the loop on which ``start`` was called. Frames that the kernel had taken when a connection
    broke count as sent.
    """

    def __init__(
        self, path: Path, *, limit_bytes: int, on_connect: Callable[[], Iterable[bytes]] = tuple[bytes, ...]
    ) -> None:
        _require_short(path)
        self.path = path
        self.limit_bytes = limit_bytes
        self.sent = 0
        self.dropped = 0
        self._on_connect = on_connect
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._link is not None

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.get_running_loop().create_task(self._keep_connected(), name=f"channel {self.path.name}")

    def send(self, frame: bytes) -> bool:
        """Send or queue one frame; return False when it was dropped, and counted. Never waits, never raises."""
        if self._waiting_bytes + len(frame) > self.limit_bytes:
            self.dropped += 1
            return False
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        self._flush()
        return True

    async def close(self) -> None:
        """Close the connection once the kernel has what it can take; what still waits here is dropped and counted."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0

    async def _keep_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            link = await self._connect()
            if link is None:
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2.0 * pause_s)
            else:
                pause_s = FIRST_PAUSE_S
                await self._hold(link)

    async def _connect(self) -> _Link | None:
        link = _Link(self._flush)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: link, str(self.path))
        except OSError:
            return None
        return link

    async def _hold(self, link: _Link) -> None:
        """Use one connection until it is lost."""
        assert link.transport is not None
        try:
            link.transport.writelines(list(self._on_connect()))
            self._link = link
            self._flush()
            await link.lost.wait()
        finally:
            self._link = None
            link.transport.close()

    def _flush(self) -> None:
        link = self._link
        while self._waiting and link is not None and link.is_writable and link.transport is not None:
            frame = self._waiting.popleft()
            self._waiting_bytes -= len(frame)
            link.transport.write(frame)
            self.sent += 1


class _Intake(asyncio.Protocol):
    """One connection of a server."""

    def __init__(self, server: ChannelServer) -> None:
        self._server = server
        self._parser = FrameParser()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._server.connections.add(transport)

    def data_received(self, data: bytes) -> None:
        try:
            for record in self._parser.feed(data):
                self._server.received += 1
                self._server.on_frame(record)
        except FrameInvalid as exc:
            self._server.invalid += 1
            logger.warning("%s: a sender is cut off and what it had sent behind is lost: %s", self._server.path, exc)
            assert self._transport is not None
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._server.connections.discard(self._transport)


class ChannelServer:
    """Receive records from any number of senders.

    Parameters
    ----------
    path
        Where the socket is made, for the owner only; a socket left there by a process that died is replaced.
    on_frame
        Called on the loop for each record; must be quick.

    Raises
    ------
    SocketPathTooLong
        For a path above 107 bytes.

    Notes
    -----
    A frame that is not valid ends its connection, is logged and counted in ``invalid``; the others go on.
    """

    def __init__(self, path: Path, on_frame: Callable[[Record], None]) -> None:
        _require_short(path)
        self.path = path
        self.on_frame = on_frame
        self.received = 0
        self.invalid = 0
        self.connections: set[asyncio.BaseTransport] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self.path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Intake(self), str(self.path))
        self.path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening, end all connections and remove the socket."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self.connections):
            transport.close()
        self.path.unlink(missing_ok=True)


def _require_short(path: Path) -> None:
    if len(os.fsencode(path)) > MAXIMUM_PATH_BYTES:
        raise SocketPathTooLong(path)
