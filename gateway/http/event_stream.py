"""The overview as server-sent events: what the watch says, once a second, to a bounded number of followers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import StreamsTaken, WatchUnavailable

__all__ = ["MOST_STREAMS", "OverviewStream", "Overviews"]

MOST_STREAMS = 16
EVERY_S = 1.0
HEARTBEAT_S = 10.0
PATIENCE_S = 10.0
_HEADERS = {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no"}
_AWAY = b"event: away\ndata: {}\n\n"
_HEARTBEAT = b": still here\n\n"


class Overviews:
    """The streams of one worker. All of them share one read a second, and nothing is read while there is none.

    Parameters
    ----------
    read
        Returns the overview, on one line; raises ``WatchUnavailable``.
    is_draining
        Whether the worker is about to stop: then streams end, and clients come back to another one.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[bytes]],
        *,
        is_draining: Callable[[], bool],
        most: int = MOST_STREAMS,
        every_s: float = EVERY_S,
    ) -> None:
        self._read, self.is_draining, self._most, self.every_s = read, is_draining, most, every_s
        self._reading: asyncio.Task[bytes] | None = None
        self._turn = -1
        self.open = 0

    def follow(self, is_over: Callable[[], bool]) -> OverviewStream:
        """Return an answer that goes on until ``is_over``; raise ``StreamsTaken`` when there are too many."""
        if self.open >= self._most:
            raise StreamsTaken(self._most)
        self.open += 1
        return OverviewStream(self, is_over)

    async def event(self) -> bytes:
        """Return the event of this turn."""
        turn = int(asyncio.get_running_loop().time() / self.every_s)
        if self._reading is None or turn != self._turn:
            self._reading, self._turn = asyncio.create_task(self._told()), turn
        return await asyncio.shield(self._reading)

    async def _told(self) -> bytes:
        try:
            return b"event: overview\ndata: %b\n\n" % await self._read()
        except WatchUnavailable:
            return _AWAY


class OverviewStream(Response):
    """One follower's answer. It ends by itself when its session does, when the worker drains, or when nobody reads."""

    def __init__(self, overviews: Overviews, is_over: Callable[[], bool]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._overviews, self._is_over = overviews, is_over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there is a reason to end; none where only the head was asked for."""
        leaving = asyncio.create_task(_left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await self._go_on(leaving, send)
        finally:
            self._overviews.open -= 1
            leaving.cancel()

    async def _go_on(self, leaving: asyncio.Task[None], send: Send) -> None:
        clock, said, said_at = asyncio.get_running_loop().time, b"", 0.0
        await _send(send, b"retry: 1000\n\n")
        while not leaving.done() and not (bye := self._bye()):
            event = await self._overviews.event()
            if event != said:
                said, said_at = event, clock()
                await _send(send, event)
            elif clock() - said_at >= HEARTBEAT_S:
                said_at = clock()
                await _send(send, _HEARTBEAT)
            await asyncio.wait([leaving], timeout=self._overviews.every_s)
        if not leaving.done():
            await _send(send, b'event: bye\ndata: "%b"\n\n' % bye)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _bye(self) -> bytes:
        """Return why the stream ends now."""
        if self._is_over():
            return b"session"
        return b"draining" if self._overviews.is_draining() else b""


async def _send(send: Send, body: bytes) -> None:
    """Send a part; raise ``TimeoutError`` for a client that takes nothing any more."""
    async with asyncio.timeout(PATIENCE_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    message: Any = {}
    while message.get("type") != "http.disconnect":
        message = await receive()
