"""Grids: the cells of many channels at once, found for small batches in a few array operations.

The cells of a channel are ``below, inner 1 .. inner B, above, missing, unseen``. Numbers fall between edges: quantiles
of the reference, with a cell of its own for each value that is common, or one cell for each value where there are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitors.evidence.heaping import GROUPS

__all__ = [
    "FEW_VALUES", "FRAME_CELLS", "LEVELS", "Axis", "Grid", "category_axis", "heap_axis", "number_axis", "rank_axis",
]  # fmt: skip

FRAME_CELLS = 4
FEW_VALUES = 12
LARGEST_CATEGORY_COUNT = 24
COMMON_SHARE = 0.05
LEVELS = (0.005, 0.02, 0.05, 0.1, 0.16, 0.23, 0.3, 0.4, 0.5, 0.6, 0.7, 0.77, 0.84, 0.9, 0.95, 0.98, 0.995)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Cells of one channel.

    Parameters
    ----------
    edges : (e,) float64
        Rising. A number's step is how many edges it has reached; a category's step is its code plus one.
    cells : (e + 1,) int64
        Cell of each step.
    inner
        Number of cells without the frame of four.
    is_ordered
        Whether neighbouring inner cells are neighbours in value.
    is_category
        Whether values are codes.
    is_heaping
        Whether the codes are groups of exact values.
    """

    edges: Floats
    cells: Ints
    inner: int
    is_ordered: bool
    is_category: bool = False
    is_heaping: bool = False

    @property
    def size(self) -> int:
        """Number of cells with the frame."""
        return self.inner + FRAME_CELLS


def number_axis(values_r: Floats, slack: float = 0.0) -> Axis:
    """Return the cells of a number from the values of its reference; those that are not finite are ignored.

    Parameters
    ----------
    values_r : (r,) float64
        Reference.
    slack
        Values so close are the same: a model's answer to one row differs in the last bits from batch to batch.

    Examples
    --------
    >>> axis = number_axis(np.array([0.0, 1.0, 1.0, 2.0]))
    >>> axis.inner, axis.edges[:2].tolist()
    (3, [0.0, 5e-324])
    """
    finite_r = values_r[np.isfinite(values_r)]
    distinct_v, counts_v = np.unique(finite_r, return_counts=True)
    if len(distinct_v) <= FEW_VALUES:
        return _value_axis(distinct_v, slack)
    common_v = distinct_v[counts_v >= COMMON_SHARE * len(finite_r)]
    inner_e = np.quantile(finite_r, LEVELS, method="inverted_cdf")
    starts_e = np.concatenate([distinct_v[:1], inner_e, common_v]) - slack
    edges_e = np.unique(np.concatenate([starts_e, _after(distinct_v[-1:], slack), _after(common_v, slack)]))
    return Axis(edges_e, np.arange(len(edges_e) + 1), len(edges_e) - 1, is_ordered=True)


def rank_axis(steps: int) -> Axis:
    """Return the cells of a rank: how many of so many edges a value has reached; none is below, all is above."""
    return Axis(np.arange(1.0, steps + 1.0), np.arange(steps + 1), steps - 1, is_ordered=True)


def category_axis(codes_r: Floats, categories: int) -> Axis:
    """Return the cells of a category: one for each of the most frequent codes, one for all others that are known."""
    codes_r = codes_r[(codes_r >= 0) & (codes_r < categories)].astype(np.int64)
    counts_k = np.bincount(codes_r, minlength=categories)
    inner = min(categories, LARGEST_CATEGORY_COUNT)
    cells_k = np.full(categories, inner, dtype=np.int64)
    frequent = np.argsort(-counts_k, kind="stable")[: inner if inner == categories else inner - 1]
    cells_k[np.sort(frequent)] = np.arange(1, len(frequent) + 1)
    unseen = inner + 3
    steps = np.concatenate([[unseen], cells_k, [unseen]])
    return Axis(np.arange(categories + 1.0), steps, inner, is_ordered=False, is_category=True)


def heap_axis() -> Axis:
    """Return the cells of the groups of exact values: one each."""
    groups = category_axis(np.zeros(0), GROUPS)
    return replace(groups, is_heaping=True)


def _value_axis(distinct_v: Floats, slack: float) -> Axis:
    """Give each value a cell; what lies between two values is unseen."""
    inner = len(distinct_v)
    slack = min(slack, float(np.diff(distinct_v).min(initial=np.inf)) / 4.0)
    edges_e = np.stack([distinct_v - slack, _after(distinct_v, slack)], axis=1).ravel()
    cells = np.full(2 * inner + 1, inner + 3, dtype=np.int64)
    cells[1::2] = np.arange(1, inner + 1)
    if inner:
        cells[0], cells[-1] = 0, inner + 1
    return Axis(edges_e, cells, inner, is_ordered=True)


def _after(values: Floats, slack: float) -> Floats:
    return np.nextafter(values + slack, np.inf)


class Grid:
    """Cells of all channels, numbers first, then categories.

    Parameters
    ----------
    axes
        Cells of each channel; categories must come last.
    spare_cells
        Cells beyond those of the widest channel, for rows that do not count.
    copies
        Channels that are there once more behind all others, with the same cells, for a part of the rows.

    Notes
    -----
    A search per channel costs a call per channel and batch; at 32 rows that is most of the time. Instead every value is
    compared with every edge of its channel at once: 32 rows, 40 channels and 20 edges are 26,000 comparisons, about
    15 microseconds. Cost: O(n C E). A value's cell depends on that value alone, so counts do not depend on the batch.
    """

    def __init__(self, axes: Sequence[Axis], spare_cells: int = 0, copies: Sequence[int] = ()) -> None:
        self.axes = (*axes, *(axes[c] for c in copies))
        self.channels = len(self.axes)
        self.width = max((axis.size for axis in axes), default=FRAME_CELLS) + spare_cells
        self.beyond = self.channels * self.width
        self._numbers = sum(not axis.is_category for axis in axes)
        numbers, categories = axes[: self._numbers], axes[self._numbers :]
        steps = max((len(axis.edges) for axis in numbers), default=0)
        self._edges_ec = np.full((steps, 1, len(numbers)), np.nan)
        for c, axis in enumerate(numbers):
            self._edges_ec[: len(axis.edges), 0, c] = axis.edges
        self._largest_code_c = np.array([len(axis.edges) - 1.0 for axis in categories])
        self._cells, self._offsets_c = self._flatten(axes)
        self._missing_c = np.array([c * self.width + axis.size - 2 for c, axis in enumerate(axes)], dtype=np.int64)

    def positions(self, values_nc: Floats) -> Ints:
        """Return the position of each value's cell in the flattened (channels, width) counts; not those in copies.

        Parameters
        ----------
        values_nc : (n, c) float64
            NaN is missing.
        """
        steps_nc = np.empty(values_nc.shape, dtype=np.int64)
        numbers_nc, codes_nc = values_nc[:, : self._numbers], values_nc[:, self._numbers :]
        reached = numbers_nc >= self._edges_ec
        steps_nc[:, : self._numbers] = np.add.reduce(reached.view(np.int8), axis=0, dtype=np.int8)
        if codes_nc.shape[1]:
            known_nc = np.fmax(np.minimum(codes_nc, self._largest_code_c), -1.0)  # fmax makes -1 of a missing one
            np.floor(known_nc, out=steps_nc[:, self._numbers :], casting="unsafe")
        steps_nc += self._offsets_c
        positions_nc = self._cells.take(steps_nc)
        np.copyto(positions_nc, self._missing_c, where=np.isnan(values_nc))
        return positions_nc

    def counts(self, values_nc: Floats) -> Ints:
        """Return how many values fall into each cell: (c, width) int64; cells beyond a channel's own stay 0."""
        return self.tally(self.positions(values_nc))

    def tally(self, positions_nc: Ints) -> Ints:
        """Return how often each position occurs: (c, width) int64; the one ``beyond`` all channels is left out."""
        flat = np.bincount(positions_nc.ravel(), minlength=self.beyond + 1)
        return flat[: self.beyond].reshape(self.channels, self.width)

    def tally_groups(self, positions_nc: Ints, group_n: Ints, groups: int) -> Ints:
        """Return the same for each group of rows: (groups, c, width) int64."""
        slots = self.beyond + 1
        flat = np.bincount((positions_nc + (group_n * slots)[:, None]).ravel(), minlength=groups * slots)
        return flat.reshape(groups, slots)[:, : self.beyond].reshape(groups, self.channels, self.width)

    def _flatten(self, axes: Sequence[Axis]) -> tuple[Ints, Ints]:
        """Return position by step of all channels behind each other, and where each channel's step 0, or code 0, is."""
        parts = [axis.cells + c * self.width for c, axis in enumerate(axes)]
        offsets = np.cumsum([0, *(len(part) for part in parts)])[:-1] + [axis.is_category for axis in axes]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64), offsets.astype(np.int64)
