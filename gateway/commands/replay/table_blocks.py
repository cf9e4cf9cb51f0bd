"""A CSV table as blocks of rows with the version's own answers, read as a stream."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.commands.replay.answered import RowAnswers
from gateway.commands.replay.block import BLOCK_ROWS, Block
from gateway.commands.replay.row_times import RowTimes
from gateway.commands.table import TableInvalid, bounded_lines, read_header, read_lines
from gateway.commands.table_columns import Lines, rows_of
from gateway.engine.version import ServableVersion

__all__ = ["read_table_blocks"]


def read_table_blocks(path: Path, version: ServableVersion, time_column: str = "") -> Iterator[Block]:
    """Give the rows of a CSV file, converted by the version's contract and answered by the version.

    Parameters
    ----------
    path
        Comma-separated UTF-8; the first line names the columns, an empty cell is a missing value.
    version
        Whose features the columns are.
    time_column
        Column of ISO 8601 times or Unix seconds, if any.

    Raises
    ------
    TableInvalid
        The file cannot be read, lacks a column, or a cell breaks the contract; names file, line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _Table(path.name, version, time_column).blocks(
                csv.reader(bounded_lines(file, path.name), strict=True)
            )
    except UnicodeDecodeError as exc:
        raise TableInvalid(f"{path.name} is not UTF-8 text") from exc


class _Table:
    """One pass over a table."""

    def __init__(self, name: str, version: ServableVersion, time_column: str) -> None:
        self._name, self._version, self._time_column = name, version, time_column
        self._answers, self._times = RowAnswers(version), RowTimes()

    def blocks(self, reader: Any) -> Iterator[Block]:
        lines = read_lines(reader, self._name)
        header, places = read_header(lines, self._version.contract, self._name)
        if self._time_column and self._time_column not in header:
            raise TableInvalid(f"{self._name}: the first line has no column {self._time_column!r}; it has {header}")
        at = header.index(self._time_column) if self._time_column else None
        found = False
        while block := list(islice(lines, BLOCK_ROWS)):
            found = True
            cells = rows_of(block, places, self._name)
            place = self._placing(block)
            times_n = None if at is None else self._times_of(block, at, place)
            yield Block(self._answers.of(cells), times_n, place)
        if not found:
            raise TableInvalid(f"{self._name} has no rows")

    def _placing(self, block: Lines) -> Callable[[int], str]:
        return lambda i: f"{self._name}, line {block[i][0]}"

    def _times_of(self, block: Lines, at: int, place: Callable[[int], str]) -> npt.NDArray[np.float64]:
        column = f"column {self._time_column!r}"
        return self._times.of([cells[at] for _, cells in block], lambda i: f"{place(i)}, {column}")
