"""Segments: the values of one feature by which a reference, and later its traffic, is told apart.

Their number is fixed by the reference: its most frequent values, and one pool, ``other``, for the rest, for values that
are missing and for values that nobody knows. No request can add one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells, told_apart
from monitors.names import EMPTY, shortened

__all__ = ["LEAST_ROWS", "MAXIMUM_SEGMENTS", "OTHER", "Split", "split_of", "with_other"]

MAXIMUM_SEGMENTS = 8
"""Values with a segment of their own; ``other`` comes on top."""
LEAST_ROWS = 50
"""Rows of the reference that a value needs for a segment of its own."""
OTHER = "other"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """A feature and which of its cells have a segment of their own; all other cells make up the last segment.

    Parameters
    ----------
    feature
        Name of the feature.
    cells
        Position among the feature's cells of each segment but the last, at most 8.
    """

    feature: str
    cells: tuple[int, ...]

    def codes(self, cells: Cells, index_n: Ints) -> Ints:
        """Return the segment of each row, given the cell that its value falls into.

        Examples
        --------
        >>> cells = Cells("categories", categories=("a", "b", "c"))
        >>> Split("kind", (3, 1)).codes(cells, np.array([1, 2, 3, 6])).tolist()
        [1, 2, 0, 2]
        """
        segment_b = np.full(cells.size, len(self.cells), dtype=np.int64)
        segment_b[list(self.cells)] = np.arange(len(self.cells))
        return np.asarray(segment_b[index_n])

    def names(self, cells: Cells) -> tuple[str, ...]:
        """Return what the segments are called, each another name: the same as in evidence, which knows no other cell.

        Examples
        --------
        >>> Split("shop", (1, 3)).names(Cells("values", (1234567.0, 1234568.0, 2000000.0)))
        ('1.23457e+06', '2e+06', 'other')
        """
        if cells.is_ordered:
            return with_other(told_apart([cells.points[cell - 1] for cell in self.cells]))
        labels = cells.labels()
        return with_other([labels[cell] for cell in self.cells])


def with_other(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of segments and, last, that of all other rows.

    No name is empty, as Prometheus takes an empty label for none, or longer than 100 characters: the rest of a longer
    one is told by its digest.

    Examples
    --------
    >>> with_other(["new", "old"]), with_other(["other", ""])
    (('new', 'old', 'other'), ('other', 'empty text', 'any other'))
    """
    told = [shortened(name) for name in names]
    empty = _unlike(EMPTY, told)
    told = [name or empty for name in told]
    return (*told, _unlike(OTHER, told))


def _unlike(name: str, names: Sequence[str]) -> str:
    while name in names:
        name = f"any {name}"
    return name


def split_of(feature: str, cells: Cells, counts: Ints) -> Split:
    """Return the split of a reference by one of its features.

    Parameters
    ----------
    feature
        Its name.
    cells, counts
        Its cells, and the reference's rows in each.

    Raises
    ------
    ValueError
        When its values are not single ones (a number with more than 32 of them, a text without categories), none is
        frequent enough, or all rows have the same.
    """
    if cells.kind not in ("values", "categories"):
        raise ValueError(f"{feature} has no single values to tell segments by: at most 32, or declared categories")
    frequent = sorted(range(1, cells.inner + 1), key=lambda cell: (-int(counts[cell]), cell))
    chosen = [cell for cell in frequent[:MAXIMUM_SEGMENTS] if counts[cell] >= LEAST_ROWS]
    if not chosen:
        raise ValueError(f"no value of {feature} has {LEAST_ROWS} rows, which a segment needs")
    if counts[chosen[0]] == counts.sum():
        raise ValueError(f"{feature} has one value in all rows of the reference, which tells no segments apart")
    return Split(feature, tuple(chosen))
