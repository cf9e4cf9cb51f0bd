"""Good and bad clients of the soak: each kind does one thing again and again, and knows what answers it deserves."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from benchmarks.serving.models import rows
from benchmarks.serving.wire import PLAIN

__all__ = ["KINDS", "NO_ANSWER", "Kind", "Tally", "read_answer"]

NO_ANSWER = 0
_ANSWER_S = 20.0
_MALFORMED_S = 1.0
"""Some of what is malformed could still go on, and the server waits for it."""
_BYTE_S = 0.004
_PIPELINED = 20
_REQUESTS_A_CONNECTION = 50

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Tally:
    """What one kind of client sent and got; ``undeserved`` keeps one example of an answer that it should not get."""

    sent: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    undeserved: str = ""
    took_s: array[float] = field(default_factory=lambda: array("d"))

    def take(self, status: int, deserved: Sequence[int], what: str) -> None:
        """Count one answer."""
        self.answers[status] += 1
        if status not in deserved and not self.undeserved:
            self.undeserved = f"{status} for {what}"


Client = Callable[[int, "Tally", Callable[[], bool]], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: how many clients there are of it, and what they do until they are told to end."""

    clients: int
    act: Client


async def read_answer(reader: asyncio.StreamReader, limit_s: float = _ANSWER_S) -> int:
    """Return the status of the next answer, its body read; 0 where the server closes or resets instead."""
    try:
        async with asyncio.timeout(limit_s):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            _, found, rest = head.partition(b"\r\ncontent-length:")
            await reader.readexactly(int(rest.partition(b"\r")[0]) if found else 0)
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        return NO_ANSWER
    return int(head[9:12])


async def _connect(port: int) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port)


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the server may be first
        await writer.wait_closed()


def request_for(model: str) -> bytes:
    """Return a good request of one row."""
    return PLAIN.request(f"/predict/{model}", rows(1))


async def good(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Ask, wait for the answer, ask again; a new connection from time to time."""
    request = request_for("good")
    while goes_on():
        reader, writer = await _connect(port)
        for _ in range(_REQUESTS_A_CONNECTION):
            began_s = time.perf_counter()
            writer.write(request)
            tally.sent += 1
            tally.take(await read_answer(reader), (200,), "a good request")
            tally.took_s.append(time.perf_counter() - began_s)
            await asyncio.sleep(0.02)
            if not goes_on():
                break
        await _leave(writer)


async def slow(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Send a request byte by byte."""
    request = request_for("slow")
    while goes_on():
        reader, writer = await _connect(port)
        tally.sent += 1
        for byte in request:
            writer.write(bytes([byte]))
            await asyncio.sleep(_BYTE_S)
        tally.take(await read_answer(reader), (200,), "a request byte by byte")
        await _leave(writer)


async def pipelined(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Send many requests at once, wait, and only then read."""
    request = request_for("pipelined")
    while goes_on():
        reader, writer = await _connect(port)
        writer.write(request * _PIPELINED)
        tally.sent += _PIPELINED
        await asyncio.sleep(0.2)
        for _ in range(_PIPELINED):
            tally.take(await read_answer(reader), (200,), "one of many requests at once")
        await _leave(writer)


async def cancelled(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Send a request, in part or whole, and leave: by a reset at once, or a moment later."""
    request = request_for("cancelled")
    for i in count():
        if not goes_on():
            return
        _, writer = await _connect(port)
        writer.write(request[: len(request) - (i % 2) * 100])
        await writer.drain()
        tally.sent += 1
        await asyncio.sleep(0.0005 * (i % 5))
        writer.transport.abort()
        await asyncio.sleep(0.02)


async def half_closed(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Send nothing, half a request or a whole one, and close only the sending side."""
    request = request_for("half")
    for i in count():
        if not goes_on():
            return
        reader, writer = await _connect(port)
        writer.write((b"", request[: len(request) // 2], request)[i % 3])
        writer.write_eof()
        tally.sent += 1
        tally.take(await read_answer(reader), (200, 400, NO_ANSWER), "a half-closed connection")
        await _leave(writer)
        await asyncio.sleep(0.05)


_FRAMES = {
    "binary": bytes(range(256)),
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "no version": b"POST /predict/first\r\n\r\n",
    "another version": b"POST /predict/first HTTP/3.7\r\nhost: x\r\n\r\n",
    "a length that is none": b"POST /predict/first HTTP/1.1\r\nhost: x\r\ncontent-length: ten\r\n\r\n",
    "a negative length": b"POST /predict/first HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "two lengths": b"POST /predict/first HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"POST /predict/first HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk that is none": b"POST /predict/first HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "a header without a colon": b"POST /predict/first HTTP/1.1\r\nhost x\r\n\r\n",
    "NUL in a header": b"POST /predict/first HTTP/1.1\r\nhost: \x00\r\n\r\n",
    "endless header": b"GET /livez HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 200_000,
}


async def malformed(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Send what is no HTTP request."""
    deserved = (400, 411, 413, 414, 431, 501, 505, NO_ANSWER)
    for i in count():
        if not goes_on():
            return
        name = list(_FRAMES)[i % len(_FRAMES)]
        reader, writer = await _connect(port)
        writer.write(_FRAMES[name])
        tally.sent += 1
        tally.take(await read_answer(reader, _MALFORMED_S), deserved, f"malformed: {name}")
        await _leave(writer)
        await asyncio.sleep(0.05)


_BODIES = {
    "no JSON": (b"{", (400,)),
    "nothing": (b"", (400,)),
    "no instances": (b"{}", (400, 422)),
    "a short row": (b'{"instances":[[1,2]]}', (422,)),
    "text": (b'{"instances":[["a"' + b",1" * 29 + b"]]}", (422,)),
    "too deep": (b'{"instances":' + b"[" * 2000 + b"]" * 2000 + b"}", (400, 413, 422)),
    "NaN": (b'{"instances":[[NaN' + b",1" * 29 + b"]]}", (400, 422)),
    "an overlong number": (b'{"instances":[[1e999' + b",1" * 29 + b"]]}", (400, 422)),
}


async def wrong(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Send good frames with bodies that no model takes, on one connection."""
    reader, writer = await _connect(port)
    for i in count():
        if not goes_on():
            break
        name = list(_BODIES)[i % len(_BODIES)]
        body, deserved = _BODIES[name]
        head = (
            b"POST /predict/wrong HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        )
        writer.write(head % len(body) + body)
        tally.sent += 1
        tally.take(await read_answer(reader), deserved, f"wrong body: {name}")
        await asyncio.sleep(0.02)
    await _leave(writer)


async def silent(port: int, tally: Tally, goes_on: Callable[[], bool]) -> None:
    """Connect, say nothing, leave."""
    while goes_on():
        _, writer = await _connect(port)
        tally.sent += 1
        await asyncio.sleep(0.5)
        await _leave(writer)


KINDS: dict[str, Kind] = {
    "good": Kind(8, good),
    "slow": Kind(4, slow),
    "pipelined": Kind(2, pipelined),
    "cancelled": Kind(4, cancelled),
    "half-closed": Kind(2, half_closed),
    "malformed": Kind(2, malformed),
    "wrong bodies": Kind(2, wrong),
    "silent": Kind(4, silent),
}
