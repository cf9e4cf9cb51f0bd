"""The channel over a real Unix socket."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from monitors.transport.channel import ChannelSender, ChannelServer, SocketPathTooLong
from monitors.transport.frames import Record, encode_frame

LIMIT_BYTES = 10_000


class Inbox:
    """Records as they arrive, to be awaited."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Record] = asyncio.Queue()

    async def next(self) -> Record:
        return await asyncio.wait_for(self.queue.get(), 10.0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario on a loop of its own."""

    async def main() -> None:
        await scenario()

    asyncio.run(main(), debug=True)


async def listening(path: Path) -> tuple[ChannelServer, Inbox]:
    """Return a server that listens, and what it receives."""
    inbox = Inbox()
    server = ChannelServer(path, inbox.queue.put_nowait)
    await server.start()
    return server, inbox


def test_frames_arrive_in_order_after_those_of_the_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, inbox = await listening(tmp_path / "s")
        hello = encode_frame({"hello": 1})
        sender = ChannelSender(tmp_path / "s", limit_bytes=LIMIT_BYTES, on_connect=lambda: [hello])
        assert sender.send(encode_frame({"n": 0}))
        sender.start()
        assert [await inbox.next(), await inbox.next()] == [{"hello": 1}, {"n": 0}]
        assert sender.send(encode_frame({"n": 1}))
        assert await inbox.next() == {"n": 1}
        assert (sender.sent, sender.dropped) == (2, 0)
        await sender.close()
        await server.close()

    run(scenario)


def test_without_a_server_frames_wait_up_to_the_limit_and_are_then_dropped_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        frame = encode_frame({"x": bytes(100)})
        sender = ChannelSender(tmp_path / "s", limit_bytes=3 * len(frame))
        sender.start()
        assert [sender.send(frame) for _ in range(5)] == [True, True, True, False, False]
        assert (sender.sent, sender.dropped) == (0, 2)
        await sender.close()
        assert sender.dropped == 5

    run(scenario)


def test_a_sender_reconnects_and_introduces_itself_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        hello = encode_frame({"hello": 1})
        sender = ChannelSender(tmp_path / "s", limit_bytes=LIMIT_BYTES, on_connect=lambda: [hello])
        sender.start()
        for _ in range(3):
            server, inbox = await listening(tmp_path / "s")
            assert await inbox.next() == {"hello": 1}
            await server.close()
        await sender.close()

    run(scenario)


def test_a_reader_that_does_not_read_makes_the_sender_drop(tmp_path: Path) -> None:
    async def scenario() -> None:
        reached = asyncio.Event()

        async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.set()
            await released.wait()
            writer.close()

        released = asyncio.Event()
        server = await asyncio.start_unix_server(stall, str(tmp_path / "s"), limit=1024)
        sender = ChannelSender(tmp_path / "s", limit_bytes=100_000)
        sender.start()
        await asyncio.wait_for(reached.wait(), 10.0)
        frame = encode_frame({"x": bytes(50_000)})
        results = []
        for _ in range(200):
            results.append(sender.send(frame))
            await asyncio.sleep(0)
        assert results[0]
        assert not results[-1]
        assert sender.dropped == results.count(False) > 100
        released.set()
        await sender.close()
        server.close()

    run(scenario)


def test_a_bad_frame_ends_its_connection_and_no_other_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        server, inbox = await listening(tmp_path / "s")
        good = ChannelSender(tmp_path / "s", limit_bytes=LIMIT_BYTES)
        good.start()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(encode_frame({"n": 0}) + b"\xff" * 9)
        assert await inbox.next() == {"n": 0}
        assert await asyncio.wait_for(reader.read(), 10.0) == b""
        writer.close()
        assert good.send(encode_frame({"n": 1}))
        assert await inbox.next() == {"n": 1}
        assert (server.received, server.invalid) == (2, 1)
        await good.close()
        await server.close()

    run(scenario)
    assert "a sender is cut off and what it had sent behind is lost" in caplog.text


def test_a_socket_left_by_a_dead_process_is_replaced_and_is_for_the_owner_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "s").write_bytes(b"")
        server, _ = await listening(tmp_path / "s")
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
        await server.close()
        assert not (tmp_path / "s").exists()

    run(scenario)


def test_a_path_that_the_kernel_cannot_hold_is_refused_with_its_length(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    with pytest.raises(SocketPathTooLong, match="takes 107"):
        ChannelSender(path, limit_bytes=1)
    with pytest.raises(SocketPathTooLong, match=str(len(str(path)))):
        ChannelServer(path, lambda record: None)
