"""The contract of a detector: arrays over streams in, pulses out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt

__all__ = ["Detector", "Flags", "Floats", "InvalidSignal", "State", "StateInvalid"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
State = dict[str, npt.NDArray[np.generic] | int]


class InvalidSignal(ValueError):
    """A signal of the wrong shape, or with a value that is not finite."""


class StateInvalid(ValueError):
    """A saved state that is not one of this detector: names, shapes or numbers do not fit."""


class Detector(ABC):
    """Watch many signals at once, one value each an update.

    After an update, read ``drift_detected`` and ``warning_detected`` (pulses: true for the update that detected, and
    only for that one), ``statistic``, ``n_seen``, ``is_warm``. Before it is warm nothing is detected. Latching,
    cool-down and quorum are not a detector's.

    A subclass writes ``__init__`` (keep the hyper-parameters under their own names, check them, call ``reset``),
    ``is_warm``, ``reset`` (call this one's first) and ``_step``, and lists what it must carry over a restart in
    ``carried``. It reads no clock, writes nothing, and holds memory that its arguments bound.

    Parameters
    ----------
    streams
        Number of signals, or the shape of their array such as (replicas, signals); a scalar signal is the case 1.

    Raises
    ------
    ValueError
        When a dimension is below 1.
    """

    carried: ClassVar[tuple[str, ...]] = ()
    """Attributes that make the state, each an array over the streams, beside ``n_seen`` and ``statistic``."""

    restarts_cold: ClassVar[bool] = False
    """Whether the state cannot be saved, so that a restart begins anew."""

    drift_detected: Flags
    warning_detected: Flags
    statistic: Floats
    n_seen: int

    def __init__(self, streams: int | tuple[int, ...]) -> None:
        self.shape = (streams,) if isinstance(streams, int) else streams
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"streams is {streams}, expected at least 1")

    @property
    @abstractmethod
    def is_warm(self) -> bool:
        """Whether the detector has seen enough to detect anything."""

    def reset(self) -> None:
        """Forget everything but the hyper-parameters."""
        self.n_seen = 0
        self.statistic = np.zeros(self.shape)
        self._end_pulses()

    @final
    def update(self, x_s: Floats) -> None:
        """Take one value a stream.

        Parameters
        ----------
        x_s : (streams,) float64
            The present values.

        Raises
        ------
        InvalidSignal
            When the shape is another one or a value is not finite; nothing has changed then.
        """
        self._require_signal(x_s)
        self.n_seen += 1
        self._end_pulses()
        self._step(x_s)
        if not self.is_warm:
            self._end_pulses()

    @final
    def update_many(self, x_ts: Floats) -> list[tuple[int, ...]]:
        """Take rows of values in order and return (row, stream) of each detection, so that no pulse is hidden."""
        found: list[tuple[int, ...]] = []
        for row, x_s in enumerate(x_ts):
            self.update(x_s)
            found += [(row, *where) for where in np.argwhere(self.drift_detected).tolist()]
        return found

    def state(self) -> State:
        """Return what a restart needs, as arrays and numbers; empty for a detector that restarts cold."""
        if self.restarts_cold:
            return {}
        arrays: State = {name: getattr(self, name).copy() for name in ("statistic", *self.carried)}
        return {"n_seen": self.n_seen, **arrays}

    def from_state(self, state: Mapping[str, npt.NDArray[np.generic] | int]) -> None:
        """Become the detector that the state was taken from; this one has its hyper-parameters. No pulse is on then.

        Raises
        ------
        StateInvalid
            When the state is not one of such a detector; nothing has changed then.
        """
        if not self.restarts_cold:
            self._require_state(state)
        self.reset()
        for name, value in state.items():
            setattr(self, name, value.copy() if isinstance(value, np.ndarray) else value)

    @abstractmethod
    def _step(self, x_s: Floats) -> None:
        """Take checked values: set ``statistic``, and the pulses where there are any; they are off when this begins."""

    def _end_pulses(self) -> None:
        self.drift_detected = np.zeros(self.shape, dtype=np.bool_)
        self.warning_detected = np.zeros(self.shape, dtype=np.bool_)

    def _require_signal(self, x_s: Floats) -> None:
        if x_s.shape != self.shape:
            raise InvalidSignal(f"a signal of shape {x_s.shape}, expected {self.shape}")
        if not np.isfinite(x_s).all():
            raise InvalidSignal("a signal must be finite")

    def _require_state(self, state: Mapping[str, npt.NDArray[np.generic] | int]) -> None:
        expected = self.state()
        if state.keys() != expected.keys():
            raise StateInvalid(f"a state of {sorted(state)}, expected {sorted(expected)}")
        seen = state["n_seen"]
        if not isinstance(seen, int) or seen < 0:
            raise StateInvalid(f"n_seen is {seen!r}, expected a number from 0")
        for name in ("statistic", *self.carried):
            value, like = np.asarray(state[name]), np.asarray(expected[name])
            if value.shape != like.shape or value.dtype != like.dtype:
                raise StateInvalid(f"{name} is {value.dtype} {value.shape}, expected {like.dtype} {like.shape}")

    @property
    def _size(self) -> int:
        return math.prod(self.shape)
