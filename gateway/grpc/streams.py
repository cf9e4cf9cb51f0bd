"""Streams: messages are answered side by side, so many at most, and their answers go out in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from gateway.errors import Overloaded

__all__ = ["Streams"]

Answer = Callable[[Any], Awaitable[Any]]
Write = Callable[[Any], Awaitable[None]]
_END = object()


class Streams:
    """Runs the streams of one worker. On the event loop.

    Parameters
    ----------
    in_flight
        Most messages of one stream that are being answered. Beyond them one is read and waits; then the client waits.
    """

    def __init__(self, *, in_flight: int = 64) -> None:
        self._in_flight = in_flight
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Read no further message from any stream; what was read is still answered."""
        self._draining.set()

    async def run(self, messages: AsyncIterator[Any], answer: Answer, write: Write) -> None:
        """Answer a stream to its end. Cancelling this cancels what is in flight.

        Parameters
        ----------
        answer
            Answers one message; raises nothing.
        write
            Sends one answer.

        Raises
        ------
        gateway.errors.Overloaded
            The worker is about to stop, and every message that was read has been answered.
        """
        room = asyncio.Semaphore(self._in_flight)
        answers: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue(self._in_flight + 1)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_deliver(answers, write, room))
                async with aclosing(self._until_draining(messages)) as coming:
                    async for message in coming:
                        await room.acquire()
                        await answers.put(tasks.create_task(_awaited(answer, message)))
                await answers.put(None)
        except BaseExceptionGroup as failures:
            if failures.subgroup(_ClientGone):
                raise asyncio.CancelledError from failures
            raise
        if self._draining.is_set():
            raise Overloaded("draining")

    async def _until_draining(self, messages: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
        draining: asyncio.Task[Any] = asyncio.create_task(self._draining.wait())
        coming = draining
        try:
            while not self._draining.is_set():
                coming = asyncio.create_task(_next(messages))
                await asyncio.wait({coming, draining}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done() or (message := coming.result()) is _END:
                    return
                yield message
        finally:
            for task in (coming, draining):
                task.cancel()
            await asyncio.gather(coming, draining, return_exceptions=True)


async def _next(messages: AsyncIterator[Any]) -> Any:
    return await anext(messages, _END)


async def _awaited(answer: Answer, message: Any) -> Any:
    return await answer(message)


async def _deliver(answers: asyncio.Queue[asyncio.Task[Any] | None], write: Write, room: asyncio.Semaphore) -> None:
    while (task := await answers.get()) is not None:
        answered = await task
        try:
            await write(answered)
        except grpc.aio.InternalError as exc:  # what a write to a call that has ended raises
            raise _ClientGone from exc
        room.release()


class _ClientGone(Exception):
    """Nobody reads the stream any more, which is no fault of anybody."""
