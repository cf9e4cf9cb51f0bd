"""Bands around a whole distribution function that hold at every time at once, and distances of two functions.

References
----------
Howard, Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification",
Bernoulli, 2022 (a time-uniform form of the inequality of Dvoretzky, Kiefer and Wolfowitz).
"""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
import numpy.typing as npt

__all__ = ["band_radius", "distance"]


def band_radius(n: float, alpha: float) -> float:
    """Return how far a distribution function of n values ever is from the true one, but for probability ``alpha``.

    >>> round(band_radius(10_000, 0.05), 3), band_radius(0, 0.05)
    (0.028, inf)
    """
    return 0.85 * sqrt((log(log(np.e * n)) + 0.8 * log(1612.0 / alpha)) / n) if n >= 1 else inf


def distance(first_b: npt.NDArray[np.generic], second_b: npt.NDArray[np.generic]) -> float:
    """Return the largest difference of the distribution functions of two histograms; 0 where one is empty.

    >>> distance(np.array([5, 5]), np.array([0, 10]))
    0.5
    """
    first, second = np.cumsum(first_b, dtype=np.float64), np.cumsum(second_b, dtype=np.float64)
    if not (len(first) and first[-1] > 0 and second[-1] > 0):
        return 0.0
    return float(np.max(np.abs(first / first[-1] - second / second[-1])))
