"""A client's end of a connection without a socket or a clock: bytes in, bytes out, and time that is moved by hand."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

__all__ = ["Client", "HandLoop", "Response", "passes"]

_PATIENCE_S = 20.0


async def passes(n: int = 30) -> None:
    """Let the event loop turn, so that whatever is ready happens."""
    for _ in range(n):
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Response:
    """One answer, as it stands on the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1
        return values[0] if values else None

    def comparable(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the answer without what differs each time: durations, and request ids that were made here."""
        made = self["x-request-id"] or ""
        headers, body = self.headers, self.body
        if re.fullmatch("[0-9a-f]{16}", made):
            headers = [(name, value.replace(made, "MADE")) for name, value in headers]
            body = body.replace(made.encode(), b"MADE")
        timed = [(name, re.sub(r"[\d.]+", "0", value) if name == "server-timing" else value) for name, value in headers]
        return self.status, sorted(timed), body


@dataclass
class _Timer:
    when_s: float
    callback: Callable[..., object]
    arguments: tuple[Any, ...]
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Let go of the callback too, as asyncio does."""
        self.is_cancelled, self.callback, self.arguments = True, int, ()


@dataclass
class HandLoop:
    """The running loop, but for its time."""

    _loop: asyncio.AbstractEventLoop
    now_s: float = 0.0
    timers: list[_Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: Any) -> _Timer:
        self.timers.append(_Timer(self.now_s + delay_s, callback, arguments))
        return self.timers[-1]

    def advance(self, seconds: float) -> None:
        """Let time go by, and what falls due happen."""
        end_s = self.now_s + seconds
        while due := [timer for timer in self.timers if not timer.is_cancelled and timer.when_s <= end_s]:
            first = min(due, key=lambda timer: timer.when_s)
            self.timers.remove(first)
            self.now_s = first.when_s
            first.callback(*first.arguments)
        self.now_s = end_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class _Transport(asyncio.Transport):
    """What the protocol writes to: it keeps the bytes."""

    def __init__(self, client: Client) -> None:
        super().__init__({"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 50_000)})
        self._client = client
        self.written = bytearray()
        self.is_read_from, self.was_aborted, self._is_closing = True, False, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._is_closing, "an answer was written after the end"
        self.written += data
        self._client.note()

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self._client.lose, None)

    def abort(self) -> None:
        self.was_aborted = True
        self.close()

    def pause_reading(self) -> None:
        assert self.is_read_from
        self.is_read_from = False

    def resume_reading(self) -> None:
        assert not self.is_read_from
        self.is_read_from = True
        asyncio.get_running_loop().call_soon(self._client.deliver)


class Client:
    """A client that sends bytes as it likes and reads answers.

    Parameters
    ----------
    protocol
        The server's end.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol
        self.transport = _Transport(self)
        self.has_ended = False
        self._unread: deque[bytes] = deque()
        self._changed = asyncio.Event()
        protocol.connection_made(self.transport)

    def send(self, *segments: bytes) -> None:
        """Send; what the server does not read yet waits in between."""
        self._unread.extend(segments)
        self.deliver()

    def deliver(self) -> None:
        """Give the server what it reads of that."""
        while self._unread and self.transport.is_read_from and not self.transport.is_closing():
            self.protocol.data_received(self._unread.popleft())

    @property
    def unread(self) -> int:
        """Segments that the server has not read."""
        return len(self._unread)

    def leave(self) -> None:
        """Go, without a goodbye."""
        self.transport._is_closing = True
        self.lose(ConnectionResetError())

    def lose(self, exc: Exception | None) -> None:
        """Tell the server, once, that the connection has ended."""
        if not self.has_ended:
            self.has_ended = True
            self.protocol.connection_lost(exc)
            self.note()

    def note(self) -> None:
        """Wake who waits."""
        self._changed.set()

    async def answers(self, n: int, *, without_bodies: bool = False) -> list[Response]:
        """Return the first ``n`` answers once they are whole, or those there are when the connection ends."""
        await self._until(lambda: self.has_ended or len(self.received(without_bodies=without_bodies)) >= n)
        return self.received(without_bodies=without_bodies)

    async def answer(self) -> Response:
        """Return the only answer."""
        (only,) = await self.answers(1)
        return only

    async def end(self) -> None:
        """Wait until the connection has ended."""
        await self._until(lambda: self.has_ended)

    def received(self, *, without_bodies: bool = False) -> list[Response]:
        """Return the whole answers that have come so far."""
        return list(_responses(bytes(self.transport.written), without_bodies=without_bodies))

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


def _responses(data: bytes, *, without_bodies: bool) -> Iterable[Response]:
    while b"\r\n\r\n" in data:
        top, _, data = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = [cast("tuple[str, str]", tuple(line.split(": ", 1))) for line in lines]
        assert all(name == name.lower() for name, _ in headers)
        lengths = [int(value) for name, value in headers if name == "content-length"]
        assert len(lengths) == 1 or first.split()[1] == "100", first
        length = 0 if without_bodies or not lengths else lengths[0]
        if len(data) < length:
            return
        yield Response(int(first.split()[1]), headers, data[:length])
        data = data[length:]
