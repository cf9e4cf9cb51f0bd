"""The stationary bootstrap: a long time series drawn from a short one, in runs of random length.

References
----------
Politis, Romano, "The stationary bootstrap", JASA, 1994. Runs of geometric length from random starts, and around the end
to the beginning, make a stationary series whose short dependence is that of the original.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["StationaryBootstrap"]

Ints = npt.NDArray[np.int64]


class StationaryBootstrap:
    """Draws many replicas of a series, one step of all of them at a time.

    Parameters
    ----------
    length
        Steps of the original.
    mean_run
        Mean length of a run.
    replicas
        How many.
    resampled
        Whether each replica draws its runs from a sample of its own, of as many starts as the original has runs, taken
        with replacement: replicas then differ as much as other originals would.
    rng
        Source of chance.

    Examples
    --------
    >>> bootstrap = StationaryBootstrap(100, mean_run=10.0, replicas=2, resampled=False, rng=np.random.default_rng(0))
    >>> np.array([bootstrap.draw() for _ in range(8)])[:, 0].tolist()
    [85, 86, 87, 88, 89, 84, 85, 86]
    """

    def __init__(
        self, length: int, *, mean_run: float, replicas: int, resampled: bool, rng: np.random.Generator
    ) -> None:
        self._length, self._mean_run, self._rng = length, max(1.0, mean_run), rng
        runs = max(1, round(length / self._mean_run))
        self._starts = rng.integers(length, size=(replicas, runs)) if resampled else None
        self._replicas = np.arange(replicas)
        self._at = self._begin()

    def draw(self) -> Ints:
        """Return the next step of each replica, as a place in the original: (replicas,)."""
        here = self._at
        jumps = self._rng.random(len(here)) < 1.0 / self._mean_run
        self._at = np.where(jumps, self._begin(), (here + 1) % self._length)
        return here

    def _begin(self) -> Ints:
        size = len(self._replicas)
        if self._starts is None:
            return self._rng.integers(self._length, size=size)
        return np.asarray(self._starts[self._replicas, self._rng.integers(self._starts.shape[1], size=size)])
