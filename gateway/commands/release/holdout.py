"""The holdout, a CSV table of labelled rows, read once for both versions."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.codec.rows import RowGatherer
from gateway.commands.replay.block import BLOCK_ROWS
from gateway.commands.table import TableInvalid, bounded_lines, read_header, read_lines
from gateway.commands.table_columns import Lines, rows_of
from gateway.contract import Feature
from gateway.engine.version import ServableVersion
from gateway.release.document import Holdout
from gateway.release.examination import HoldoutRows

__all__ = ["hash_holdout", "read_holdout"]

MOST_ROWS = 2_000_000
MOST_SAMPLED = 5_000
MOST_GROUPS = 32
BANDS = 4
NO_VALUE = "(missing)"
Places = list[tuple[Feature, int]]


def read_holdout(
    path: Path,
    candidate: ServableVersion,
    against: ServableVersion | None,
    *,
    label: str,
    groups: Sequence[str] = (),
    told: Callable[[int], None] = lambda _bytes: None,
) -> tuple[Holdout, HoldoutRows]:
    """Read the rows whose label is known, converted by the contract of each version.

    Parameters
    ----------
    path
        Comma-separated UTF-8; the first line names the columns, an empty cell is a missing value.
    label
        Column of the true answer: a class of the model, or a number. Rows without one are left out.
    groups
        Columns of groups, features or not. One of more than 32 different values is cut at its quartiles.
    told
        Is told how many bytes were read.

    Raises
    ------
    TableInvalid
        The file cannot be read, lacks a column, has a cell that breaks a contract, a label that is no answer of the
        model, a group column of too many texts, or more than two million rows.
    """
    try:
        with path.open("rb", buffering=0) as raw:
            hashed = _Hashed(raw, told)
            text = io.TextIOWrapper(io.BufferedReader(hashed, 1 << 16), encoding="utf-8-sig", newline="")
            reading = _Reading(path.name, candidate, against, label, groups)
            rows = reading.rows(csv.reader(bounded_lines(text, path.name), strict=True))
            return Holdout(name=path.name[-300:], digest=hashed.digest(), rows=rows.n), rows
    except UnicodeDecodeError as exc:
        raise TableInvalid(f"{path.name} is not UTF-8 text") from exc


def hash_holdout(path: Path) -> Holdout:
    """Name the bytes of a holdout whose rows nobody can read, for want of a version that loads."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Holdout(name=path.name[-300:], digest=f"sha256:{digest}", rows=0)


class _Hashed(io.RawIOBase):
    """The bytes of a file on their way, hashed."""

    def __init__(self, raw: io.RawIOBase | io.FileIO, told: Callable[[int], None]) -> None:
        self._raw, self._told, self._hash, self._read = raw, told, hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer) or 0
        self._hash.update(memoryview(buffer)[:count])
        self._read += count
        self._told(self._read)
        return count

    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Gathered:
    """The graph inputs of one version, as they come in."""

    def __init__(self, version: ServableVersion, header: list[str]) -> None:
        contract = version.contract
        matrix = version.inputs.get(contract.input_name)
        self._gatherer = RowGatherer(contract, version.ranks, matrix.dtype if matrix else "float32")
        self.places: Places = [(feature, header.index(feature.name)) for feature in contract.features]
        self._feeds: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)

    def take(self, cells: list[tuple[Any, ...]]) -> None:
        with np.errstate(over="raise"):
            decoded = self._gatherer.gather(cells, is_typed=False)
        for name, values in decoded.feeds.items():
            self._feeds[name].append(values)

    def feeds(self) -> dict[str, npt.NDArray[Any]]:
        return {name: np.concatenate(parts) for name, parts in self._feeds.items()}


class _Thinned:
    """Rows at equal distances, so many that there are 5,000 to 10,000 of a long table, and all of a short one."""

    def __init__(self) -> None:
        self.cells: list[tuple[Any, ...]] = []
        self.at: list[int] = []
        self._step = 1

    def take(self, first: int, cells: list[tuple[Any, ...]]) -> None:
        skip = -first % self._step
        self.cells += cells[skip :: self._step]
        self.at += range(first + skip, first + len(cells), self._step)
        if len(self.at) >= 2 * MOST_SAMPLED:
            self._step *= 2
            self.cells, self.at = self.cells[::2], self.at[::2]


class _Reading:
    """One pass over the table."""

    def __init__(
        self,
        name: str,
        candidate: ServableVersion,
        against: ServableVersion | None,
        label: str,
        groups: Sequence[str],
    ) -> None:
        self._name, self._candidate, self._against = name, candidate, against
        self._label, self._groups = label, tuple(dict.fromkeys(groups))

    def rows(self, reader: Any) -> HoldoutRows:
        lines = read_lines(reader, self._name)
        header = self._header(lines)
        ours = _Gathered(self._candidate, header)
        theirs = None if self._against is None else _Gathered(self._against, header)
        truths, sample, n = [], _Thinned(), 0
        texts: dict[str, list[str]] = {column: [] for column in self._groups}
        at = header.index(self._label)
        while block := list(islice(lines, BLOCK_ROWS)):
            kept: Lines = [line for line in block if line[1][at]]
            if not kept:
                continue
            cells = rows_of(kept, ours.places, self._name)
            ours.take(cells)
            if theirs is not None:
                theirs.take(rows_of(kept, theirs.places, self._name))
            sample.take(n, cells)
            truths.append(self._truths(kept, at))
            for column, found in texts.items():
                place = header.index(column)
                found += [line[place] or NO_VALUE for _, line in kept]
            n += len(kept)
            if n > MOST_ROWS:
                raise TableInvalid(f"{self._name} has more than {MOST_ROWS:,} labelled rows; draw so many of them")
        if not n:
            raise TableInvalid(f"{self._name} has no row with a label in column {self._label!r}")
        return HoldoutRows(
            feeds=ours.feeds(),
            feeds_against=None if theirs is None else theirs.feeds(),
            truths_n=np.concatenate(truths),
            groups={column: self._grouped(column, found) for column, found in texts.items()},
            sample_cells=sample.cells,
            sample_at_m=np.array(sample.at, np.int64),
        )

    def _header(self, lines: Iterator[tuple[int, list[str]]]) -> list[str]:
        header, _ = read_header(lines, self._candidate.contract, self._name)
        if self._against is not None:
            absent = [f.name for f in self._against.contract.features if f.name not in header]
            if absent:
                whose = f"the serving version {self._against.version} needs them"
                raise TableInvalid(f"{self._name}: the first line has no column for {absent}; {whose}")
        for column in (self._label, *self._groups):
            if column not in header:
                raise TableInvalid(f"{self._name}: the first line has no column {column!r}; it has {header}")
        if any(feature.name == self._label for feature in self._candidate.contract.features):
            raise TableInvalid(f"{self._name}: the column {self._label!r} of the labels is a feature of the model")
        return header

    def _truths(self, lines: Lines, at: int) -> npt.NDArray[Any]:
        output = self._candidate.contract.output_schema
        if output.kind == "classification":
            codes = {name: i for i, name in enumerate(output.classes)}
            if not codes:
                raise TableInvalid("the model does not say which classes it has; name them as interface.classes")
            return np.array([self._code(line, cells[at], codes) for line, cells in lines], np.int64)
        return np.array([self._number(line, cells[at]) for line, cells in lines], np.float64)

    def _code(self, line: int, text: str, codes: dict[str, int]) -> int:
        # A table that passed through a float column has 1.0 for class 1.
        code = codes.get(text, codes.get(text.removesuffix(".0")))
        if code is None:
            raise TableInvalid(f"{self._where(line)}: expected one of {list(codes)[:20]}, found {text!r}")
        return code

    def _number(self, line: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TableInvalid(f"{self._where(line)}: expected a number, found {text!r}")
        return value

    def _where(self, line: int) -> str:
        return f"{self._name}, line {line}, column {self._label!r}"

    def _grouped(self, column: str, texts: list[str]) -> npt.NDArray[np.str_]:
        found = set(texts)
        if len(found) <= MOST_GROUPS:
            return np.array(texts)
        try:
            values = np.array([math.nan if text == NO_VALUE else float(text) for text in texts])
        except ValueError as exc:
            what = f"{len(found)} different texts, more than {MOST_GROUPS}: no column of groups"
            raise TableInvalid(f"{self._name}, column {column!r} has {what}") from exc
        return _banded(values)


def _banded(values_n: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """Return the quartile of each value, as text that says from where to where it reaches."""
    known = values_n[np.isfinite(values_n)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BANDS + 1)))
    if len(edges) < 2:
        edges = np.array([edges[0], edges[0]])
    names = np.array([f"{low:g} to {high:g}" for low, high in pairwise(edges)] + [NO_VALUE])
    at_n = np.clip(np.searchsorted(edges, values_n, side="right") - 1, 0, len(names) - 2)
    return np.asarray(names[np.where(np.isfinite(values_n), at_n, len(names) - 1)])
