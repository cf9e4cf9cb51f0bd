"""Distances: how far the counts of a stream are from the reference, channel by channel, and what chance explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.effects import NORMAL_99, TAIL_99
from monitors.evidence.heaping import heaped_share
from monitors.evidence.model import EvidenceModel
from monitors.words import PERCENTILES, level_to_tell, shares_apart

__all__ = ["Distance", "Distances", "Kind"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HEAPED_99 = 2.8
"""99 % point under no change of the squared distance over groups of exact values, in its standard deviations."""

Kind = Literal["values", "absent"]
"""``values``: among the values that the reference knows, in its ranks, or as total variation of categories; of exact
values that gather, the share of all rows that one value would have to take.
``absent``: the share of values that are missing or unseen."""


@dataclass(frozen=True, slots=True)
class Distance:
    """The largest distance among some channels, and what it stays below in 99 % of samples without a change."""

    effect: float
    band: float


class Distances:
    """Distances of all channels of a model.

    Parameters
    ----------
    model
        Cells, reference and dependence: a sample of dependent rows counts as so many fewer.

    Notes
    -----
    Cost: a few operations on arrays of the size of the counts.
    """

    def __init__(self, model: EvidenceModel) -> None:
        axes = model.channels.grid.axes
        cells_b = np.arange(model.counts_cb.shape[1])
        inner_c = np.array([axis.inner for axis in axes], dtype=np.int64)
        self._known_cb: Bools = cells_b < (inner_c + 2)[:, None]
        self._missing_cb: Bools = cells_b == (inner_c + 2)[:, None]
        self._unseen_cb: Bools = cells_b == (inner_c + 3)[:, None]
        self._counted_cb = (
            self._known_cb | self._missing_cb | self._unseen_cb
        )  # rows that repeat others lie beside them
        self._ordered_c: Bools = np.array([axis.is_ordered for axis in axes], dtype=np.bool_)
        self._phi_c = model.phi_c
        self._reference_cb = model.table.reference_cb
        law_cb = self._law(self._reference_cb)
        self._law_cb, self._below_cb = law_cb, np.cumsum(law_cb, axis=1)
        spread_c = (self._below_cb * (1.0 - self._below_cb) * law_cb).sum(axis=1).clip(min=0.0)
        mixed_c = np.sqrt(law_cb * (1.0 - law_cb)).sum(axis=1) * (2.0 / np.pi) ** 0.5 / 2.0 + TAIL_99
        self._unit_band_c = np.where(self._ordered_c, NORMAL_99 * np.sqrt(spread_c), mixed_c)
        self._heaping = [c for c, axis in enumerate(axes) if axis.is_heaping]
        of_groups_c = np.sqrt(HEAPED_99 * np.sqrt(2.0 * (law_cb**2).sum(axis=1)))
        self._unit_band_c[self._heaping] = of_groups_c[self._heaping]

    def all(self, counts_cb: Ints, kind: Kind) -> tuple[Floats, Floats]:
        """Return effect and band of each channel: (c,) float64 each; no row at all is no effect."""
        rows_c = np.where(self._counted_cb, counts_cb, 0).sum(axis=1)
        root_c = np.sqrt(np.maximum(rows_c, 1) / self._phi_c)
        if kind == "values":
            return np.where(rows_c > 0, self._of_values(counts_cb), 0.0), self._unit_band_c / root_c
        shares_cb = counts_cb / np.maximum(rows_c, 1)[:, None]
        gaps = [np.where(mask, shares_cb - self._reference_cb, 0.0).sum(axis=1) for mask in self._frame]
        before_c = np.where(self._frame[0] | self._frame[1], self._reference_cb, 0.0).sum(axis=1)
        effect_c = np.maximum(np.abs(gaps[0]), gaps[1].clip(min=0.0))
        return np.where(rows_c > 0, effect_c, 0.0), NORMAL_99 * np.sqrt(before_c * (1.0 - before_c)) / root_c

    def largest(self, counts_cb: Ints, which_c: Bools, kind: Kind) -> Distance:
        """Return the largest effect among some channels, with its band."""
        effect_c, band_c = self.all(counts_cb, kind)
        c = int(np.argmax(np.where(which_c, effect_c, -1.0)))
        return Distance(float(effect_c[c]), float(band_c[c]))

    def in_ranks(self, c: int, counts_b: Ints) -> tuple[str, str]:
        """Return in words where a quantile that tells the change lies in the reference's ranks, before and now."""
        known_b = counts_b[self._known_cb[c]]
        if not known_b.sum():
            return "a value", "no value"
        now_e = np.cumsum([0.0, *known_b]) / known_b.sum()
        before_e = np.array([0.0, *self._below_cb[c, : len(known_b)]]).clip(max=1.0)
        rank_of = {level: float(np.interp(level, now_e, before_e)) for level in PERCENTILES}
        level = level_to_tell({each: rank - each for each, rank in rank_of.items()})
        before, after = shares_apart(level, rank_of[level])
        return f"{PERCENTILES[level]} at {before}", f"{PERCENTILES[level]} at {after} of the reference"

    @property
    def _frame(self) -> tuple[Bools, Bools]:
        return self._missing_cb, self._unseen_cb

    def _law(self, counts_cb: Ints | Floats) -> Floats:
        known_cb = np.where(self._known_cb, counts_cb, 0.0)
        return np.asarray(known_cb / np.maximum(known_cb.sum(axis=1), 1e-300)[:, None])

    def _of_values(self, counts_cb: Ints) -> Floats:
        law_cb = self._law(counts_cb)
        gaps_cb = np.abs(np.cumsum(law_cb, axis=1) - self._below_cb)
        before_cb = np.concatenate([np.zeros((len(gaps_cb), 1)), gaps_cb[:, :-1]], axis=1)
        ranks_c = ((gaps_cb + before_cb) / 2.0 * self._law_cb).sum(axis=1)
        variation_c = np.abs(law_cb - self._law_cb).sum(axis=1) / 2.0
        is_known_c = law_cb.sum(axis=1) > 0.0
        for c in self._heaping:
            known_b = self._known_cb[c]
            variation_c[c] = heaped_share(counts_cb[c, known_b], self._law_cb[c, known_b], float(self._phi_c[c]))
        return np.where(is_known_c, np.where(self._ordered_c, ranks_c, variation_c), 0.0)
