"""Positions: where values lie in the reference's distribution (the probability integral transform), on its cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells
from monitors.effects import NORMAL_99, FeatureEffects, Movement

__all__ = ["Position", "assess_position", "positions"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONSTANT_SPREAD = 0.1
MODAL, MODAL_BEFORE = 0.9, 0.5
"""Constant is below a tenth of the reference's spread, or when nine in ten lie in one cell and half did not."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a regression's answers lie in the reference's distribution.

    ``mean`` is 0.5 on the reference. ``spread`` is the standard deviation of the positions as a ratio of the
    reference's, ``modal`` the share of the fullest cell. ``noise`` is what the lost spread stays below in 99 % of
    windows of this size when nothing has changed.
    """

    rows: int
    mean: float
    spread: float
    noise: float
    modal: float
    modal_before: float

    @property
    def is_constant(self) -> bool:
        """Whether the answers hardly depend on the input any more."""
        return self.spread < CONSTANT_SPREAD or (self.modal > MODAL and self.modal_before < MODAL_BEFORE)

    def narrowed(self) -> Movement:
        """Return the share of the spread that is lost."""
        how = " (constant-output)" if self.is_constant else ""
        after = f"spread {self.spread:.2f} of the reference's, {100 * self.modal:.0f} % in one cell{how}"
        before = f"{100 * self.modal_before:.0f} % in the fullest cell"
        return Movement("answer", "lost_spread", max(0.0, 1.0 - self.spread), self.noise, before, after)


def positions(cells: Cells, counts: Ints) -> Floats:
    """Return the position of each cell: the reference's share below it and half of that in it.

    Values that are missing or unseen stand in the middle.

    Examples
    --------
    >>> positions(Cells("values", (1.0, 2.0)), np.array([0, 30, 10, 0, 5, 0])).tolist()
    [0.0, 0.375, 0.875, 1.0, 0.5, 0.5]
    """
    positions_b = np.full(cells.size, 0.5)
    present_b = counts[: cells.inner + 2]
    if present_b.sum():
        shares_b = present_b / present_b.sum()
        positions_b[: cells.inner + 2] = np.cumsum(shares_b) - shares_b / 2.0
    return positions_b


def assess_position(value: FeatureEffects | None) -> Position | None:
    """Return where a regression's answers lie; ``None`` without a reference that varies, and without present values.

    Parameters
    ----------
    value
        The effects of the answers.
    """
    if value is None or value.reference is None or not value.cells.is_ordered:
        return None
    known = value.cells.inner + 2
    at_b, before_b, now_b = (
        positions(value.cells, value.reference)[:known],
        value.reference[:known],
        value.current[:known],
    )
    rows, reference_rows = int(now_b.sum()), int(before_b.sum())
    variance_before, fourth = _moments(at_b, before_b)
    if not rows or variance_before <= 0.0:
        return None
    variance, _ = _moments(at_b, now_b)
    kurtosis = fourth / variance_before**2
    return Position(
        rows=rows,
        mean=float(now_b @ at_b) / rows,
        spread=(variance / variance_before) ** 0.5,
        noise=NORMAL_99 * (max(0.0, kurtosis - 1.0) / 4.0 * (1.0 / rows + 1.0 / reference_rows)) ** 0.5,
        modal=float(now_b.max() / rows),
        modal_before=float(before_b.max() / reference_rows),
    )


def _moments(at_b: Floats, counts_b: Ints) -> tuple[float, float]:
    """Return the second and fourth central moment of positions."""
    total = int(counts_b.sum())
    if not total:
        return 0.0, 0.0
    away_b = at_b - float(counts_b @ at_b) / total
    return float(counts_b @ away_b**2) / total, float(counts_b @ away_b**4) / total
