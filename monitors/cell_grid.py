"""Cells of many features at once, found for small blocks of rows in a few array operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells, Precision, round_to

__all__ = ["CellGrid"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class CellGrid:
    """The cells of all features of a stream.

    Parameters
    ----------
    cells
        Of each feature, in the order of the columns.

    Notes
    -----
    A feature by itself costs ten calls a block, at 200 rows most of the time. Instead every value is compared with all
    inner edges of its feature, for all features on quantiles that are of one precision; others are looked up singly.
    Cost: O(n d B). The cell of a value is that of ``Cells.index``.

    Examples
    --------
    >>> grid = CellGrid([Cells("quantiles", (0.0, 1.0, 2.0)), Cells("categories", categories=("a", "b"))])
    >>> grid.index(np.array([[0.5, 1.0], [2.5, -1.0], [np.nan, 0.0]])).tolist()
    [[1, 2], [3, 5], [4, 1]]
    """

    def __init__(self, cells: Sequence[Cells]) -> None:
        self._cells = tuple(cells)
        together: dict[Precision, list[int]] = {}
        for d, each in enumerate(cells):
            if each.kind == "quantiles":
                together.setdefault(each.precision, []).append(d)
        self._together = [_Quantiles(columns, [cells[d] for d in columns]) for columns in together.values()]
        self._apart = [d for d, each in enumerate(cells) if each.kind != "quantiles"]

    def index(self, values_nd: Floats) -> Ints:
        """Return the cell of each value: (n, d) int64."""
        if len(self._together) == 1 and not self._apart:
            return self._together[0].index(values_nd)
        index_nd = np.empty(values_nd.shape, dtype=np.int64)
        for quantiles in self._together:
            index_nd[:, quantiles.columns] = quantiles.index(values_nd[:, quantiles.columns])
        for d in self._apart:
            index_nd[:, d] = self._cells[d].index(values_nd[:, d])
        return index_nd


class _Quantiles:
    """Features on quantiles, of one precision."""

    def __init__(self, columns: list[int], cells: list[Cells]) -> None:
        self.columns = columns
        self._precision: Precision = cells[0].precision
        self._inner_ec = np.full((max(each.inner for each in cells), 1, len(cells)), np.nan)
        for c, each in enumerate(cells):
            self._inner_ec[: each.inner - 1, 0, c] = each.points[1:-1]
        self._low_c = np.array([each.points[0] for each in cells])
        self._high_c = np.array([each.points[-1] for each in cells])
        self._above_c = np.array([each.inner + 1 for each in cells])
        self._missing_c = np.array([each.missing for each in cells])

    def index(self, values_nc: Floats) -> Ints:
        x_nc = round_to(self._precision, values_nc)
        index_nc: Ints = np.count_nonzero(x_nc >= self._inner_ec, axis=0)
        index_nc += 1
        np.copyto(index_nc, 0, where=x_nc < self._low_c)
        np.copyto(index_nc, self._above_c, where=x_nc > self._high_c)
        np.copyto(index_nc, self._missing_c, where=np.isnan(x_nc))
        return index_nc
