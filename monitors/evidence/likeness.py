"""Likeness: whether a part of the rows differs from the others by more than chance explains.

Pearson's statistic of two samples in each channel, divided by the channel's dependence, against the quantile of a
chi-squared law (Wilson and Hilferty). Cells that expect too few rows of the part count as one.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

__all__ = ["difference"]

LEAST_EXPECTED = 5.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def difference(part_b: Ints, rest_b: Ints, phi: float, chance: float) -> float:
    """Return how many times as far apart two counts over the same cells are as chance explains: above 1 they differ.

    Parameters
    ----------
    part_b, rest_b : (b,) int64
        Rows in each cell.
    phi
        By how much counts vary more than those of independent rows.
    chance
        Of more than 1 where the laws are one.

    Examples
    --------
    >>> difference(np.array([100, 110]), np.array([310, 290]), 1.0, 0.01) < 1
    True
    >>> difference(np.array([100, 200]), np.array([310, 290]), 1.0, 0.01) > 1
    True
    >>> difference(np.array([100, 200]), np.array([310, 290]), 17.0, 0.01) < 1
    True
    """
    part, rest = float(part_b.sum()), float(rest_b.sum())
    if not part or not rest:
        return 0.0
    expected_b = np.asarray((part_b + rest_b) * (part / (part + rest)), dtype=np.float64)
    is_small_b = expected_b < LEAST_EXPECTED
    gaps_b, expected_b = _pooled(np.asarray(part_b - expected_b), is_small_b), _pooled(expected_b, is_small_b)
    is_told_b = expected_b >= LEAST_EXPECTED
    degrees = int(is_told_b.sum()) - 1
    if degrees < 1:
        return 0.0
    statistic = float((gaps_b[is_told_b] ** 2 / expected_b[is_told_b]).sum()) * (part + rest) / rest
    return statistic / phi / _quantile(degrees, chance)


def _pooled(values_b: Floats, is_small_b: npt.NDArray[np.bool_]) -> Floats:
    return np.append(values_b[~is_small_b], values_b[is_small_b].sum())


def _quantile(degrees: int, chance: float) -> float:
    """Return what a chi-squared number exceeds by chance."""
    spread = 2.0 / (9.0 * degrees)
    return degrees * (1.0 - spread + NormalDist().inv_cdf(1.0 - chance) * math.sqrt(spread)) ** 3
