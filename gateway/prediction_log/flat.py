"""Records of the log as rows of one flat table, and back: what a Parquet file of it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from gateway.codec.parquet import ParquetReader, ParquetRefused, ParquetWriter, Written
from gateway.prediction_log.lines import utc_text
from gateway.prediction_log.reading import LogRefused, Selection, read_records

__all__ = ["is_flat_log", "read_flat", "write_flat"]

Record = dict[str, Any]

FIXED: dict[str, Written] = {
    "time": "time",
    "kind": "text",
    "request_id": "text",
    "row": "whole",
    "model": "text",
    "version": "text",
    "digest": "text",
    "variant": "text",
    "route_revision": "whole",
    "key_hash": "text",
    "status": "text",
    "reason": "text",
    "label": "text",
    "flags": "texts",
    "unseen": "texts",
    "duration_s": "number",
    "sampled_ratio": "number",
    "worker": "text",
    "features": "text",
    "scores": "text",
}
"""``features`` and ``scores`` name, as JSON, what a record has of the columns ``feature:NAME`` and ``score:NAME``: a
null there is a value that is missing, and no feature that was redacted or is another version's."""

NEEDED = ("kind", "time", "model", "version", "digest", "variant", "label", "flags", "unseen", "features", "scores")
FEATURE, SCORE = "feature:", "score:"
MOST_CELLS = 2**20
LARGEST_GROUP = 16_384


def write_flat(folder: Path, selection: Selection, target: BinaryIO) -> int:
    """Write the chosen records as a Parquet table, with a column for each feature and score of any version.

    Returns how many they are. Reads the log twice, since a file has its columns before its rows; what is written
    meanwhile is left out. Memory holds a row group: about a million cells.

    Raises
    ------
    LogRefused
        A record is none of a gateway's, or files of the log went meanwhile.
    """
    count, kinds = 0, _Kinds()
    for _, record in read_records(folder, selection):
        count += 1
        kinds.learn(record)
    columns: dict[str, Written] = {**FIXED, **kinds.columns()}
    size = max(1, min(LARGEST_GROUP, MOST_CELLS // len(columns)))
    try:
        with ParquetWriter(target, columns) as table:
            records = (record for _, record in islice(read_records(folder, selection), count))
            while part := list(islice(records, size)):
                rows = [_row(record, columns) for record in part]
                table.write({name: [row.get(name) for row in rows] for name in columns})
    except ParquetRefused as exc:
        raise LogRefused(f"the log in {folder} does not fit into a table, {exc}") from exc
    target.flush()
    return count


def is_flat_log(file: ParquetReader) -> bool:
    """Return whether a table is an exported log."""
    return set(NEEDED) <= set(file.columns)


def read_flat(file: ParquetReader, numbers: Iterable[str] = ()) -> Iterator[Record]:
    """Give the records of an exported log, with what a replay needs of them.

    Parameters
    ----------
    file
        For which ``is_flat_log`` holds.
    numbers
        Features that are numbers. Where another version has texts under that name, the column holds theirs as text.

    Raises
    ------
    gateway.codec.parquet.ParquetRefused
        A page is damaged, or a column of the log is of another kind.
    """
    details = [name for name in file.columns if name.startswith((FEATURE, SCORE))]
    strange = [name for name in (*NEEDED, *details) if file.kind(name) == "other"]
    if len(set(file.columns)) < len(file.columns) or strange:
        what = f"columns {strange} hold no values of a log" if strange else "it has columns of one name"
        raise ParquetRefused(f"{file.name}: {what}; export it again")
    as_text = [name for name in numbers if FEATURE + name in details and file.kind(FEATURE + name) == "text"]
    for columns in file.batches([*NEEDED, *details]):
        for values in zip(*columns.values(), strict=True):
            try:
                record = _record(dict(zip(columns, values, strict=True)))
            except (TypeError, ValueError, OverflowError, OSError) as exc:
                raise ParquetRefused(f"{file.name}: a row is no record of a prediction log: {exc}") from exc
            for name in as_text:
                _untype(record["features"], name)
            yield record


class _Kinds:
    """What kinds of values each feature and score has had."""

    def __init__(self) -> None:
        self._seen: dict[str, set[Written]] = {}

    def learn(self, record: Record) -> None:
        for name, value in _features(record).items():
            self._seen.setdefault(FEATURE + name, set()).update(_kind(value))
        for name, _ in _scores(record):
            self._seen.setdefault(SCORE + name, {"number"})

    def columns(self) -> dict[str, Written]:
        """Return a kind that holds them all; numbers beside texts are texts."""
        return {name: self._common(kinds) for name, kinds in self._seen.items()}

    @staticmethod
    def _common(kinds: set[Written]) -> Written:
        return "text" if "text" in kinds else "number" if "number" in kinds or not kinds else "whole"


def _kind(value: Any) -> set[Written]:
    if value is None:
        return set()
    if isinstance(value, int) and abs(value) < 2**63:
        return {"whole"}
    return {"number"} if isinstance(value, float) else {"text"}


def _features(record: Record) -> Mapping[str, Any]:
    found = record.get("features")
    return found if isinstance(found, dict) else {}


def _scores(record: Record) -> Sequence[tuple[str, Any]]:
    found = record.get("scores")
    if isinstance(found, dict):
        return list(found.items())
    return [(str(k), score) for k, score in enumerate(found)] if isinstance(found, list) else ()


def _row(record: Record, columns: Mapping[str, Written]) -> Record:
    """Return a record as cells by column."""
    row = {name: record.get(name) for name in FIXED} | {"time": _microseconds(record)}
    features, scores = _features(record), _scores(record)
    row["features"] = json.dumps(list(features)) if isinstance(record.get("features"), dict) else None
    row["scores"] = json.dumps([name for name, _ in scores]) if record.get("scores") is not None else None
    for name, value in features.items():
        is_typed = value is None or columns.get(FEATURE + name) != "text"
        row[FEATURE + name] = value if is_typed or isinstance(value, str) else json.dumps(value)
    return row | {SCORE + name: score for name, score in scores}


def _microseconds(record: Record) -> int:
    try:
        moment = datetime.fromisoformat(record["time"])
        return round(moment.timestamp() * 1e6)
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        what = f"request {record.get('request_id')!r} has the time {record.get('time')!r}"
        raise LogRefused(f"{what}: no gateway wrote it; take the record out, or export JSON Lines") from exc


def _record(row: Record) -> Record:
    """Return cells by column as the record that they were."""
    if not isinstance(row["time"], str) and row["time"] is not None:
        row["time"] = utc_text(row["time"])
    row["features"] = {name: row[FEATURE + name] for name in _names(row["features"]) or () if FEATURE + name in row}
    names = _names(row["scores"])
    scores = {name: row[SCORE + name] for name in names or () if SCORE + name in row}
    row["scores"] = list(scores.values()) if names == _numbered(len(scores)) else scores
    return row


@lru_cache(maxsize=1024)
def _names(text: str | None) -> tuple[str, ...] | None:
    """Return the names that a cell lists."""
    try:
        found = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return tuple(map(str, found)) if isinstance(found, list) else None


@lru_cache(maxsize=64)
def _numbered(n: int) -> tuple[str, ...]:
    return tuple(map(str, range(n)))


def _untype(features: Record, name: str) -> None:
    """Make a number of the text that stands for it; another text stays, and is told where the record is used."""
    text = features.get(name)
    if text is not None:
        with suppress(ValueError):
            features[name] = float(text)
