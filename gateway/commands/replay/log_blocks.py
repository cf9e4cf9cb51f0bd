"""A prediction log as blocks of rows: the folder that a gateway writes to, or a file that was exported from it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gateway.codec.log_lines import decode_line
from gateway.commands.replay.block import BLOCK_ROWS, Block
from gateway.commands.table import TableInvalid
from gateway.prediction_log.reading import LogRefused, Selection, bounded_lines, read_records
from monitors.evidence.rows import Rows
from monitors.records import UNSEEN_CODE, FeatureSchema, StreamInfo, Variant

__all__ = ["LogSource"]

MOST_QUOTED = 120

Record = Mapping[str, Any]
Placed = tuple[str, Record]


class LogSource:
    """The answers of one version in one role, but not those that it gave in place of a failed canary.

    Parameters
    ----------
    path
        Folder of a log, a file of its lines, packed by gzip or not, or a Parquet file that was exported from it.
    info
        The version; answers of others are passed over and counted.
    variant
        Its role.

    Attributes
    ----------
    others
        Records that were passed over: failures and answers in place of a canary; other models, versions, contents
        of the same version, and roles.
    """

    def __init__(self, path: Path, info: StreamInfo, variant: Variant = "stable") -> None:
        self.path, self.info, self.variant = path, info, variant
        self.others = 0
        # a classifier may answer labels alone; which it is, its first answer says
        self._widths = {"classification": {0, len(info.output.classes)}, "regression": {1}, "tensor": {0}}[
            info.output.kind
        ]

    def blocks(self) -> Iterator[Block]:
        """Give the rows in the order of their times; workers log theirs a few at a time.

        Raises
        ------
        TableInvalid
            A line is no record, a value is not of its feature's kind, or no record is of the version.
        """
        records = _in_order(self._answers(self._placed()))
        found = False
        while part := list(islice(records, BLOCK_ROWS)):
            found = True
            yield self._block(part)
        if not found:
            what = f"{self.info.model} version {self.info.version} as {self.variant}"
            raise TableInvalid(f"{self.path.name} has no answer of {what}; {self.others} records are of others")

    def _placed(self) -> Iterator[Placed]:
        """Give each record with its place."""
        try:
            if self.path.suffix == ".parquet":
                yield from self._of_parquet()
            else:
                yield from self._of_folder() if self.path.is_dir() else self._of_file()
        except LogRefused as exc:
            raise TableInvalid(str(exc)) from exc

    def _of_folder(self) -> Iterator[Placed]:
        for _, known in read_records(self.path, Selection(self.info.model)):
            yield f"{self.path.name}, request {known.get('request_id')}", known

    def _of_file(self) -> Iterator[Placed]:
        with _open(self.path) as lines:
            for number, line in enumerate(_whole(lines, self.path), 1):
                record = decode_line(line)
                if record is None or "kind" not in record:
                    raise TableInvalid(f"{self.path.name}, line {number}: no record of a prediction log")
                yield f"{self.path.name}, line {number}", record

    def _of_parquet(self) -> Iterator[Placed]:
        from gateway.codec.parquet import ParquetReader, ParquetRefused
        from gateway.prediction_log.flat import read_flat

        numbers = [feature.name for feature in self.info.features if feature.kind == "number"]
        try:
            with ParquetReader(self.path) as file:
                for number, record in enumerate(read_flat(file, numbers), 1):
                    yield f"{self.path.name}, row {number}", record
        except ParquetRefused as exc:
            raise TableInvalid(str(exc)) from exc

    def _answers(self, placed: Iterable[Placed]) -> Iterator[Placed]:
        meant = ("answer", self.info.model, self.info.version, self.info.digest, self.variant)
        names = ("kind", "model", "version", "digest", "variant")
        for where, record in placed:
            flags = record.get("flags") or ()
            if tuple(map(record.get, names)) == meant and not (isinstance(flags, list) and "fallback" in flags):
                yield where, record
            else:
                self.others += 1

    def _block(self, part: list[Placed]) -> Block:
        values = [self._column(part, feature) for feature in self.info.features]
        values_nd = np.column_stack(values) if values else np.empty((len(part), 0))
        labels = {name: code for code, name in enumerate(self.info.output.classes)}
        labels_n = np.array([labels.get(str(record.get("label")), -1) for _, record in part], dtype=np.int64)
        scores_nk = np.array([self._read(place, self._scores) for place in part], dtype=np.float64)
        times_n = np.array([self._read(place, _time) for place in part])
        return Block(Rows(values_nd, scores_nk.reshape(len(part), -1), labels_n), times_n, lambda i: part[i][0])

    def _column(self, part: list[Placed], feature: FeatureSchema) -> list[float]:
        name = feature.name
        codes = {category: float(code) for code, category in enumerate(feature.categories)}

        def value(record: Record) -> float:
            found = record["features"][name]
            if found is None:
                return UNSEEN_CODE if name in record["unseen"] else np.nan
            if codes:
                return codes[found]
            return _number(found)

        return [self._read(place, value, name) for place in part]

    def _scores(self, record: Record) -> list[float]:
        scores = record["scores"]
        listed = [scores[name] for name in self.info.output.classes] if isinstance(scores, dict) else scores
        found = [np.nan if score is None else _number(score) for score in listed]
        if len(found) not in self._widths:
            raise ValueError(f"{len(found)} scores")
        self._widths = {len(found)}
        return found

    def _read(self, place: Placed, read: Callable[[Record], Any], name: str = "") -> Any:
        where, record = place
        try:
            return read(record)
        except (KeyError, TypeError, ValueError, OverflowError) as exc:
            raise TableInvalid(f"{where}: {_complaint(record, name)}") from exc


def _in_order(placed: Iterator[Placed]) -> Iterator[Placed]:
    """Give records in the order of their times, as far as those that belong together are within some thousand."""
    held: list[Placed] = []
    while fresh := list(islice(placed, BLOCK_ROWS)):
        held = sorted(held + fresh, key=lambda place: str(place[1].get("time")))
        yield from held[:-BLOCK_ROWS]
        held = held[-BLOCK_ROWS:]
    yield from held


def _complaint(record: Record, name: str) -> str:
    if not name:
        return (
            f"scores or time are not those of an answer: {_short(record.get('scores'))}, {_short(record.get('time'))}"
        )
    features = record.get("features")
    if not isinstance(features, dict) or name not in features:
        return f"the log has no feature {name!r}: it was redacted, or the version has another contract"
    if str(features[name]).startswith("hash:"):
        return f"the log has only hashes of feature {name!r}, which cannot be replayed"
    return f"feature {name!r} is {_short(features[name])}, which the version's contract does not know"


def _short(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}..."


def _number(found: Any) -> float:
    if isinstance(found, bool | int | float):
        return float(found)
    raise TypeError(f"{found!r} is no number")


def _time(record: Record) -> float:
    moment = datetime.fromisoformat(record["time"])
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _whole(lines: BinaryIO, path: Path) -> Iterator[bytes]:
    """Give the lines that are not empty; a packed file may be torn."""
    try:
        yield from (line for line in bounded_lines(lines, path.name) if line.strip())
    except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
        raise TableInvalid(f"{path.name} is not whole: {exc}") from exc
