"""Steps that a process repeats as long as it runs, their owner, and their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import floor
from random import random

__all__ = ["Background", "Step", "until_next"]

Step = Callable[[], Awaitable[None] | None]
_HINTS_TOGETHER_S = 0.005
_PHASE_S = random()
"""Of a process: workers of one host have one clock, and are not all to ask the store at once."""
_log = logging.getLogger("weir.worker")


def until_next(now_s: float, period_s: float) -> float:
    """Return the seconds to the next multiple of a period, or to the one after it where that comes at once.

    >>> [round(until_next(now_s, 0.2), 3) for now_s in (1.0, 1.01, 1.15, 1.1999)]
    [0.2, 0.19, 0.05, 0.2]
    """
    return (floor(now_s / period_s + 0.01) + 1) * period_s - now_s if period_s else 0.0


class Background:
    """Owns the tasks that repeat steps. On the event loop."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(
        self, seconds: float | Callable[[], float], step: Step, *, name: str, hint: asyncio.Event | None = None
    ) -> None:
        """Begin to repeat a step, after a pause each time; one that fails is reported and tried again.

        A hint ends the pause early. Pauses of a fixed length end with those of all steps of that length: waking up is
        most of what an idle process costs.
        """
        self._tasks.append(asyncio.create_task(_repeat(seconds, step, hint), name=name))

    async def stop(self) -> None:
        """End all steps; one that is under way is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


async def _repeat(seconds: float | Callable[[], float], step: Step, hint: asyncio.Event | None) -> None:
    while True:
        now_s = asyncio.get_running_loop().time()
        await _pause(seconds() if callable(seconds) else until_next(now_s + _PHASE_S, seconds), hint)
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
