"""What a row of probabilities says: is it a distribution at all, how confident, how far ahead of the runner-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "HISTOGRAM_CELLS",
    "SATURATED",
    "Confidences",
    "confidences",
    "entropy_nats",
    "histogram_index",
    "histogram_mean",
    "histogram_spread",
    "is_distribution",
]

HISTOGRAM_CELLS = 20
SATURATED = 0.999
SUM_TOLERANCE = 1e-3

Floats = npt.NDArray[np.float64]

_MIDDLES: Floats = (np.arange(HISTOGRAM_CELLS) + 0.5) / HISTOGRAM_CELLS


@dataclass(frozen=True, slots=True, eq=False)
class Confidences:
    """Confidence of rows: each array is (n,) float64; entropy in nats."""

    top1_n: Floats
    margin_n: Floats
    entropy_n: Floats


def is_distribution(scores_nk: Floats) -> npt.NDArray[np.bool_]:
    """Return which rows are finite, not negative and sum to one within 1e-3.

    Examples
    --------
    >>> is_distribution(np.array([[0.2, 0.8], [np.nan, 1.0], [-0.1, 1.1], [0.7, 0.7]])).tolist()
    [True, False, False, False]
    """
    rows_nk = np.ascontiguousarray(scores_nk)
    with np.errstate(invalid="ignore", over="ignore"):
        sums_n = rows_nk.sum(axis=1)
        whole_n = np.abs(sums_n - 1.0) <= SUM_TOLERANCE
        return np.asarray(whole_n & (rows_nk >= 0).all(axis=1))  # a sum near one is of finite numbers


def confidences(scores_nk: Floats) -> Confidences:
    """Return top-1 probability, margin over the second, and entropy of each row.

    Parameters
    ----------
    scores_nk : (n, k) float64
        Rows that are distributions, k at least 1.

    Notes
    -----
    Every figure of a row depends on that row alone, bit by bit, whatever the other rows of the batch are.
    """
    ranked_nk = np.sort(scores_nk, axis=1)
    top1_n = ranked_nk[:, -1]
    second_n = ranked_nk[:, -2] if ranked_nk.shape[1] > 1 else np.zeros_like(top1_n)
    safe_nk = np.ascontiguousarray(np.where(scores_nk > 0, scores_nk, 1.0))
    return Confidences(top1_n, top1_n - second_n, -(safe_nk * np.log(safe_nk)).sum(axis=1))


def entropy_nats(shares_k: Floats) -> float:
    """Return the entropy of one distribution.

    Examples
    --------
    >>> round(entropy_nats(np.array([0.5, 0.5])), 4)
    0.6931
    """
    positive = shares_k[shares_k > 0]
    return float(-(positive * np.log(positive)).sum()) + 0.0


def histogram_index(ratios_n: Floats) -> npt.NDArray[np.int64]:
    """Return the cell, of 20 equal ones over [0, 1], of each ratio."""
    return np.clip((ratios_n * HISTOGRAM_CELLS).astype(np.int64), 0, HISTOGRAM_CELLS - 1)


def histogram_mean(counts: npt.NDArray[np.int64]) -> float:
    """Return the mean of a 20-cell histogram, taking each cell at its middle; 0 when it is empty."""
    total = int(counts.sum())
    return float(counts @ _MIDDLES / total) if total else 0.0


def histogram_spread(counts: npt.NDArray[np.int64]) -> float:
    """Return the standard deviation of a 20-cell histogram, taking each cell at its middle; 0 when it is empty."""
    total = int(counts.sum())
    return float(counts @ (_MIDDLES - histogram_mean(counts)) ** 2 / total) ** 0.5 if total else 0.0
