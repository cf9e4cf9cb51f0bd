"""Steps that a process repeats as long as it runs, their owner, and their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

__all__ = ["Background", "Step"]

Step = Callable[[], Awaitable[None] | None]
_HINTS_TOGETHER_S = 0.005
_log = logging.getLogger("weir.worker")


class Background:
    """Owns the tasks that repeat steps. On the event loop."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, step: Step, *, name: str, hint: asyncio.Event | None = None) -> None:
        """Begin to repeat a step, after a pause each time; one that fails is reported and tried again.

        A hint ends the pause early.
        """
        self._tasks.append(asyncio.create_task(_repeat(seconds, step, hint), name=name))

    async def stop(self) -> None:
        """End all steps; one that is under way is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _repeat(seconds: float, step: Step, hint: asyncio.Event | None) -> None:
    while True:
        await _pause(seconds, hint)
        try:
            waiting = step()
            if waiting is not None:
                await waiting
        except Exception:
            _log.exception("a background step failed; it will be tried again")


async def _pause(seconds: float, hint: asyncio.Event | None) -> None:
    """Wait for the hint at most so long, then a moment for others that come with it."""
    if hint is None:
        await asyncio.sleep(seconds)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await hint.wait()
            await asyncio.sleep(_HINTS_TOGETHER_S)
    hint.clear()
