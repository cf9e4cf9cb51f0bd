"""Effects: how far the present counts are from the reference's, in units that an operator knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells
from monitors.distances import Distance, jensen_shannon, kolmogorov_smirnov, population_stability
from monitors.reference import FeatureProfile
from monitors.words import change_in_words, shares_apart

__all__ = [
    "FeatureEffects",
    "Movement",
    "feature_effects",
    "rank_wasserstein",
    "share_differences",
    "share_noise",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NORMAL_99 = 2.576
TAIL_99 = 0.9
"""99 % points under no change: of a normal variable in absolute value; and of how far, in units of sqrt(1/n + 1/m), the
total variation of two samples lies above its mean (largest for two cells of one half)."""


@dataclass(frozen=True, slots=True)
class Movement:
    """One thing that may have moved: its effect, and what 1 % of windows of this size reach without any change."""

    name: str
    statistic: str
    effect: float
    noise: float
    before: str
    after: str

    @property
    def excess(self) -> float:
        """The part of the effect that the sample size does not explain."""
        return max(0.0, self.effect - self.noise)


@dataclass(frozen=True, slots=True)
class FeatureEffects:
    """Effects of one feature (or of a regression's value) over ``rows`` rows. Shares are of all rows.

    ``wasserstein`` and the three distances are ``None`` where there is no reference to compare with; the largest gap,
    ``ks``, is of ordered cells only and leaves missing and unseen values out.
    """

    name: str
    rows: int
    cells: Cells
    current: Ints
    reference: Ints | None
    psi: Distance | None
    jensen_shannon: Distance | None
    ks: Distance | None
    wasserstein: float | None
    wasserstein_noise: float
    missing: float
    missing_before: float
    missing_noise: float
    unseen: float
    unseen_before: float
    unseen_noise: float
    outside: float

    def moved(self) -> Movement | None:
        """Return the change of the distribution."""
        if self.wasserstein is None or self.reference is None:
            return None
        before, after = change_in_words(self.cells, self.reference, self.current)
        return Movement(self.name, "wasserstein", self.wasserstein, self.wasserstein_noise, before, after)

    def vanished(self) -> Movement:
        """Return the change of the missing share."""
        effect = abs(self.missing - self.missing_before)
        before, after = shares_apart(self.missing_before, self.missing)
        centre = f"{self.cells.centre(self.reference)}, " if self.reference is not None else ""
        return Movement(
            self.name, "missing", effect, self.missing_noise, f"{centre}missing {before}", f"missing {after}"
        )

    def strayed(self) -> Movement:
        """Return the change of the share of values that the reference does not know."""
        effect = max(0.0, self.unseen - self.unseen_before)
        before, after = shares_apart(self.unseen_before, self.unseen)
        return Movement(self.name, "unseen", effect, self.unseen_noise, f"unseen {before}", f"unseen {after}")


def feature_effects(name: str, cells: Cells, current: Ints, profile: FeatureProfile | None) -> FeatureEffects:
    """Compare present counts with the reference's.

    Parameters
    ----------
    name
        The feature.
    cells
        Its cells.
    current : (B + 4,) int64
        Present counts.
    profile
        Its reference, if any.
    """
    rows = int(current.sum())
    reference = np.asarray(profile.counts, dtype=np.int64) if profile else None
    compares = reference is not None and rows > 0 and reference.sum() > 0 and cells.kind != "any"
    before = reference if reference is not None else np.zeros_like(current)
    reference_rows = int(before.sum())
    present = cells.inner + 2
    missing, unseen = _share(current, cells.missing), _share(current, cells.unseen)
    missing_before, unseen_before = _share(before, cells.missing), _share(before, cells.unseen)
    return FeatureEffects(
        name=name,
        rows=rows,
        cells=cells,
        current=current,
        reference=reference,
        psi=population_stability(before, current) if compares else None,
        jensen_shannon=jensen_shannon(before, current) if compares else None,
        ks=kolmogorov_smirnov(before[:present], current[:present]) if compares and cells.is_ordered else None,
        wasserstein=_distance(cells, before, current) if compares else None,
        wasserstein_noise=_distance_noise(cells, before, current) if compares else 0.0,
        missing=missing,
        missing_before=missing_before,
        missing_noise=share_noise(missing_before, rows, reference_rows),
        unseen=unseen,
        unseen_before=unseen_before,
        unseen_noise=share_noise(unseen_before, rows, reference_rows),
        outside=_share(current, 0) + _share(current, cells.inner + 1),
    )


def rank_wasserstein(reference: Ints, current: Ints) -> float:
    """Return the Wasserstein-1 distance of two histograms over the same ordered cells, one step between neighbours.

    The steps from the first inner cell to the last make up 1; underflow and overflow lie one step outside. The distance
    is free of the feature's unit and no outlier can dominate it: at most 1.

    Parameters
    ----------
    reference, current : (B + 2,) int64
        Underflow, inner cells, overflow.

    Examples
    --------
    >>> rank_wasserstein(np.array([0, 60, 40, 0]), np.array([0, 10, 90, 0]))
    0.5
    """
    if not reference.sum() or not current.sum():
        return 0.0
    gaps = np.abs(np.cumsum(current / current.sum() - reference / reference.sum()))
    return min(1.0, float(gaps[:-1].sum()) / max(1, len(reference) - 3))


def share_differences(reference: Ints, current: Ints) -> Floats:
    """Return, cell by cell, the present share less the reference's."""
    return np.asarray(current / max(1, current.sum()) - reference / max(1, reference.sum()))


def share_noise(share: float, rows: int, reference_rows: int) -> float:
    """Return what the difference of two estimates of one share stays below in 99 % of windows of this size.

    Examples
    --------
    >>> round(share_noise(0.5, 200, 10_000), 3)
    0.092
    """
    if not rows or not reference_rows:
        return 0.0
    return float(NORMAL_99 * (share * (1.0 - share) * (1.0 / rows + 1.0 / reference_rows)) ** 0.5)


def _share(counts: Ints, cell: int) -> float:
    return float(counts[cell] / max(1, counts.sum()))


def _distance(cells: Cells, reference: Ints, current: Ints) -> float:
    """Return the distance of what the model sees, among the values that the reference knows.

    Missing values stand at the reference's middle, where imputing puts them. Unseen values have no place; their share
    is an effect of its own, and without a known value there is no distance.
    Cells without an order are all one step apart, so that their distance is the total variation.
    """
    p, q = _as_seen(cells, reference, reference), _as_seen(cells, reference, current)
    if not p.sum() or not q.sum():
        return 0.0
    if cells.is_ordered:
        return rank_wasserstein(p, q)
    return float(np.abs(share_differences(p, q)).sum() / 2.0)


def _as_seen(cells: Cells, reference: Ints, counts: Ints) -> Ints:
    present = reference[: cells.inner + 2]
    middle = int(np.searchsorted(np.cumsum(present), present.sum() / 2)) if cells.is_ordered else int(present.argmax())
    seen = counts[: cells.inner + 2].copy()
    seen[middle] += counts[cells.missing]
    return seen


def _distance_noise(cells: Cells, reference: Ints, current: Ints) -> float:
    """Return what the distance stays below in at least 99 % of windows of this size without change.

    Ordered cells: the mean of correlated absolute values is at most the root of their mean square, which for a single
    boundary is exact. Others: mean of the total variation and its tail. Unseen values are no part of the sample.
    """
    known, known_before = (int(counts.sum() - counts[cells.unseen]) for counts in (current, reference))
    if not known or not known_before:
        return 0.0
    precision = float((1.0 / known + 1.0 / known_before) ** 0.5)
    shares = reference[: cells.inner + 2] / max(1, reference[: cells.inner + 2].sum())
    if cells.is_ordered:
        below = np.cumsum(shares)[:-1]
        steps = max(1, cells.inner - 1)
        return float(NORMAL_99 * precision * ((below * (1.0 - below)).clip(min=0.0).sum() / steps) ** 0.5)
    mean = float(np.sqrt(shares * (1.0 - shares)).sum() * (2.0 / np.pi) ** 0.5 / 2.0)
    return precision * (mean + TAIL_99)
