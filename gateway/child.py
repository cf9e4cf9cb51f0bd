"""A process of the tree: the place that it fills, and one life in that place."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.heartbeat import BEAT_EVERY_S, Pulse

__all__ = ["Child", "Life"]

_READ_BYTES = 65_536
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Its pool has a thread a core in every process, which spin through the imports: a sixth of what these cost.

Nothing that a child multiplies is large enough for two threads; models run in threads of ONNX Runtime.
"""


@dataclass(frozen=True, slots=True)
class Child:
    """One place in the process tree, whoever fills it at the moment.

    ``niceness`` is how much less the scheduler gives it than its siblings where they share a core.
    """

    role: str
    module: str
    index: int = 0
    niceness: int = 0


class Life:
    """One process from its start to its end. Make one with ``start``, on the event loop.

    Attributes
    ----------
    name
        Of the process, unique over restarts.
    ended
        Done when the process has ended; its result is the return code.
    replaced
        Done when another process has taken the place.
    """

    def __init__(self, process: asyncio.subprocess.Process, pulse: Pulse | None, beats: int, name: str) -> None:
        self.name = name
        self._loop = asyncio.get_running_loop()
        self._process, self._pulse, self._beats = process, pulse, beats
        self._started_at = self._loop.time()
        self.ended = asyncio.create_task(process.wait())
        self.replaced: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(beats, self._listen)

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        fds: tuple[int, ...],
        *,
        hang_s: float | None,
        name: str = "",
        niceness: int = 0,
    ) -> Life:
        """Start a process that inherits ``fds``; with ``hang_s`` it gets the pipe for its beats as ``--beat-fd``.

        It is told whose child it is: one that asked by itself, after its imports, might be an orphan by then.
        It is made nice at once and not by itself: its imports are most of what a short life costs.
        numpy gets one thread in it, unless the environment says how many.
        """
        pulse = None if hang_s is None else Pulse(hang_s, now_s=asyncio.get_running_loop().time())
        reading, writing = os.pipe()
        try:
            os.set_blocking(reading, False)
            beats = () if pulse is None else ("--beat-fd", str(writing))
            told = (*beats, "--parent", str(os.getpid()))
            process = await asyncio.create_subprocess_exec(
                *command,
                *told,
                pass_fds=(*fds, writing),
                stdin=asyncio.subprocess.DEVNULL,
                env=_ONE_THREAD | os.environ,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        if niceness:
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + niceness)
        return cls(process, pulse, reading, name)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self._loop.time() - self._started_at

    @property
    def is_ready(self) -> bool | None:
        """Whether the process could serve, as it said last; ``None`` until it has started."""
        return None if self._pulse is None else self._pulse.is_ready

    def is_hung(self) -> bool:
        """Return whether its event loop stands still; to be asked again after ``look_again_s``."""
        return self._pulse is not None and self._pulse.is_hung(self._loop.time())

    @property
    def look_again_s(self) -> float | None:
        """Seconds until its pulse is to be looked at again; ``None`` for a process without one."""
        return None if self._pulse is None else self._pulse.look_again_s

    async def end(self, within_s: float) -> bool:
        """Ask it to stop; kill it when it does not, or hangs. Return whether it went by itself."""
        if not self.ended.done():
            self._process.terminate()
        deadline = self._loop.time() + within_s
        while not self.ended.done():
            if self._loop.time() > deadline or self.is_hung():
                await self.kill()
                return False
            await asyncio.wait({self.ended}, timeout=BEAT_EVERY_S)
        return True

    async def kill(self) -> None:
        """End it now."""
        if not self.ended.done():
            self._process.kill()
        await self.ended

    def _listen(self) -> None:
        beats = os.read(self._beats, _READ_BYTES)
        if beats and self._pulse is not None:
            self._pulse.note(beats, self._loop.time())
        elif not beats:
            self._loop.remove_reader(self._beats)
            os.close(self._beats)
