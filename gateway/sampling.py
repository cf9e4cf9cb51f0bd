"""A uniform sample of a stream of rows, at most so many a second, whose rate is known."""

from __future__ import annotations

from random import Random

__all__ = ["RateSampler"]


class RateSampler:
    """Keep each request with a probability learned from the last second, and never more than the limit in one second.

    Parameters
    ----------
    rows_per_s
        Rows kept in a second at most.
    seed
        Of the sampler's own random numbers.

    Notes
    -----
    Uniform while the traffic of a second is like that of the second before; a sudden burst is cut off at the limit,
    which ``ratio`` then shows. O(1) time and memory.

    >>> sampler = RateSampler(2, seed=1)
    >>> [sampler.keep(1, now_s=0.0) for _ in range(3)]
    [1, 1, 0]
    """

    def __init__(self, rows_per_s: int, *, seed: int) -> None:
        if rows_per_s < 0:
            raise ValueError(f"rows_per_s must not be negative, found {rows_per_s}")
        self.rows_per_s = rows_per_s
        self._random = Random(seed)
        self._second = -1
        self._probability = 1.0
        self._seen = self._kept = 0
        self.ratio = 1.0

    def keep(self, rows: int, now_s: float) -> int:
        """Return how many of a request's rows to keep: 0, all, or what is left of the second's allowance."""
        second = int(now_s)
        if second != self._second:
            self._turn(second)
        self._seen += rows
        left = self.rows_per_s - self._kept
        if left <= 0 or (self._probability < 1.0 and self._random.random() >= self._probability):
            return 0
        kept = min(rows, left)
        self._kept += kept
        return kept

    def _turn(self, second: int) -> None:
        if self._seen:
            self.ratio = self._kept / self._seen
            self._probability = min(1.0, self.rows_per_s / self._seen)
        self._second, self._seen, self._kept = second, 0, 0
