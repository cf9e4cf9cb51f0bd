"""The dependence guard: how much more blocks of rows vary than as many independent rows would, and bets to match.

A row that resembles the rows before it brings less news than its ratio says. The model of dependence is a client that
sends its row again and again, a geometric number N of times with mean 1/π: the variance inflation of block sums is then
φ = 2/π - 1, and what has to be fair is the bet on a whole run. If each of its rows adds ``a`` nats, the run multiplies
evidence by exp(a N), with mean

    g = π e^a / (1 - (1 - π) e^a),    that is    a = -log(1 - π + π / g).

So g is made fair, and each row adds a: a long run can never add more than -log(1 - π) a row, which raising ratios to
1/φ alone does not ensure (runs longer than φ would be counted more than once). For independent rows π is 1 and a is
log g. Among fair bets, the one that grows fastest under ratios L solves (1 - π) g² + π g = κ L.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from monitors.evidence.grid import Axis

__all__ = ["BLOCK_ROWS", "dependence", "row_nats", "run_bets"]

BLOCK_ROWS = (8, 32, 128, 512, 2048)
LEAST_BLOCKS = 24
SIGNIFICANCE = 3.8
SCORED_CATEGORIES = 6
LEAST_SHARE = 0.01
MARGIN = 1.2

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def dependence(axis: Axis, cells_r: Ints) -> float:
    """Return φ of a channel, at least 1, from the cells of reference rows in the order in which they came.

    Parameters
    ----------
    axis
        The channel's cells.
    cells_r : (r,) int64
        Cell of each reference row.

    Notes
    -----
    The largest inflation over several block lengths and scores (location, spread, shares of frequent categories) counts
    where it is beyond what independent rows show by chance, and a fifth more for its error; else φ is 1. A reference
    in random order (a shuffled table) shows no dependence: then φ is 1, and the promise assumes independent rows.

    Examples
    --------
    >>> from monitors.evidence.grid import number_axis
    >>> values = np.random.default_rng(1).normal(size=4000)
    >>> axis = number_axis(values)
    >>> cells = np.searchsorted(axis.edges, values, side="right")
    >>> dependence(axis, cells), dependence(axis, np.repeat(cells, 10)) > 8
    (1.0, True)
    """
    counts_b = np.bincount(cells_r, minlength=axis.size)
    scores_bs = np.column_stack(list(_scores(axis, counts_b / max(1, len(cells_r)))))
    rows_rs = scores_bs[cells_r]
    inflations = [_inflation(rows_rs, block) for block in BLOCK_ROWS if len(rows_rs) >= block * LEAST_BLOCKS]
    largest = max((1.0, *inflations))
    return largest * MARGIN if largest > 1.0 else 1.0


def run_bets(ratios_kb: Floats, phi: float) -> Floats:
    """Return the shape of the best bets on runs, from ratios for single rows; the caller makes them fair.

    Examples
    --------
    >>> run_bets(np.array([[0.25, 1.0, 4.0]]), 1.0).tolist()
    [[0.25, 1.0, 4.0]]
    >>> run_bets(np.array([[0.25, 1.0, 4.0]]), 1e9).round(2).tolist()
    [[0.5, 1.0, 2.0]]
    """
    if phi <= 1.0:
        return ratios_kb
    once = 2.0 / (phi + 1.0)
    again = 1.0 - once
    return np.asarray((np.sqrt(once**2 + 4.0 * again * ratios_kb) - once) / (2.0 * again))


def row_nats(bets_kb: Floats, phi: float) -> Floats:
    """Return the nats that each row of a run adds, so that the run multiplies evidence by the bet in the mean.

    Examples
    --------
    >>> nats = row_nats(np.array([3.0]), 33.0)
    >>> runs = np.random.default_rng(0).geometric(1 / 17, size=1_000_000)
    >>> float(np.exp(nats * runs).mean().round(1))
    3.0
    """
    once = 2.0 / (phi + 1.0)
    return np.asarray(-np.log1p(once * (1.0 / bets_kb - 1.0)))


def _inflation(rows_rs: Floats, block: int) -> float:
    """Return the largest variance inflation of the scores' block sums, 1 where it may be chance."""
    blocks = len(rows_rs) // block
    sums = rows_rs[: blocks * block].reshape(blocks, block, -1).sum(axis=1)
    variance = rows_rs.var(axis=0)
    varies = variance > 0
    if not varies.any():
        return 1.0
    inflation = float((sums.var(axis=0, ddof=1)[varies] / (block * variance[varies])).max())
    return inflation if inflation > _by_chance(blocks - 1) else 1.0


def _by_chance(degrees: int) -> float:
    """Return the inflation that independent rows do not reach: a quantile of chi-square over its degrees of freedom.

    Wilson, Hilferty, "The distribution of chi-square", PNAS, 1931.
    """
    narrow = 2.0 / (9.0 * degrees)
    return float((1.0 - narrow + SIGNIFICANCE * np.sqrt(narrow)) ** 3)


def _scores(axis: Axis, shares_b: Floats) -> Iterator[Floats]:
    """Give scores of cells: rank and its square for ordered cells, indicators of the frequent ones for others."""
    if axis.is_ordered:
        present = axis.inner + 2
        rank_b = np.zeros(axis.size)
        rank_b[:present] = np.cumsum(shares_b[:present]) - shares_b[:present] / 2 - 0.5
        yield rank_b
        yield rank_b**2
    frequent = np.argsort(-shares_b, kind="stable")[:SCORED_CATEGORIES]
    for cell in frequent if not axis.is_ordered else [axis.inner + 2, axis.inner + 3]:
        if LEAST_SHARE <= shares_b[cell] <= 1.0 - LEAST_SHARE:
            yield (np.arange(axis.size) == cell).astype(np.float64)
    yield np.zeros(axis.size)
