"""Alternatives: the fixed set of ways in which a channel may change, as laws over its cells.

Sizes form ladders of ratio two, because a bet on half or twice the true shift still grows at three quarters of the best
rate. Nothing here depends on the scale of a feature: ordered cells are placed by the normal scores of their ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from monitors.evidence.grid import Axis
from monitors.evidence.heaping import heaped_laws

__all__ = ["RARE_SHARE", "Alternatives", "alternatives"]

SHIFTS = (0.2, 0.4, 0.8, 1.6, 3.2)
SPREADS = (0.3, 0.55, 0.8, 1.25, 1.8, 3.0)
REGION_GAINS = (0.15, 0.5)
RARE_GAINS = (0.015, 0.06, 0.25, 0.8)
WAVES = (2, 3, 4)
WAVE_SIZES = (0.2, 0.5)
HUMP, HUMP_SPREAD = 0.75, 0.66
STRAYS = ((0.0, 3.0), (2.0, 1.0), (-2.0, 1.0))
STRAY_SHARES = (0.08, 0.25)
FROZEN_GAIN = 0.8
CATEGORY_GAINS = (0.08, 0.25, 0.7)
CATEGORY_LOSS = 0.4
SWAPPED_CATEGORIES = 6
RARE_SHARE = 0.004

Floats = npt.NDArray[np.float64]
Family = tuple[float, list[Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    """Laws over the cells of one channel and their weights, which sum to one.

    Parameters
    ----------
    laws_kb : (k, b) float64
    weights_k : (k,) float64
    """

    laws_kb: Floats
    weights_k: Floats


def alternatives(axis: Axis, reference_b: Floats) -> Alternatives:
    """Return the alternatives of a channel.

    Parameters
    ----------
    axis
        The channel's cells.
    reference_b : (b,) float64
        Reference law over the cells, positive everywhere.
    """
    families = list(_families(axis, reference_b))
    families = [(weight, laws) for weight, laws in families if laws]
    total = sum(weight for weight, _ in families)
    weights = [weight / total / len(laws) for weight, laws in families for _ in laws]
    return Alternatives(np.array([law for _, laws in families for law in laws]), np.array(weights))


def _families(axis: Axis, p_b: Floats) -> Iterator[Family]:
    if axis.is_heaping:
        return heaped_laws(p_b)
    return _ordered(axis, p_b) if axis.is_ordered else _unordered(axis, p_b)


def _ordered(axis: Axis, p_b: Floats) -> Iterator[Family]:
    present = axis.inner + 2
    yield 0.3, [_moved(p_b, present, shift * sign, 1.0) for shift in SHIFTS for sign in (1, -1)]
    yield 0.15, [_moved(p_b, present, 0.0, spread) for spread in SPREADS]
    yield 0.05, [_mixed(_moved(p_b, present, HUMP, HUMP_SPREAD), _moved(p_b, present, -HUMP, HUMP_SPREAD), 0.5)]
    yield 0.1, [_waved(p_b, present, wave, size * sign) for wave in WAVES for size in WAVE_SIZES for sign in (1, -1)]
    yield 0.1, [_mixed(p_b, _moved(p_b, present, *stray), share) for stray in STRAYS for share in STRAY_SHARES]
    yield 0.1, [_gains(p_b, region, gain) for region in _regions(p_b, present) for gain in REGION_GAINS]
    yield 0.1, [_gains(p_b, [cell], FROZEN_GAIN) for cell in range(1, axis.inner + 1)]
    yield 0.1, [_gains(p_b, [axis.inner + 2], gain) for gain in RARE_GAINS]
    yield 0.1, [_gains(p_b, [cell], gain) for cell in _outside(axis) for gain in RARE_GAINS]


def _unordered(axis: Axis, p_b: Floats) -> Iterator[Family]:
    inner = range(1, axis.inner + 1)
    rare = [cell for cell in inner if p_b[cell] < RARE_SHARE]
    yield 0.35, [_gains(p_b, [cell], gain) for cell in inner for gain in CATEGORY_GAINS]
    yield 0.15, [_scaled(p_b, cell, CATEGORY_LOSS) for cell in inner if p_b[cell] < 0.95]
    yield 0.2, list(_swaps(p_b, axis))
    yield 0.3, [_gains(p_b, [cell], gain) for cell in (*rare, axis.inner + 2, axis.inner + 3) for gain in RARE_GAINS]


def _outside(axis: Axis) -> list[int]:
    """Return the cells of values that the reference does not have: beyond its ends and, of few values, between them."""
    reached = set(axis.cells.tolist())
    return [cell for cell in (0, axis.inner + 1, axis.inner + 3) if cell in reached]


def _moved(p_b: Floats, present: int, shift: float, spread: float) -> Floats:
    """Return the law after the normal scores of all present values are spread, then shifted.

    No cell is left without a chance, and missing keeps its share.
    """
    total = p_b[:present].sum()
    ranks = np.clip(np.cumsum(p_b[:present])[:-1] / total, 1e-12, 1 - 1e-12)
    normal, moved = NormalDist(), NormalDist(shift, spread)
    rising = np.array([0.0, *(moved.cdf(normal.inv_cdf(rank)) for rank in ranks.tolist()), 1.0])
    law_b = p_b.copy()
    law_b[:present] = np.maximum(np.diff(rising), 1e-6 * p_b[:present] / total) * total
    return np.asarray(law_b / law_b.sum())


def _waved(p_b: Floats, present: int, wave: int, size: float) -> Floats:
    """Return the law tilted by a cosine of the rank: two humps, a lean, fat shoulders (Neyman's smooth tests)."""
    law_b, rank_b = p_b.copy(), _ranks(p_b, present)
    law_b[:present] *= np.exp(size * np.sqrt(2.0) * np.cos(wave * np.pi * rank_b))
    return np.asarray(law_b / law_b.sum())


def _ranks(p_b: Floats, present: int) -> Floats:
    """Return the middle rank of each present cell, between 0 and 1."""
    return np.asarray((np.cumsum(p_b[:present]) - p_b[:present] / 2) / p_b[:present].sum())


def _mixed(p_b: Floats, law_b: Floats, share: float) -> Floats:
    return (1.0 - share) * p_b + share * law_b


def _regions(p_b: Floats, present: int) -> list[list[int]]:
    """Return runs of cells that hold about a tenth, a quarter, a half of the reference, from either end and inside."""
    middle_b = _ranks(p_b, present)
    bounds = ((0, 0.1), (0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1), (0.9, 1), (0.25, 0.75))
    found = [np.flatnonzero((middle_b >= low) & (middle_b <= high)).tolist() for low, high in bounds]
    distinct = {tuple(region): region for region in found if 0 < len(region) < present}
    return list(distinct.values())


def _gains(p_b: Floats, cells: list[int], gain: float) -> Floats:
    """Return the law when a share of all rows is replaced by rows of these cells."""
    law_b = (1.0 - gain) * p_b
    law_b[cells] += gain * p_b[cells] / p_b[cells].sum()
    return law_b


def _scaled(p_b: Floats, cell: int, factor: float) -> Floats:
    law_b = p_b.copy()
    law_b[cell] *= factor
    return np.asarray(law_b / law_b.sum())


def _swaps(p_b: Floats, axis: Axis) -> Iterator[Floats]:
    """Give the laws in which two of the most frequent categories change places."""
    frequent = 1 + np.argsort(-p_b[1 : axis.inner + 1], kind="stable")[:SWAPPED_CATEGORIES]
    for i, a in enumerate(frequent):
        for b in frequent[i + 1 :]:
            law_b = p_b.copy()
            law_b[[a, b]] = law_b[[b, a]]
            yield law_b
