"""The heartbeat: a worker says through a pipe that its event loop turns, and whether it could serve.

A pipe, because it needs neither the store nor a lock, and because the supervisor's own clock then measures the silence.
"""

from __future__ import annotations

import os
from contextlib import suppress

__all__ = ["BEAT_EVERY_S", "Heartbeat", "Pulse"]

BEAT_EVERY_S = 0.2
_FIRST_BEAT_S = 60.0
_JUST_AFTER_S = 0.001
_STARTING, _UNFIT, _READY = b".", b"-", b"+"


class Heartbeat:
    """The worker's end of the pipe; never waits.

    Parameters
    ----------
    fd
        Where to write; inherited from the supervisor.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd

    def beat(self, *, is_ready: bool | None) -> None:
        """Give one sign of life; ``None`` while the worker starts."""
        # A full pipe holds signs enough; a broken one means that the supervisor is gone, which the worker sees itself.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, _STARTING if is_ready is None else _READY if is_ready else _UNFIT)


class Pulse:
    """What the supervisor knows from the beats of one worker.

    Only silence that the supervisor lived through counts: when a whole host or container was frozen, nobody is killed
    as it wakes.

    Parameters
    ----------
    hang_s
        Silence after which a worker hangs. The first beat may take a minute: the interpreter has to start.
    now_s
        Time of the worker's start.

    Examples
    --------
    >>> pulse = Pulse(1.0, now_s=0.0)
    >>> pulse.note(b"..+", 0.0)
    >>> pulse.is_ready, [pulse.is_hung(now_s / 2) for now_s in range(5)]
    (True, [False, False, False, True, True])
    """

    def __init__(self, hang_s: float, *, now_s: float) -> None:
        self._limit_s, self._hang_s = max(hang_s, _FIRST_BEAT_S), hang_s
        self._silent_s, self._looked_at = 0.0, now_s
        self.is_ready: bool | None = None

    @property
    def look_again_s(self) -> float:
        """Return after how long to ask again whether it is hung: as soon as it can be, and several times until then."""
        return min(self._limit_s - self._silent_s + _JUST_AFTER_S, self._hang_s / 10)

    def note(self, beats: bytes, now_s: float) -> None:
        """Take what came through the pipe."""
        self._silent_s, self._looked_at, self._limit_s = 0.0, now_s, self._hang_s
        self.is_ready = None if beats.endswith(_STARTING) else beats.endswith(_READY)

    def is_hung(self, now_s: float) -> bool:
        """Return whether the silence has lasted too long; to be asked several times in ``hang_s``."""
        self._silent_s += min(now_s - self._looked_at, self._hang_s / 2)
        self._looked_at = now_s
        return self._silent_s > self._limit_s
