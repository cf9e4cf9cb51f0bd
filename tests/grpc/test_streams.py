"""Streams without gRPC: order, bound, the end by draining, and what a cancelled client leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from gateway.errors import Overloaded
from gateway.grpc.streams import Streams


class Line:
    """One stream, pumped by hand: messages are put in, answered one by one, and what is written is kept."""

    def __init__(self, streams: Streams) -> None:
        self.coming: asyncio.Queue[int | None] = asyncio.Queue()
        self.asked: dict[int, asyncio.Future[None]] = {}
        self.cancelled: list[int] = []
        self.written: list[int] = []
        self.task = asyncio.create_task(streams.run(self._messages(), self._answer, self._write))

    def send(self, *messages: int | None) -> None:
        """Let messages come; ``None`` is the end of them."""
        for message in messages:
            self.coming.put_nowait(message)

    def answer(self, *messages: int) -> None:
        """Let messages be answered."""
        for message in messages:
            self.asked[message].set_result(None)

    async def _messages(self) -> AsyncIterator[int]:
        while (message := await self.coming.get()) is not None:
            yield message

    async def _answer(self, message: int) -> int:
        self.asked[message] = asyncio.get_running_loop().create_future()
        try:
            await self.asked[message]
        except asyncio.CancelledError:
            self.cancelled.append(message)
            raise
        return -message

    async def _write(self, answer: int) -> None:
        self.written.append(answer)


async def passes(count: int = 20) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def run(scenario: Callable[[Streams], Coroutine[Any, Any, None]], *, in_flight: int = 64) -> None:
    async def main() -> None:
        await scenario(Streams(in_flight=in_flight))

    asyncio.run(main(), debug=True)


def test_messages_are_answered_side_by_side_and_in_order() -> None:
    async def scenario(streams: Streams) -> None:
        line = Line(streams)
        line.send(1, 2, 3, None)
        await passes()
        assert set(line.asked) == {1, 2, 3}
        line.answer(3, 2)
        await passes()
        assert line.written == []
        line.answer(1)
        await line.task
        assert line.written == [-1, -2, -3]

    run(scenario)


def test_no_more_are_answered_at_once_than_allowed() -> None:
    async def scenario(streams: Streams) -> None:
        line = Line(streams)
        line.send(*range(10), None)
        await passes()
        assert set(line.asked) == {0, 1}
        assert line.coming.qsize() == 8  # one more is read, the rest waits with the client
        line.answer(0)
        await passes()
        assert set(line.asked) == {0, 1, 2}
        for n in range(1, 10):
            line.answer(n)
            await passes()
        await line.task
        assert line.written == [-n for n in range(10)]

    run(scenario, in_flight=2)


def test_draining_answers_what_was_read_and_ends_the_stream() -> None:
    async def scenario(streams: Streams) -> None:
        idle, busy = Line(streams), Line(streams)
        busy.send(1)
        await passes()
        streams.drain()
        await passes()
        busy.send(2)
        with pytest.raises(Overloaded) as told:
            await idle.task
        assert told.value.reason == "draining"
        assert not busy.task.done()
        busy.answer(1)
        with pytest.raises(Overloaded):
            await busy.task
        assert (busy.written, set(busy.asked)) == ([-1], {1})

    run(scenario)


def test_a_stream_that_opens_while_the_worker_drains_ends_at_once() -> None:
    async def scenario(streams: Streams) -> None:
        streams.drain()
        line = Line(streams)
        line.send(1)
        with pytest.raises(Overloaded):
            await line.task
        assert line.asked == {}

    run(scenario)


def test_a_client_that_leaves_takes_its_messages_back() -> None:
    async def scenario(streams: Streams) -> None:
        line, other = Line(streams), Line(streams)
        line.send(1, 2)
        other.send(3, None)
        await passes()
        line.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await line.task
        assert sorted(line.cancelled) == [1, 2]
        other.answer(3)
        await other.task
        assert (line.written, other.written) == ([], [-3])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario)
