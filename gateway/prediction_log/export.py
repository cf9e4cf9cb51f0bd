"""The log as a file for others: JSON Lines as they stand, or one CSV table over all versions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from gateway.prediction_log.reading import Selection, read_records

__all__ = ["write_csv", "write_lines"]

Record = dict[str, Any]
COLUMNS = (
    "time", "kind", "request_id", "row", "model", "version", "digest", "variant", "route_revision", "key_hash",
    "status", "reason", "label", "flags", "unseen", "duration_s", "sampled_ratio", "worker",
)  # fmt: skip


def write_lines(folder: Path, selection: Selection, target: BinaryIO) -> int:
    """Write the chosen records as JSON Lines, and return how many they are.

    What is not ASCII is escaped, for it may be a control of a terminal.
    """
    count = 0
    for line, record in read_records(folder, selection):
        target.write(line if line.isascii() else json.dumps(record).encode() + b"\n")
        count += 1
    target.flush()
    return count


def write_csv(folder: Path, selection: Selection, target: BinaryIO) -> int:
    """Write the chosen records as a table, ``feature:NAME`` and ``score:NAME`` for what differs by version.

    Returns how many they are. Reads the log twice, since a table names its columns first; columns that only records
    written meanwhile would bring are left out.
    """
    names = dict.fromkeys(chain.from_iterable(_details(record) for _, record in read_records(folder, selection)))
    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    table = csv.DictWriter(text, [*COLUMNS, *names], extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    count = 0
    for _, record in read_records(folder, selection):
        table.writerow(_cells(record))
        count += 1
    text.detach()
    return count


def _details(record: Record) -> Iterator[str]:
    yield from (f"feature:{name}" for name in record.get("features") or ())
    yield from (f"score:{name}" for name, _ in _scores(record))


def _scores(record: Record) -> Iterator[tuple[str, Any]]:
    scores = record.get("scores") or ()
    yield from scores.items() if isinstance(scores, dict) else ((str(k), score) for k, score in enumerate(scores))


def _cells(record: Record) -> Record:
    cells = {name: record.get(name) for name in COLUMNS}
    cells |= {name: " ".join(record.get(name) or ()) for name in ("flags", "unseen")}
    cells |= {f"feature:{name}": value for name, value in (record.get("features") or {}).items()}
    return cells | {f"score:{name}": score for name, score in _scores(record)}
