"""The cells and counts of one channel as they are written, trusting nothing when they are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.evidence.dependence import BLOCK_ROWS
from monitors.evidence.grid import FRAME_CELLS, Axis
from monitors.transport.documents import DocumentRefused

__all__ = ["WrittenAxis", "WrittenCopy", "check_axis", "read_axis", "write_axis"]

MOST_CELLS = 64
"""Most inner cells of a channel; fitting makes at most 24. The table takes time that grows faster than their number."""
MOST_COUNTED = 2**53
"""Largest count: whole in a double, and its sums over a channel's cells do not overflow."""

LARGEST_DEPENDENCE = 2.0 * BLOCK_ROWS[-1]
"""Blocks of rows that are all alike show no more. A larger one would leave a channel without any bet that grows."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WrittenAxis:
    """A channel: its cells, reference counts and dependence."""

    edges: tuple[float, ...]
    cells: tuple[int, ...]
    counts: tuple[int, ...]
    inner: int
    is_ordered: bool
    is_category: bool
    phi: float
    every_row: tuple[int, ...] = ()
    is_heaping: bool = False


@dataclass(frozen=True, slots=True)
class WrittenCopy:
    """A channel within a segment: its cells are those of the whole."""

    counts: tuple[int, ...]
    phi: float
    every_row: tuple[int, ...] = ()


def write_axis(axis: Axis, counts_b: Ints, every_b: Ints, phi: float) -> WrittenAxis:
    """Return a channel as it is written; ``every_b`` is negative where repeated rows count like others."""
    edges, cells = tuple(axis.edges.tolist()), tuple(axis.cells.tolist())
    counts, every_row = tuple(counts_b[: axis.size].tolist()), tuple(every_b[: axis.size].tolist())
    every_row = every_row if min(every_row) >= 0 else ()
    kind = axis.is_ordered, axis.is_category
    return WrittenAxis(edges, cells, counts, axis.inner, *kind, phi, every_row, axis.is_heaping)


def read_axis(axis: WrittenAxis) -> Axis:
    """Return the cells of a channel that was checked."""
    cells = np.array(axis.cells, dtype=np.int64)
    kind = axis.is_ordered, axis.is_category, axis.is_heaping
    return Axis(np.array(axis.edges, dtype=np.float64), cells, axis.inner, *kind)


def check_axis(axis: WrittenAxis, where: str) -> None:
    """Refuse what no fit writes.

    Raises
    ------
    DocumentRefused
        Cells, counts or dependence that do not fit together.
    """
    if axis.inner > MOST_CELLS:
        raise DocumentRefused(where, f"expected at most {MOST_CELLS} inner cells, found {axis.inner}")
    size = axis.inner + FRAME_CELLS
    rising = all(low < high for low, high in zip(axis.edges, axis.edges[1:], strict=False))
    steps = len(axis.edges) + 1
    if axis.inner < 0 or not rising or len(axis.cells) != steps or not all(0 <= cell < size for cell in axis.cells):
        raise DocumentRefused(where, "edges rise, and every step has a cell")
    if len(axis.counts) != size or any(count < 0 for count in axis.counts):
        raise DocumentRefused(where, f"expected {size} counts")
    if not 1 <= axis.phi <= LARGEST_DEPENDENCE:
        raise DocumentRefused(where, f"expected a dependence from 1 to {LARGEST_DEPENDENCE:g}, found {axis.phi:g}")
    if sum(axis.counts) > MOST_COUNTED or sum(axis.every_row) > MOST_COUNTED:
        raise DocumentRefused(where, f"expected at most {MOST_COUNTED} counted rows")
    if axis.every_row and (len(axis.every_row) != size or min(axis.every_row) < 0):
        raise DocumentRefused(where, f"expected {size} counts of every row, or none")
