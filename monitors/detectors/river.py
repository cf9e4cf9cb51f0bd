"""River's detectors under the contract. They loop over streams, and restart cold: their state cannot be saved."""

from __future__ import annotations

import numpy as np
from river.drift import ADWIN

from monitors.detectors.base import Detector, Floats

__all__ = ["RiverAdwin"]


class RiverAdwin(Detector):
    """Fire when the mean of a stream moves, up or down, against the stream's own recent past.

    Meant for tick means. A drift slower than the window grows is absorbed.

    Parameters
    ----------
    streams
        Number of signals.
    delta
        Significance of each check; it does not bound the false alarms of a whole stream.
    clock
        Updates between two checks.
    grace_period
        Updates before the first check; from then on the detector is warm.

    Notes
    -----
    Memory: O(log window) a stream. Work: O(1) amortised an update and stream, O(log window) at a check.

    References
    ----------
    A. Bifet, R. Gavalda, "Learning from time-changing data with adaptive windowing", SIAM SDM, 2007.

    Examples
    --------
    >>> detector = RiverAdwin(1, clock=1)
    >>> detector.update_many(np.array([[0.0]] * 40 + [[5.0]] * 40))[0]
    (49, 0)
    """

    def __init__(self, streams: int, *, delta: float = 0.002, clock: int = 32, grace_period: int = 10) -> None:
        super().__init__(streams)
        if not 0.0 < delta < 1.0 or clock < 1 or grace_period < 1:
            raise ValueError("delta must lie between 0 and 1, clock and grace_period be at least 1")
        self.delta = delta
        self.clock = clock
        self.grace_period = grace_period
        self.reset()

    @property
    def is_warm(self) -> bool:
        """Whether the grace period is over."""
        return self.n_seen >= self.grace_period

    def reset(self) -> None:
        """Forget everything but the hyper-parameters."""
        self.n_seen = 0
        self.drift_detected = np.zeros(self.streams, dtype=np.bool_)
        self.warning_detected = np.zeros(self.streams, dtype=np.bool_)
        self.statistic = np.zeros(self.streams)
        self._windows = [
            ADWIN(delta=self.delta, clock=self.clock, grace_period=self.grace_period)  # type: ignore[no-untyped-call]  # untyped in River
            for _ in range(self.streams)
        ]

    def update(self, x_s: Floats) -> None:
        """Take one value a stream; ``statistic`` becomes the mean of each stream's window."""
        self._require_signal(x_s)
        self.n_seen += 1
        for stream, (window, value) in enumerate(zip(self._windows, x_s.tolist(), strict=True)):
            window.update(value)  # type: ignore[no-untyped-call]  # untyped in River
            self.drift_detected[stream] = window.drift_detected
            self.statistic[stream] = window.estimation
