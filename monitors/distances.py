"""Distances that other tools speak of, each with what it shows on unchanged data at the present sample size.

They are shown for comparison and judged by nothing: a fixed band fires always on few rows and never on many.

References
----------
B. Yurdakul, "Statistical properties of population stability index", dissertation, Western Michigan University, 2018
(law of the index under no change).
I. Grosse, P. Bernaola-Galvan, P. Carpena, R. Roman-Roldan, J. Oliver, H. E. Stanley, "Analysis of symbolic sequences
using the Jensen-Shannon divergence", Physical Review E 65, 2002 (law of the divergence under no change).
N. Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical Statistics 19,
1948 (law of the largest gap; on a grid it is an upper bound).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

__all__ = ["Distance", "jensen_shannon", "kolmogorov_smirnov", "population_stability", "psi", "psi_null_band"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PSI_SMOOTHING = 0.5
NORMAL_95 = NormalDist().inv_cdf(0.95)
SMIRNOV_95 = 1.358


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance, and what it stays below in 95 % of windows of this size when nothing has changed."""

    value: float
    band: float


def population_stability(reference: Ints, current: Ints) -> Distance:
    """Return the population stability index over all cells, with its band.

    Parameters
    ----------
    reference, current : (B,) int64
        Counts over the same cells.
    """
    return Distance(psi(reference, current), psi_null_band(reference, current))


def jensen_shannon(reference: Ints, current: Ints) -> Distance:
    """Return the Jensen-Shannon distance over all cells: the root of the divergence in bits, so at most 1.

    Under no change the divergence follows (1/n + 1/m) / (8 ln 2) times chi-squared with B - 1 degrees. Tools that take
    natural logarithms show 0.83 times as much.

    Parameters
    ----------
    reference, current : (B,) int64
        Counts over the same cells.

    Examples
    --------
    >>> jensen_shannon(np.array([100, 0]), np.array([0, 100])).value
    1.0
    >>> same = jensen_shannon(np.full(10, 100), np.full(10, 10))
    >>> same.value, round(same.band, 3)
    (0.0, 0.183)
    """
    precision = _precision(reference, current)
    if not precision:
        return Distance(0.0, 0.0)
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2.0
    bits = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / (2.0 * math.log(2.0))
    band = math.sqrt(precision * _chi_squared_95(_degrees(reference, current)) / (8.0 * math.log(2.0)))
    return Distance(math.sqrt(min(1.0, max(0.0, bits))), min(1.0, band))


def kolmogorov_smirnov(reference: Ints, current: Ints) -> Distance:
    """Return the largest gap between two distribution functions at the edges of ordered cells, with its band.

    The band is the smaller of two upper bounds: Smirnov's quantile for continuous data, and that of the normal gap at
    each edge with the error divided by the number of edges, which is sharper on few cells.

    Parameters
    ----------
    reference, current : (B,) int64
        Counts over the same cells, in order, of the values that are present.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([60, 40]), np.array([10, 90])).value
    0.5
    >>> round(kolmogorov_smirnov(np.full(16, 100), np.full(16, 100)).band, 3)
    0.048
    """
    precision = _precision(reference, current)
    if not precision:
        return Distance(0.0, 0.0)
    rising = np.cumsum(reference / reference.sum())[:-1]
    gaps = np.abs(rising - np.cumsum(current / current.sum())[:-1])
    pooled = np.cumsum((reference + current) / (reference + current).sum())[:-1]
    edges = pooled[(pooled > 1e-12) & (pooled < 1.0 - 1e-12)]
    if not len(edges):
        return Distance(0.0, 0.0)
    widest = float(np.sqrt(edges * (1.0 - edges)).max())
    quantile = NormalDist().inv_cdf(1.0 - 0.025 / len(edges))
    return Distance(float(gaps.max()), math.sqrt(precision) * min(SMIRNOV_95, quantile * widest))


def psi(reference: Ints, current: Ints) -> float:
    """Return the population stability index over all cells, each count raised by one half.

    Examples
    --------
    >>> round(psi(np.array([50, 50]), np.array([50, 50])), 6)
    0.0
    >>> psi(np.array([50, 50]), np.array([90, 10])) > 0.25
    True
    """
    p, q = _smooth(reference, current)
    return float(((q - p) * np.log(q / p)).sum())


def psi_null_band(reference: Ints, current: Ints) -> float:
    """Return what the index stays below in 95 % of windows of this size when nothing has changed.

    The law is (1/n + 1/m) chi-squared with B - 1 degrees.

    Examples
    --------
    >>> counts = np.full(10, 10)
    >>> round(psi_null_band(counts, counts), 2)
    0.34
    """
    return _precision(reference, current) * _chi_squared_95(_degrees(reference, current))


def _precision(reference: Ints, current: Ints) -> float:
    """Return 1/n + 1/m; 0 where either is empty and there is nothing to compare."""
    rows, reference_rows = int(current.sum()), int(reference.sum())
    return 1.0 / rows + 1.0 / reference_rows if rows and reference_rows else 0.0


def _degrees(reference: Ints, current: Ints) -> int:
    return int(((reference + current) > 0).sum()) - 1


def _chi_squared_95(degrees: int) -> float:
    """Return the 95 % quantile, by Wilson and Hilferty (1931)."""
    if degrees < 1:
        return 0.0
    spread = 2.0 / (9.0 * degrees)
    return float(degrees * (1.0 - spread + NORMAL_95 * spread**0.5) ** 3)


def _smooth(reference: Ints, current: Ints) -> tuple[Floats, Floats]:
    used = (reference + current) > 0
    p, q = reference[used] + PSI_SMOOTHING, current[used] + PSI_SMOOTHING
    return p / p.sum(), q / q.sum()


def _relative_entropy(p: Floats, q: Floats) -> float:
    used = p > 0
    return float((p[used] * np.log(p[used] / q[used])).sum())
