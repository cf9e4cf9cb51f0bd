"""The table of evidence: for every channel and alternative, the nats that one row of each cell adds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.evidence.alternatives import RARE_SHARE, alternatives
from monitors.evidence.dependence import row_nats, run_bets
from monitors.evidence.fairness import Doubt, fair_ratios, largest_mean
from monitors.evidence.grid import FRAME_CELLS, Axis, Grid

__all__ = ["Allowance", "Table", "build_table"]

PSEUDO_COUNT = 0.5
LEAST_GROWTH_NATS = 1e-4

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What counts as unchanged, and how sure the reference is to cover the truth.

    Parameters
    ----------
    tolerance
        Share of rows that may lie in other cells than in the reference without being evidence.
    rare_tolerance
        The part of it that may be below, above, missing, unseen, or a category that the reference hardly knows.
    delta
        Chance, over references, that a bet of the model is not fair. Shared by all channels.
    """

    tolerance: float = 0.005
    rare_tolerance: float = 0.001
    delta: float = 0.05

    def __post_init__(self) -> None:
        if not (0 <= self.rare_tolerance < 0.5 and 0 <= self.tolerance < 0.5 and 0 < self.delta < 1):
            raise ValueError("tolerances are in [0, 0.5), delta is in (0, 1)")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Log-ratios and weights of all channels.

    Parameters
    ----------
    nats_cbk : (c, b, k) float64
        Log-ratio of one row in a cell; 0 in cells and alternatives that a channel does not have.
    weights_ck : (c, k) float64
        Weights of a channel's alternatives; they sum to one.
    reference_cb : (c, b) float64
        Reference law over the cells.
    """

    nats_cbk: Floats
    weights_ck: Floats
    reference_cb: Floats

    def log_ratios(self, counts_cb: Ints) -> Floats:
        """Return the log-ratio of a summary under each alternative.

        Parameters
        ----------
        counts_cb : (..., c, b) int64
            Counts of a summary, or of many.

        Returns
        -------
        (..., c, k) float64
            Equal bit by bit for equal counts, however their rows were split.
        """
        return np.asarray(np.matmul(counts_cb[..., None, :].astype(np.float64), self.nats_cbk)[..., 0, :])


def build_table(
    grid: Grid,
    counts_cb: Ints,
    phi_c: Floats,
    allowance: Allowance,
    every_row_cb: Ints | None = None,
    doubt_c: Floats | None = None,
) -> Table:
    """Make the table from reference counts.

    Parameters
    ----------
    grid
        Cells of the channels.
    counts_cb : (c, b) int64
        Reference counts.
    phi_c : (c,) float64
        Dependence of each channel: it widens the doubt about the reference and weakens every row.
    allowance
        What counts as unchanged.
    every_row_cb : (c, b) int64
        Counts of a second law under which bets have to be fair: that of all rows where repeats are not counted.
    doubt_c : (c,) float64
        How many times the doubt about the reference each channel has to allow for; once if nothing is said.
    """
    doubt_c = np.ones(grid.channels) if doubt_c is None else doubt_c
    second_cb = counts_cb if every_row_cb is None else every_row_cb
    nats = math.log(max(1, grid.channels) / allowance.delta)
    parts = [
        _channel(axis, counts_b[: axis.size], second_b[: axis.size], phi, allowance, doubt * nats)
        for axis, counts_b, second_b, phi, doubt in zip(
            grid.axes, counts_cb, second_cb, phi_c.tolist(), doubt_c.tolist(), strict=True
        )
    ]
    most = max((len(weights) for _, weights, _ in parts), default=0)
    nats_cbk = np.zeros((grid.channels, grid.width, most))
    weights_ck, reference_cb = np.zeros((grid.channels, most)), np.zeros((grid.channels, grid.width))
    for c, (nats_kb, weights_k, reference_b) in enumerate(parts):
        nats_cbk[c, : nats_kb.shape[1], : len(nats_kb)] = nats_kb.T
        weights_ck[c, : len(weights_k)] = weights_k
        reference_cb[c, : len(reference_b)] = reference_b
    return Table(nats_cbk, weights_ck, reference_cb)


def _channel(
    axis: Axis, counts_b: Ints, second_b: Ints, phi: float, allowance: Allowance, nats: float
) -> tuple[Floats, Floats, Floats]:
    """Return log-ratios (k, b), weights and reference law of one channel."""
    rows = int(counts_b.sum())
    reference_b = _law(counts_b)
    found = alternatives(axis, reference_b)
    radius = nats * phi / max(1, rows)
    doubt = Doubt(radius, allowance.tolerance, allowance.rare_tolerance)
    is_rare_b = _is_rare(axis, reference_b)
    bets_kb = run_bets(fair_ratios(found.laws_kb, reference_b, is_rare_b, doubt), phi)
    mean_k = largest_mean(bets_kb, reference_b, is_rare_b, doubt)
    if not np.array_equal(counts_b, second_b):
        mean_k = np.maximum(mean_k, largest_mean(bets_kb, _law(second_b), is_rare_b, doubt))
    fair_kb = bets_kb / np.maximum(mean_k, 1e-300)[:, None]
    nats_kb = row_nats(fair_kb, phi)
    grows_k = (found.laws_kb * nats_kb).sum(axis=1) >= LEAST_GROWTH_NATS / phi
    weights_k = found.weights_k[grows_k]
    return nats_kb[grows_k], weights_k / max(weights_k.sum(), 1e-300), reference_b


def _law(counts_b: Ints) -> Floats:
    """Return the law of counts, positive everywhere."""
    return np.asarray((counts_b + PSEUDO_COUNT) / (counts_b.sum() + PSEUDO_COUNT * len(counts_b)))


def _is_rare(axis: Axis, reference_b: Floats) -> npt.NDArray[np.bool_]:
    """Return which cells are rare: those of the frame, and inner ones that hold next to nothing."""
    is_rare_b = reference_b < RARE_SHARE
    is_rare_b[[0, *range(axis.size - FRAME_CELLS + 1, axis.size)]] = True
    return is_rare_b
