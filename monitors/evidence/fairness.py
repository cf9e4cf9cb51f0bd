"""Fair bets: likelihood ratios whose mean is at most one under every law that counts as unchanged.

Unchanged means: within the tolerance of a law that the reference cannot rule out. The laws that a reference of R rows
cannot rule out are those p with KL(p̂, p) <= x / R, where e^-x is the chance of being wrong; the tolerance lets a share
t of all rows move anywhere, of which a small part to rare cells (missing, unseen, out of range).

The best bet on q against a convex set of laws is q / p*, with p* the law of the set nearest to q (reverse information
projection). Onto the first set p* is a mixture, (q + λ p̂) / (1 + λ), so that no bet exceeds 1 + λ; onto the second it
is a ratio clipped from both sides. We take the one, then clip, and divide by the exact largest mean over both sets,
so that the bet is fair whatever its shape.

References
----------
Huber, Strassen, "Minimax tests and the Neyman-Pearson lemma for capacities", Annals of Statistics, 1973 (the clipped
ratio). Grünwald, de Heide, Koolen, "Safe testing", JRSS B, 2024 (reverse information projection). Honda, Takemura, "An
asymptotically optimal bandit algorithm for bounded support models", COLT 2010 (the dual of the largest mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Doubt", "fair_ratios", "largest_mean"]

STEPS = 60

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a bet on one channel has to allow for.

    Parameters
    ----------
    radius_nats
        x / R: how far, in nats, the reference's law may be from the true one.
    tolerance
        Share of rows that may move to other cells and still count as unchanged.
    rare_tolerance
        The part of it that may move to rare cells.
    """

    radius_nats: float
    tolerance: float
    rare_tolerance: float


def fair_ratios(laws_kb: Floats, reference_b: Floats, is_rare_b: Bools, doubt: Doubt) -> Floats:
    """Return for each alternative the ratio by which a row of each cell multiplies the evidence.

    Parameters
    ----------
    laws_kb : (k, b) float64
        Alternatives.
    reference_b : (b,) float64
        Reference law, positive everywhere.
    is_rare_b : (b,) bool
        Which cells are rare: missing, unseen, out of range, hardly known.
    doubt
        What to allow for.

    Returns
    -------
    (k, b) float64
        Positive; the mean under every law that counts as unchanged is at most one.

    Examples
    --------
    >>> p, q = np.array([0.5, 0.5]), np.array([[0.2, 0.8]])
    >>> fair_ratios(q, p, np.zeros(2, bool), Doubt(0.0, 0.0, 0.0)).round(3).tolist()
    [[0.4, 1.6]]
    >>> fair = fair_ratios(q, p, np.zeros(2, bool), Doubt(0.0, 0.1, 0.0))
    >>> fair.round(3).tolist(), float((fair @ [0.4, 0.6]).round(6)[0])
    ([[0.5, 1.333]], 1.0)
    """
    nearest_kb = _mixed(laws_kb, reference_b, doubt.radius_nats)
    shape_kb = _clipped(laws_kb, nearest_kb, is_rare_b, doubt)
    return np.asarray(shape_kb / largest_mean(shape_kb, reference_b, is_rare_b, doubt)[:, None])


def largest_mean(ratios_kb: Floats, reference_b: Floats, is_rare_b: Bools, doubt: Doubt) -> Floats:
    """Return the largest mean of each row of ratios over all laws that count as unchanged: (k,) float64."""
    means_k = _largest_near(ratios_kb, reference_b, doubt.radius_nats)
    least_k = ratios_kb.min(axis=1)
    inner_k = ratios_kb[:, ~is_rare_b].max(axis=1, initial=0.0)
    rare_k = np.maximum(ratios_kb[:, is_rare_b].max(axis=1, initial=0.0), inner_k)
    to_rare = min(doubt.tolerance, doubt.rare_tolerance)
    moved_k = to_rare * (rare_k - least_k) + (doubt.tolerance - to_rare) * (inner_k - least_k)
    return np.asarray(means_k + np.maximum(moved_k, 0.0))


def _mixed(laws_kb: Floats, p_b: Floats, radius_nats: float) -> Floats:
    """Return the nearest law to each alternative with KL(p, law) <= radius: a mixture of the two."""

    def inside(log_weight_k: Floats) -> Bools:
        weight = np.exp(log_weight_k)[:, None]
        mixed_kb = (laws_kb + weight * p_b) / (1.0 + weight)
        return np.asarray((p_b * np.log(p_b / mixed_kb)).sum(axis=1) <= radius_nats)

    if radius_nats <= 0:
        return np.broadcast_to(p_b, laws_kb.shape)
    weight_k = np.exp(_bisect(inside, -30.0, 30.0, len(laws_kb)))[:, None]
    return np.asarray((laws_kb + weight_k * p_b) / (1.0 + weight_k))


def _clipped(laws_kb: Floats, nearest_kb: Floats, is_rare_b: Bools, doubt: Doubt) -> Floats:
    """Return q / p* with p* within the tolerance of the nearest law: rows move to where the ratio is largest."""
    top_kb = _ceilings(laws_kb, nearest_kb, is_rare_b, doubt)
    bottom_k = np.minimum(_floor(laws_kb, nearest_kb, doubt.tolerance), 1.0)
    return np.maximum(np.minimum(laws_kb / nearest_kb, top_kb), bottom_k[:, None])


def _ceilings(laws_kb: Floats, nearest_kb: Floats, is_rare_b: Bools, doubt: Doubt) -> Floats:
    """Return the ceiling of each cell: one for all where rare cells take no more than their part, else two."""
    to_rare = min(doubt.tolerance, doubt.rare_tolerance)
    one_kb = np.broadcast_to(_ceiling(laws_kb, nearest_kb, doubt.tolerance)[:, None], laws_kb.shape)
    taken_k = np.maximum(laws_kb / one_kb - nearest_kb, 0.0)[:, is_rare_b].sum(axis=1)
    two_kb = np.empty_like(laws_kb)
    for cells_b, share in ((is_rare_b, to_rare), (~is_rare_b, doubt.tolerance - to_rare)):
        two_kb[:, cells_b] = _ceiling(laws_kb[:, cells_b], nearest_kb[:, cells_b], share)[:, None]
    return np.where((taken_k <= to_rare)[:, None], one_kb, two_kb)


def _ceiling(laws_kb: Floats, nearest_kb: Floats, share: float) -> Floats:
    """Return the level at which cutting the ratios costs just this share of rows; not below one."""

    def enough(log_level_k: Floats) -> Bools:
        needed_kb = laws_kb / np.exp(log_level_k)[:, None] - nearest_kb
        return np.asarray(np.maximum(needed_kb, 0.0).sum(axis=1) <= share)

    return np.exp(_bisect(enough, 0.0, 40.0, len(laws_kb)))


def _floor(laws_kb: Floats, nearest_kb: Floats, share: float) -> Floats:
    """Return the level up to which raising the ratios gives back just this share of rows."""

    def too_much(log_level_k: Floats) -> Bools:
        given_kb = nearest_kb - laws_kb / np.exp(log_level_k)[:, None]
        return np.asarray(np.maximum(given_kb, 0.0).sum(axis=1) >= share)

    return np.exp(_bisect(too_much, -40.0, 0.0, len(laws_kb)))


def _largest_near(ratios_kb: Floats, p_b: Floats, radius_nats: float) -> Floats:
    """Return the largest mean of the ratios over all laws with KL(p, law) <= radius.

    The largest mean is reached at law_b = p_b c / (ν - L_b), with ν above every ratio L_b.
    """
    if radius_nats <= 0:
        return ratios_kb @ p_b
    top_k, range_k = ratios_kb.max(axis=1), np.ptp(ratios_kb, axis=1) + 1e-12

    def shares(log_gap_k: Floats) -> tuple[Floats, Floats]:
        gaps_kb = (top_k[:, None] - ratios_kb) + (np.exp(log_gap_k) * range_k)[:, None]
        total_k = (p_b / gaps_kb).sum(axis=1)
        return gaps_kb, total_k

    def inside(log_gap_k: Floats) -> Bools:
        gaps_kb, total_k = shares(log_gap_k)
        return np.asarray((p_b * np.log(gaps_kb)).sum(axis=1) + np.log(total_k) <= radius_nats)

    gaps_kb, total_k = shares(_bisect(inside, -30.0, 20.0, len(ratios_kb)))
    return np.asarray((ratios_kb * p_b / gaps_kb).sum(axis=1) / total_k)


def _bisect(holds: Callable[[Floats], Bools], low: float, high: float, size: int) -> Floats:
    """Return the least argument at which a monotone condition holds, for many conditions at once."""
    low_k, high_k = np.full(size, low), np.full(size, high)
    for _ in range(STEPS):
        middle_k = (low_k + high_k) / 2
        holds_k = holds(middle_k)
        low_k, high_k = np.where(holds_k, low_k, middle_k), np.where(holds_k, middle_k, high_k)
    return high_k
