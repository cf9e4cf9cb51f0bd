"""A CSV table as rows of a version's features, converted by its contract."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from gateway.codec.strict import exact
from gateway.contract import Contract, Feature

__all__ = [
    "LONGEST_LINE",
    "Row",
    "Table",
    "TableInvalid",
    "allowed_value",
    "bounded_lines",
    "cell_value",
    "converted_number",
    "feature_places",
    "moment_s",
    "read_header",
    "read_lines",
    "read_table",
]

LONGEST_LINE = 16 * 1024**2
"""Characters of a line: thousands of columns need fewer, and a file may be one line without an end."""

MOST_QUOTED = 120

Row = dict[str, Any]
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class TableInvalid(Exception):
    """A table that cannot be used; the text names file, line, column, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by feature name, ``None`` for missing; the label of each, and the columns that are neither."""

    rows: list[Row]
    ignored: tuple[str, ...]
    labels: tuple[str, ...] = ()


def read_table(path: Path, contract: Contract, *, label: str | None = None) -> Table:
    """Read a CSV file: comma-separated UTF-8, the first line names the columns, an empty cell is a missing value.

    Parameters
    ----------
    path
        The file, read as a stream.
    contract
        Gives names, dtypes, and which broken values are refused. Columns that are no features are ignored.
    label
        Column with the true answer, as text; an empty cell is one that nobody knows.

    Raises
    ------
    TableInvalid
        The file cannot be read, a feature has no column, or a cell breaks the contract.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.reader(bounded_lines(file, path.name), strict=True), contract, path.name, label)
    except OSError as exc:
        raise TableInvalid(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise TableInvalid(f"{path.name} is not UTF-8 text") from exc


def _read(reader: Any, contract: Contract, name: str, label: str | None) -> Table:
    lines = read_lines(reader, name)
    header, places = read_header(lines, contract, name)
    place = _label_place(header, contract, name, label)
    rows, labels = [], []
    for line, cells in lines:
        rows.append(_row(cells, places, f"{name}, line {line}"))
        labels.append("" if place is None else cells[place])
    if not rows:
        raise TableInvalid(f"{name} has no rows")
    known = {feature.name for feature in contract.features} | {label}
    ignored = tuple(column for column in header if column not in known)
    return Table(rows, ignored, () if place is None else tuple(labels))


def _label_place(header: list[str], contract: Contract, name: str, label: str | None) -> int | None:
    if label is None:
        return None
    if label not in header:
        raise TableInvalid(f"{name}: the first line has no column {label!r} for the labels; it has {header}")
    if any(feature.name == label for feature in contract.features):
        raise TableInvalid(f"{name}: the column {label!r} of the labels is a feature of the model")
    return header.index(label)


def bounded_lines(file: TextIO, name: str) -> Iterator[str]:
    """Give the lines of a file.

    Raises
    ------
    TableInvalid
        One of them has more than 16 million characters.
    """
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise TableInvalid(f"{name} has a line of more than {LONGEST_LINE:,} characters: no table")
        yield line


def read_header(
    lines: Iterator[tuple[int, list[str]]], contract: Contract, name: str
) -> tuple[list[str], list[tuple[Feature, int]]]:
    """Return the columns that the first line names, and where each feature stands among them.

    Raises
    ------
    TableInvalid
        A column is there twice, or a feature has none.
    """
    header = next(lines, (0, []))[1]
    return header, feature_places(header, contract, f"{name}: the first line")


def feature_places(header: list[str], contract: Contract, who: str) -> list[tuple[Feature, int]]:
    """Return where each feature stands among the columns; ``who`` names them, in errors.

    Raises
    ------
    TableInvalid
        A column is there twice, or a feature has none.
    """
    doubled = sorted({column for column in header if header.count(column) > 1})
    absent = [feature.name for feature in contract.features if feature.name not in header]
    if doubled or absent:
        what = f"names {doubled} twice" if doubled else f"has no column for {absent}; it has {header}"
        is_log = not doubled and any(column.startswith("feature:") for column in header)
        hint = ": a log is read from JSON Lines or Parquet, and this is one exported as CSV" if is_log else ""
        raise TableInvalid(f"{who} {what}{hint}")
    return [(feature, header.index(feature.name)) for feature in contract.features]


def read_lines(reader: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Give each line that is not blank with its number, all as long as the first."""
    width = 0
    try:
        for cells in reader:
            if not cells:
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise TableInvalid(f"{name}, line {reader.line_num}: expected {width} cells, found {len(cells)}")
            yield reader.line_num, cells
    except csv.Error as exc:
        raise TableInvalid(f"{name}, line {reader.line_num}: {exc}") from exc


def _row(cells: list[str], places: Iterable[tuple[Feature, int]], where: str) -> Row:
    return {feature.name: cell_value(cells[i], feature, f"{where}, column {feature.name!r}") for feature, i in places}


def cell_value(cell: str, feature: Feature, where: str) -> Any:
    """Return what a cell holds, ``None`` for a missing value.

    Raises
    ------
    TableInvalid
        The cell breaks the contract; ``where`` says of which file, line and column it is.
    """
    if cell == "":
        return allowed_value(None, feature, where)
    try:
        value = _converted(cell, feature.dtype)
    except (ValueError, OverflowError, KeyError) as exc:
        raise TableInvalid(f"{where}: expected {_expected(feature)}, found {_quoted(cell)}") from exc
    return allowed_value(value, feature, where, found=cell)


def allowed_value(value: Any, feature: Feature, where: str, *, found: Any = None) -> Any:
    """Return a value of the feature's dtype, ``None`` for missing, if the contract does not reject it.

    Raises
    ------
    TableInvalid
        It does; tells what was ``found`` in its place, else the value.
    """
    if value is None:
        if feature.missing == "reject":
            raise TableInvalid(f"{where}: expected {_expected(feature)}, found nothing; missing values are rejected")
        return None
    expected = ""
    if feature.unseen == "reject" and feature.categories and value not in feature.categories:
        expected = f"one of {list(feature.categories)}"
    elif feature.out_of_range == "reject" and not _is_within(value, feature):
        expected = _range(feature)
    if expected:
        raise TableInvalid(f"{where}: expected {expected}, found {_quoted(value if found is None else found)}")
    return value


def converted_number(number: float, feature: Feature, where: str) -> Any:
    """Return a number as the feature's dtype has it.

    Raises
    ------
    TableInvalid
        The dtype cannot hold it.
    """
    try:
        return _bounded_to(number, feature.dtype)
    except (ValueError, OverflowError, KeyError) as exc:
        raise TableInvalid(f"{where}: expected {_expected(feature)}, found {number!r}") from exc


def moment_s(text: str, where: str, needed: str) -> float:
    """Return a time as Unix seconds; without a zone it is UTC. ``needed`` says what was expected, in errors.

    Raises
    ------
    TableInvalid
        It is no time of ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise TableInvalid(f"{where}: {needed}, found {_quoted(text)}") from exc


def _converted(cell: str, dtype: str) -> Any:
    if dtype == "string":
        return cell
    if dtype == "bool":
        return _BOOLEANS[cell.strip().lower()]
    number = float(cell)
    if math.isfinite(number) and not dtype.startswith("float") and cell.strip().lstrip("+-").isdecimal():
        return _bounded_to(int(cell), dtype)
    return _bounded_to(number, dtype)


def _bounded_to(number: float, dtype: str) -> Any:
    """Return a number as a dtype has it, whole where that is; tables that passed through a float column have 3.0."""
    if not math.isfinite(number):
        raise ValueError(number)
    if dtype == "bool":
        return _BOOLEANS[f"{number:g}"]
    if dtype.startswith("float"):
        if abs(number) > float(np.finfo(dtype).max):
            raise ValueError(number)
        return float(number)
    whole = int(number)
    if whole != number or not np.iinfo(dtype).min <= whole <= np.iinfo(dtype).max:
        raise ValueError(number)
    return whole


def _is_within(value: Any, feature: Feature) -> bool:
    low = -math.inf if feature.minimum is None else feature.minimum
    high = math.inf if feature.maximum is None else feature.maximum
    return isinstance(value, str) or low <= value <= high


def _range(feature: Feature) -> str:
    low, high = feature.minimum, feature.maximum
    if low is not None and high is not None:
        return f"{exact(low)} to {exact(high)}"
    return "".join(f"{word} {exact(end)}" for word, end in (("at least", low), ("at most", high)) if end is not None)


def _expected(feature: Feature) -> str:
    words = {"string": "text", "bool": "true or false"}
    return words.get(feature.dtype, f"a number ({feature.dtype})")


def _quoted(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}..."
