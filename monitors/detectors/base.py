"""The contract of a detector: arrays over streams in, pulses out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

__all__ = ["Detector", "InvalidSignal"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class InvalidSignal(ValueError):
    """A signal of the wrong shape, or with a value that is not finite."""


class Detector(ABC):
    """Watch ``streams`` signals at once, one value each an update.

    After an update, read ``drift_detected`` and ``warning_detected`` (pulses: true for the update that detected, and
    only for that one), ``statistic``, ``n_seen``, ``is_warm``. Before a stream is warm nothing is detected. Latching,
    cool-down and quorum are not a detector's.

    Parameters
    ----------
    streams
        Number of signals; a scalar signal is the case of one stream.
    """

    drift_detected: Flags
    warning_detected: Flags
    statistic: Floats
    n_seen: int

    def __init__(self, streams: int) -> None:
        if streams < 1:
            raise ValueError(f"streams is {streams}, expected at least 1")
        self.streams = streams

    @property
    @abstractmethod
    def is_warm(self) -> bool:
        """Whether the detector has seen enough to detect anything."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything but the hyper-parameters."""

    @abstractmethod
    def update(self, x_s: Floats) -> None:
        """Take one value a stream.

        Raises
        ------
        InvalidSignal
            When the shape is not (streams,) or a value is not finite.
        """

    def update_many(self, x_ts: Floats) -> list[tuple[int, int]]:
        """Take rows of values in order and return (row, stream) of each detection, so that no pulse is hidden."""
        found = []
        for row, x_s in enumerate(x_ts):
            self.update(x_s)
            found += [(row, stream) for stream in np.flatnonzero(self.drift_detected).tolist()]
        return found

    def _require_signal(self, x_s: Floats) -> None:
        if x_s.shape != (self.streams,):
            raise InvalidSignal(f"a signal of shape {x_s.shape}, expected ({self.streams},)")
        if not np.isfinite(x_s).all():
            raise InvalidSignal("a signal must be finite")
