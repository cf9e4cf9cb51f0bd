"""Reads from the watch process over a real Unix socket."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.errors import WatchUnavailable
from gateway.http.watch_proxy import WatchProxy

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_from(path: Path, answer: Answer, limit_s: float = 1.0) -> tuple[int, dict[str, str], bytes]:
    async with await asyncio.start_unix_server(answer, path):
        proxy = WatchProxy(path, limit_s=limit_s)
        try:
            return await proxy.get("/alerts?state=firing")
        finally:
            await proxy.close()


async def echo_path(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    target = (await reader.readuntil(b"\r\n\r\n")).split()[1]
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/x\r\ncontent-length: {len(target)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + target)
    await writer.drain()
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def test_the_answer_comes_back_as_it_is(tmp_path: Path) -> None:
    status, headers, body = asyncio.run(read_from(tmp_path / "s", echo_path))
    assert (status, headers["content-type"], body) == (200, "text/x", b"/alerts?state=firing")


@pytest.mark.parametrize("answer", [say_nothing, hang_up])
def test_a_watch_that_does_not_answer_is_unavailable(tmp_path: Path, answer: Answer) -> None:
    with pytest.raises(WatchUnavailable):
        asyncio.run(read_from(tmp_path / "s", answer, limit_s=0.05))


def test_a_watch_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async def read() -> None:
        proxy = WatchProxy(tmp_path / "nowhere")
        try:
            await proxy.get("/")
        finally:
            await proxy.close()

    with pytest.raises(WatchUnavailable):
        asyncio.run(read())
