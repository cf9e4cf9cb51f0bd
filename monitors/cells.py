"""Cells: how one feature or value is counted, so that counts of different times and hosts can be compared and added.

Every set of cells has the same frame: ``underflow, inner 1 .. inner B, overflow, missing, unseen``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.names import name_in_words

__all__ = ["FRAME_CELLS", "MAXIMUM_VALUES", "QUANTILE_CELLS", "Cells", "cells_for", "told_apart"]

FRAME_CELLS = 4
QUANTILE_CELLS = 16
MAXIMUM_VALUES = 32

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Precision = Literal["float16", "float32", "float64"]


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one feature.

    Parameters
    ----------
    kind
        ``quantiles``: cells between neighbouring ``points``; ``values``: one cell for each of ``points``;
        ``categories``: one for each code; ``any``: one for everything that is present.
    points
        Edges (quantiles; the first and last are the reference's minimum and maximum) or values, strictly rising.
    categories
        Meaning of the codes, for kind ``categories``.
    precision
        Values are rounded to this before they are compared, so that 0.1 sent as a double and 0.1 kept as a float32 fall
        into the same cell.

    Examples
    --------
    >>> cells = Cells("values", (0.0, 0.5, 1.0))
    >>> cells.index(np.array([0.5, 1.0, 0.7, -3.0, np.nan])).tolist()
    [2, 3, 6, 0, 5]
    >>> cells.labels()
    ('below 0', '0', '0.5', '1', 'above 1', 'missing', 'unseen')
    """

    kind: Literal["quantiles", "values", "categories", "any"]
    points: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    precision: Precision = "float64"

    @property
    def inner(self) -> int:
        """Number of cells without the frame."""
        sizes = {"quantiles": len(self.points) - 1, "values": len(self.points), "categories": len(self.categories)}
        return sizes.get(self.kind, 1)

    @property
    def size(self) -> int:
        """Number of cells with the frame."""
        return self.inner + FRAME_CELLS

    @property
    def missing(self) -> int:
        """Position of the cell that counts missing values."""
        return self.inner + 2

    @property
    def unseen(self) -> int:
        """Position of the cell that counts values that the reference (or the contract) does not know."""
        return self.inner + 3

    @property
    def is_ordered(self) -> bool:
        """Whether neighbouring cells are neighbours in value."""
        return self.kind in ("quantiles", "values")

    def index(self, values_n: Floats) -> Ints:
        """Return the cell of each value. Cost: O(n log B)."""
        x_n = round_to(self.precision, values_n)
        index_n = _INDEX[self.kind](self, x_n)
        index_n[np.isnan(x_n)] = self.missing
        return index_n

    def count(self, values_n: Floats) -> Ints:
        """Return how many values fall into each cell."""
        return np.bincount(self.index(values_n), minlength=self.size)

    def labels(self) -> tuple[str, ...]:
        """Return the name of each cell, for drawing."""
        if not self.is_ordered:
            names = self.categories if self.kind == "categories" else ("present",)
            return ("below", *names, "above", "missing", "unseen")
        text = told_apart(self.points)
        between = [f"{low} to {high}" for low, high in pairwise(text)]
        names = tuple(between) if self.kind == "quantiles" else tuple(text)
        return (f"below {text[0]}", *names, f"above {text[-1]}", "missing", "unseen")

    def centre(self, counts: Sequence[int] | Ints) -> str:
        """Say where the counts lie: the median of ordered cells, the mode of categories.

        Examples
        --------
        >>> Cells("values", (0.0, 0.5, 1.0)).centre([0, 1, 5, 2, 0, 0, 0])
        'median 0.5'
        """
        present_b = np.asarray(counts, dtype=np.int64)[: self.inner + 2]
        if not present_b.sum():
            return "no value"
        if self.is_ordered:
            return f"median {self._median(present_b)}"
        return f"mode {name_in_words(self.labels()[int(present_b.argmax())])}"

    def _median(self, present_b: Ints) -> str:
        """Return the median; between two edges it is interpolated."""
        half = present_b.sum() / 2
        rising_b = np.cumsum(present_b)
        cell = int(np.searchsorted(rising_b, half))
        if self.kind == "values" or cell in (0, self.inner + 1):
            return self.labels()[cell]
        low, high = self.points[cell - 1], self.points[cell]
        share = (half - (rising_b[cell] - present_b[cell])) / present_b[cell]
        return f"{low + share * (high - low):.4g}"


def told_apart(values: Sequence[float]) -> list[str]:
    """Return different numbers as texts of six digits or, where two would read alike, of as many as it takes.

    Examples
    --------
    >>> told_apart([0.25, 3.0]), told_apart([1234567.0, 1234568.0])
    (['0.25', '3'], ['1234567', '1234568'])
    """
    texts = [[f"{value:.{digits}g}" for value in values] for digits in (6, 9, 17)]
    return next((text for text in texts if len(set(text)) == len(text)), texts[-1])


def cells_for(values_n: Floats, precision: Precision = "float64") -> Cells:
    """Return cells by value for at most 32 distinct values, on 16 quantiles otherwise.

    Parameters
    ----------
    values_n
        Values of the reference; those that are not finite are ignored.
    precision
        Precision of the feature's dtype.
    """
    finite_n = round_to(precision, values_n[np.isfinite(values_n)])
    distinct = np.unique(finite_n)
    if not len(distinct):
        return Cells("any")
    if len(distinct) <= MAXIMUM_VALUES:
        return Cells("values", tuple(distinct.tolist()), precision=precision)
    edges = np.quantile(finite_n, np.linspace(0.0, 1.0, QUANTILE_CELLS + 1), method="lower")
    return Cells("quantiles", tuple(np.unique(edges).tolist()), precision=precision)


def round_to(precision: Precision, values_n: Floats) -> Floats:
    """Return the values as the precision can hold them, as float64."""
    if precision == "float64":
        return values_n
    with np.errstate(over="ignore"):
        return values_n.astype(precision).astype(np.float64)


def _by_quantile(cells: Cells, x_n: Floats) -> Ints:
    points = np.asarray(cells.points)
    index_n = np.searchsorted(points[1:-1], x_n, side="right") + 1
    index_n[x_n < points[0]] = 0
    index_n[x_n > points[-1]] = cells.inner + 1
    return index_n


def _by_value(cells: Cells, x_n: Floats) -> Ints:
    points = np.asarray(cells.points)
    nearest_n = np.minimum(np.searchsorted(points, x_n), len(points) - 1)
    index_n = np.where(points[nearest_n] == x_n, nearest_n + 1, cells.unseen)
    index_n[x_n < points[0]] = 0
    index_n[x_n > points[-1]] = cells.inner + 1
    return index_n


def _by_code(cells: Cells, x_n: Floats) -> Ints:
    known_n = (x_n >= 0) & (x_n < cells.inner)
    codes_n = np.where(known_n, x_n, 0.0).astype(np.int64)
    return np.where(known_n, codes_n + 1, cells.unseen)


def _anything(cells: Cells, x_n: Floats) -> Ints:
    return np.ones(len(x_n), dtype=np.int64)


_INDEX = {"quantiles": _by_quantile, "values": _by_value, "categories": _by_code, "any": _anything}
