"""A uniform sample of a stream of rows, at most so many a second, whose rate is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

__all__ = ["RateSampler"]

_DRAWN = 256


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
    which ``ratio`` then shows. Of a second that kept nothing ``ratio`` is the probability with which it was sampled:
    what the next second keeps cannot be weighed by a share of nothing. O(1) time and memory. From one request that is
    kept to the next is a geometric number; they are drawn many at once, since one logarithm costs ten times as much
    where others fill the caches.

    >>> sampler = RateSampler(2, seed=1)
    >>> [sampler.keep(1, now_s=0.0) for _ in range(3)]
    [1, 1, 0]
    """

    def __init__(self, rows_per_s: int, *, seed: int) -> None:
        if rows_per_s < 0:
            raise ValueError(f"rows_per_s must not be negative, found {rows_per_s}")
        self.rows_per_s = rows_per_s
        self._random = np.random.default_rng(seed)
        self._second = -1
        self._steps: Iterator[int] = repeat(1)  # from a request that is kept to the next
        self._pass_over = 0
        self._seen = self._kept = 0
        self._probability = self.ratio = 1.0 if rows_per_s else 0.0

    def keep(self, rows: int, now_s: float) -> int:
        """Return how many of a request's rows to keep: 0, all, or what is left of the second's allowance."""
        if self.passes_over(rows, now_s):
            return 0
        return next((kept for _, kept in self.pick((rows,), now_s)), 0)

    def passes_over(self, rows: int, now_s: float, *, requests: int = 1) -> bool:
        """Pass over requests that are not to be kept; false, and nothing done, where one of them may be to keep."""
        is_open = int(now_s) == self._second
        if not is_open or not (self._pass_over >= requests or self._kept >= self.rows_per_s):
            return False
        self._seen += rows
        self._pass_over = max(self._pass_over - requests, 0)
        return True

    def pick(self, rows: Sequence[int], now_s: float) -> list[tuple[int, int]]:
        """Return which of some requests to keep, by index, and how many rows of each.

        Costs nothing a request for those that are passed over.
        """
        second = int(now_s)
        if second != self._second:
            self._turn(second)
        self._seen += sum(rows)
        picked, at, n = [], self._pass_over, len(rows)
        while at < n and self._kept < self.rows_per_s:
            kept = min(rows[at], self.rows_per_s - self._kept)
            self._kept += kept
            picked.append((at, kept))
            at += next(self._steps)
        self._pass_over = max(at - n, 0)
        return picked

    def _turn(self, second: int) -> None:
        if self._seen:
            self.ratio = self._kept / self._seen or self._probability
            self._probability = min(1.0, self.rows_per_s / self._seen)
        self._steps = self._drawn(self._probability) if 0.0 < self._probability < 1.0 else repeat(1)
        self._pass_over = next(self._steps) - 1
        self._second, self._seen, self._kept = second, 0, 0

    def _drawn(self, probability: float) -> Iterator[int]:
        while True:
            yield from self._random.geometric(probability, _DRAWN).tolist()
