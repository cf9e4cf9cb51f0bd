"""Bounds of quantiles from a histogram that hold at every time at once.

The share of values up to an edge is a share like any other. A quantile lies above an edge when that share is ruled out
from below, and at or below it when it is ruled out from above. Shares grow with their edge, so only the edge next to
the quantile can be wrong, and no price is paid for looking at all of them: of 1,000 values, at 0.025 a side, the band
around the 95 % quantile reaches 0.027 down and 0.022 up, against 0.09 for one around the whole distribution function.

References
----------
Howard, Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification",
Bernoulli, 2022 (bounds of one fixed quantile by inverting a sequential test).
"""

from __future__ import annotations

from functools import lru_cache
from math import inf

import numpy as np
import numpy.typing as npt

from monitors.trials.shares import ShareBounds

__all__ = ["LATENCY_EDGES_S", "latency_histogram", "quantile_bounds", "quantile_estimate"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LATENCY_EDGES_S: Floats = np.geomspace(1e-4, 100.0, 1_389)
"""Upper edges of the latency cells: 1 % apart, from 0.1 ms to 100 s; one more cell has no upper edge."""


def latency_histogram(durations_n: npt.ArrayLike) -> Ints:
    """Return how many of some durations, in seconds, fall into each cell: up to its upper edge."""
    cells_n = np.searchsorted(LATENCY_EDGES_S, np.asarray(durations_n, np.float64), side="left")
    return np.bincount(cells_n, minlength=len(LATENCY_EDGES_S) + 1).astype(np.int64)


def quantile_estimate(counts_b: npt.NDArray[np.generic], quantile: float) -> float:
    """Return the upper edge of the cell in which a quantile lies, in seconds; ``nan`` without values."""
    below_b = np.cumsum(counts_b, dtype=np.float64)
    if below_b[-1] <= 0:
        return float("nan")
    at = int(np.searchsorted(below_b, quantile * below_b[-1]))
    return float(LATENCY_EDGES_S[at]) if at < len(LATENCY_EDGES_S) else inf


def quantile_bounds(counts_b: npt.NDArray[np.generic], quantile: float, alpha: float) -> tuple[float, float]:
    """Return a lower and an upper bound of a quantile, in seconds, each wrong at any time with probability ``alpha``.

    >>> low_s, high_s = quantile_bounds(latency_histogram([0.010] * 500 + [0.020] * 500), 0.95, 0.025)
    >>> low_s < 0.020 <= high_s < 0.0211
    True
    """
    below_b = np.cumsum(counts_b, dtype=np.float64)
    n = float(below_b[-1])
    few, many = _outside(n, quantile, alpha)
    low_s = LATENCY_EDGES_S[below_b[:-1] <= few]
    high_s = LATENCY_EDGES_S[below_b[:-1] >= many]
    return (float(low_s[-1]) if len(low_s) else 0.0, float(high_s[0]) if len(high_s) else inf)


@lru_cache(maxsize=1_024)
def _outside(n: float, share: float, alpha: float) -> tuple[float, float]:
    """Return the largest and the smallest count of n that rule the share out from below and from above."""
    bounds = ShareBounds(alpha, near=share)
    few, many = -1.0, n + 1.0
    if bounds.rejects(share, 0.0, n):
        few, within = 0.0, float(np.floor(n * share))
        while within - few > 1:
            middle = float(np.floor(0.5 * (few + within)))
            few, within = (middle, within) if bounds.rejects(share, middle, n) else (few, middle)
    if bounds.rejects(share, n, n):
        many, within = n, float(np.ceil(n * share))
        while many - within > 1:
            middle = float(np.ceil(0.5 * (many + within)))
            many, within = (middle, within) if bounds.rejects(share, middle, n) else (many, middle)
    return few, many
