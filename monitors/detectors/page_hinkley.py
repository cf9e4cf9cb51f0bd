"""Page-Hinkley's test over many streams at once."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from monitors.detectors.base import Detector, Flags, Floats

__all__ = ["PageHinkley"]


class PageHinkley(Detector):
    """Fire when the mean of a stream moves, up or down, against its mean since the last detection.

    ``statistic`` is the larger of the two cumulative sums. Decides as River's ``PageHinkley`` does, update for update,
    but for all streams in a few array operations, and it can be saved. Uncalibrated: no setting bounds how often
    unchanged data is called drift.

    Parameters
    ----------
    streams
        Number of signals.
    minimum
        Values of a stream, since it was reset, before it is tested.
    delta
        Size of a move that does not matter, in units of the signal.
    threshold
        Cumulative move that is called drift, in units of the signal. River's own default, 50, is made for rows; sums of
        tick means in [0, 1] hardly get there.
    alpha
        What an update leaves of the sums.

    Notes
    -----
    Memory: six numbers a stream. Work: O(1) an update and stream.

    References
    ----------
    E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.

    Examples
    --------
    >>> detector = PageHinkley(2)
    >>> x_ts = np.full((60, 2), 0.5)
    >>> x_ts[40:, 1] = 0.9
    >>> detector.update_many(x_ts)
    [(42, 1)]
    """

    carried: ClassVar[tuple[str, ...]] = ("n_s", "mean_s", "rise_s", "fall_s", "least_s", "most_s")

    def __init__(
        self,
        streams: int | tuple[int, ...],
        *,
        minimum: int = 30,
        delta: float = 0.005,
        threshold: float = 1.0,
        alpha: float = 0.9999,
    ) -> None:
        super().__init__(streams)
        if minimum < 1 or delta < 0.0 or threshold <= 0.0 or not 0.0 < alpha <= 1.0:
            raise ValueError("minimum must be at least 1, delta at least 0, threshold positive, alpha in (0, 1]")
        self.minimum = minimum
        self.delta = delta
        self.threshold = threshold
        self.alpha = alpha
        self.reset()

    @property
    def is_warm(self) -> bool:
        """Whether a stream can have seen its minimum."""
        return self.n_seen >= self.minimum

    def reset(self) -> None:
        """Forget everything but the hyper-parameters."""
        super().reset()
        self.n_s = np.zeros(self.shape)
        self.mean_s = np.zeros(self.shape)
        self.rise_s = np.zeros(self.shape)
        self.fall_s = np.zeros(self.shape)
        self.least_s = np.full(self.shape, np.inf)
        self.most_s = np.full(self.shape, -1.0)

    def _step(self, x_s: Floats) -> None:
        self.n_s += 1.0
        self.mean_s += (x_s - self.mean_s) / self.n_s
        deviation_s = x_s - self.mean_s
        self.rise_s = self.alpha * self.rise_s + deviation_s - self.delta
        self.fall_s = self.alpha * self.fall_s + deviation_s + self.delta
        self.least_s = np.minimum(self.least_s, self.rise_s)
        self.most_s = np.maximum(self.most_s, self.fall_s)
        self.statistic = np.maximum(self.rise_s - self.least_s, self.most_s - self.fall_s)
        self.drift_detected = (self.statistic > self.threshold) & (self.n_s >= self.minimum)
        self._restart(self.drift_detected)

    def _restart(self, fired_s: Flags) -> None:
        """Begin anew where a stream has fired; its statistic stays to be read."""
        for sums_s in (self.n_s, self.mean_s, self.rise_s, self.fall_s):
            sums_s[fired_s] = 0.0
        self.least_s[fired_s], self.most_s[fired_s] = np.inf, -1.0
