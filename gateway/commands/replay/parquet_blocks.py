"""A Parquet table as blocks of rows with the version's own answers, read as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.codec.parquet import Kind, ParquetReader, ParquetRefused
from gateway.commands.replay.answered import RowAnswers
from gateway.commands.replay.block import BLOCK_ROWS, Block
from gateway.commands.replay.row_times import RowTimes
from gateway.commands.table import TableInvalid, allowed_value, converted_number, feature_places
from gateway.contract import Feature
from gateway.engine.version import ServableVersion

__all__ = ["read_parquet_blocks"]

Values = list[Any]

NUMBERS: tuple[Kind, ...] = ("number", "whole", "bool", "nothing")
TEXTS: tuple[Kind, ...] = ("text", "nothing")
TIMES: tuple[Kind, ...] = ("time", "number", "whole", "text")
INSTEAD: dict[Kind, str] = {
    "text": "cast it to a number",
    "time": "give what matters of it as a number, such as an age or an hour",
}


def read_parquet_blocks(path: Path, version: ServableVersion, time_column: str = "") -> Iterator[Block]:
    """Give the rows of a Parquet file, held to the version's contract and answered by the version.

    Parameters
    ----------
    path
        Columns by the names of the features; others are passed over. Null is a missing value, and so is NaN in a
        number.
    version
        Whose features the columns are.
    time_column
        Column of times, ISO 8601 texts or Unix seconds, if any; without a zone they are UTC.

    Raises
    ------
    TableInvalid
        The file cannot be read, lacks a column, holds one that is not of its feature's kind, or a value breaks the
        contract; names file, row (from 1 on), column, what was expected and what was found.
    """
    try:
        with ParquetReader(path) as file:
            yield from _Table(file, version, time_column).blocks()
    except ParquetRefused as exc:
        raise TableInvalid(str(exc)) from exc


class _Table:
    """One pass over a table."""

    def __init__(self, file: ParquetReader, version: ServableVersion, time_column: str) -> None:
        self._file, self._time_column = file, time_column
        self._features = [f for f, _ in feature_places(file.columns, version.contract, f"{file.name}: its schema")]
        self._answers, self._times = RowAnswers(version), RowTimes()
        self._row = 0
        if time_column and time_column not in file.columns:
            raise TableInvalid(f"{file.name}: its schema has no column {time_column!r}; it has {file.columns}")

    def blocks(self) -> Iterator[Block]:
        self._check_kinds()
        rows = self._rows()
        given = 0
        while part := list(islice(rows, BLOCK_ROWS)):
            cells, times = zip(*part, strict=True)
            times_n = np.array(times) if self._time_column else None
            yield Block(self._answers.of(list(cells)), times_n, self._placing(given))
            given += len(part)
        if not given:
            raise TableInvalid(f"{self._file.name} has no rows")

    def _check_kinds(self) -> None:
        for feature in self._features:
            kind, is_text = self._file.kind(feature.name), feature.dtype == "string"
            if kind not in (TEXTS if is_text else NUMBERS):
                instead = "cast it to text" if is_text else INSTEAD.get(kind, "cast it to a number or leave it out")
                self._refuse(feature.name, f"the feature is {feature.dtype}: {instead}")
        if self._time_column and self._file.kind(self._time_column) not in TIMES:
            self._refuse(self._time_column, "a time is needed: cast it to a timestamp")

    def _refuse(self, column: str, needed: str) -> None:
        told = f"{self._file.name}, column {column!r} is of type {self._file.type_name(column)}"
        raise TableInvalid(f"{told}, and {needed}")

    def _rows(self) -> Iterator[tuple[tuple[Any, ...], float]]:
        """Give the features of each row in their order, with its time."""
        names = dict.fromkeys([*(f.name for f in self._features), *([self._time_column] if self._time_column else ())])
        for columns in self._file.batches(list(names)):
            n = len(next(iter(columns.values())))
            times = self._times_of(columns[self._time_column]) if self._time_column else [0.0] * n
            values = [self._column(columns[feature.name], feature) for feature in self._features]
            yield from zip(zip(*values, strict=True), times, strict=True)
            self._row += n

    def _column(self, values: Values, feature: Feature) -> Values:
        """Return a column's values; whatever is not plainly right is looked at value by value."""
        if _is_plain(values, feature):
            return values
        return [self._value(value, feature, i) for i, value in enumerate(values)]

    def _value(self, value: Any, feature: Feature, i: int) -> Any:
        where = self._where(feature.name, i)
        if value is not None and feature.dtype != "string":
            value = converted_number(value, feature, where)
        return allowed_value(value, feature, where)

    def _times_of(self, values: Values) -> list[float]:
        times: list[float] = self._times.of(values, lambda i: self._where(self._time_column, i)).tolist()
        return times

    def _where(self, column: str, i: int) -> str:
        return f"{self._placing(self._row)(i)}, column {column!r}"

    def _placing(self, before: int) -> Callable[[int], str]:
        return lambda i: f"{self._file.name}, row {before + i + 1}"


def _is_plain(values: Values, feature: Feature) -> bool:
    """Return whether nothing of a column needs a second look: a twentieth of what that takes."""
    if feature.dtype == "string":
        known = set(values)
        return None not in known and known <= set(map(str, feature.categories))
    if not feature.dtype.startswith("float") or feature.categories or None in values:
        return False
    largest = float(np.finfo(feature.dtype).max)
    low = -largest if feature.minimum is None else feature.minimum
    high = largest if feature.maximum is None else feature.maximum
    values_n: npt.NDArray[np.float64] = np.array(values, dtype=np.float64)
    return bool(((low <= values_n) & (values_n <= high)).all())
