"""River's detectors under the contract. They loop over streams, and restart cold: their state cannot be saved.

Uncalibrated: no setting of theirs bounds how often a stream of unchanged data is called drift.
"""

from __future__ import annotations

from typing import Any, ClassVar

from river.drift import ADWIN, KSWIN

from monitors.detectors.base import Detector, Floats

__all__ = ["RiverAdwin", "RiverKswin"]


class _River(Detector):
    """One detector of River for each stream."""

    restarts_cold: ClassVar[bool] = True
    reading: ClassVar[str]
    """Attribute of River's detector that is shown as the statistic."""

    def reset(self) -> None:
        """Forget everything but the hyper-parameters."""
        super().reset()
        self._each = [self._made(stream) for stream in range(self._size)]

    def _made(self, stream: int) -> Any:
        raise NotImplementedError

    def _step(self, x_s: Floats) -> None:
        for stream, (each, value) in enumerate(zip(self._each, x_s.ravel().tolist(), strict=True)):
            each.update(value)
            self.drift_detected.flat[stream] = each.drift_detected
            self.statistic.flat[stream] = getattr(each, self.reading)


class RiverAdwin(_River):
    """Fire when the mean of a stream moves, up or down, against the stream's own recent past.

    ``statistic`` is the mean of each stream's window. A drift slower than the window grows is absorbed.

    Parameters
    ----------
    streams
        Number of signals, with values in [0, 1].
    delta
        Significance of each check; it does not bound the false alarms of a whole stream.
    clock
        Updates between two checks. River's own default, 32, is made for rows; a tick mean is worth a check of its own.
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
    >>> import numpy as np
    >>> detector = RiverAdwin(1)
    >>> detector.update_many(np.array([[0.0]] * 40 + [[5.0]] * 40))[0]
    (49, 0)
    """

    reading = "estimation"

    def __init__(
        self, streams: int | tuple[int, ...], *, delta: float = 0.002, clock: int = 1, grace_period: int = 10
    ) -> None:
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

    def _made(self, stream: int) -> Any:
        return ADWIN(delta=self.delta, clock=self.clock, grace_period=self.grace_period)  # type: ignore[no-untyped-call]  # untyped in River


class RiverKswin(_River):
    """Fire when the newest values of a stream are distributed otherwise than a sample of those before them.

    ``statistic`` is the p-value of each stream's last test, 0 before the first.

    Parameters
    ----------
    streams
        Number of signals.
    alpha
        Significance of each test. There is a test at every update: on unchanged data one in ``1 / alpha`` may fire.
    window_size
        Values remembered; the detector is warm when there are so many.
    stat_size
        The newest of them, compared with as many of the others drawn at random.
    seed
        Of the draws.

    Notes
    -----
    Memory: ``window_size`` values a stream. Work: O(stat_size log stat_size) an update and stream, and about 0.3 ms.

    References
    ----------
    C. Raab, M. Heusinger, F.-M. Schleif, "Reactive soft prototype computing for concept drift streams",
    Neurocomputing 416, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> detector = RiverKswin(1, window_size=40, stat_size=15)
    >>> detector.update_many(np.array([[0.0]] * 50 + [[1.0]] * 15))[0]
    (59, 0)
    """

    reading = "p_value"

    def __init__(
        self,
        streams: int | tuple[int, ...],
        *,
        alpha: float = 0.005,
        window_size: int = 100,
        stat_size: int = 30,
        seed: int = 1,
    ) -> None:
        super().__init__(streams)
        if not 0.0 < alpha < 1.0 or stat_size < 1 or window_size < 2 * stat_size:
            raise ValueError("alpha must lie between 0 and 1, and window_size hold stat_size (at least 1) twice")
        self.alpha = alpha
        self.window_size = window_size
        self.stat_size = stat_size
        self.seed = seed
        self.reset()

    @property
    def is_warm(self) -> bool:
        """Whether the window is full."""
        return self.n_seen >= self.window_size

    def _made(self, stream: int) -> Any:
        seed = self.seed + stream
        return KSWIN(alpha=self.alpha, window_size=self.window_size, stat_size=self.stat_size, seed=seed)
