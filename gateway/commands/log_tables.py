"""Records of one request as tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.commands.printable import printable

__all__ = ["show_records"]

Record = Mapping[str, Any]
_MOST_SCORES = 5


def show_records(request_id: str, records: Sequence[Record]) -> None:
    """Print who failed and who answered, then the features of each row that was answered."""
    title = f"request {request_id}"
    _table(title, ("time", "version", "variant", "row", "outcome", "scores", "ms"), [_row(found) for found in records])
    for found in records:
        if found.get("features"):
            _table(f"features of row {found.get('row', 0)}, as {_version(found)} got them", *_features(found))
    newest = records[-1]
    facts = f"route revision {newest.get('route_revision')}, key hash {newest.get('key_hash') or '-'}"
    _line(f"{facts}, worker {newest.get('worker')}, {100.0 * float(newest.get('sampled_ratio', 1.0)):g} % sampled")


def _row(record: Record) -> tuple[str, ...]:
    milliseconds = 1e3 * float(record.get("duration_s", 0.0))
    place, variant = str(record.get("row", "-")), str(record.get("variant") or "-")
    time = str(record.get("time"))
    return time, _version(record), variant, place, _outcome(record), _scores(record), f"{milliseconds:.2f}"


def _version(record: Record) -> str:
    return f"{record.get('model') or '-'}/{record.get('version') or '-'}"


def _outcome(record: Record) -> str:
    if record.get("kind") == "failure":
        return f"{record.get('status')}: {record.get('reason')}"
    words = [str(record.get("label") or "answered"), *record.get("flags", ())]
    return ", ".join(words)


def _scores(record: Record) -> str:
    scores = record.get("scores") or ()
    if isinstance(scores, Mapping):
        ranked = sorted(scores.items(), key=lambda item: -(item[1] or 0.0))
        return "  ".join(f"{name} {_value(score)}" for name, score in ranked[:_MOST_SCORES])
    return "  ".join(_value(score) for score in scores[:_MOST_SCORES])


def _features(record: Record) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    unseen = record.get("unseen", ())
    shown = [(name, "not in the contract" if name in unseen else _value(v)) for name, v in record["features"].items()]
    return ("feature", "value"), shown


def _value(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    table = Table(title=_as_text(title), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_as_text, row))
    Console().print(table)


def _line(text: str) -> None:
    Console().print(_as_text(text), highlight=False)


def _as_text(foreign: str) -> str:
    return escape(printable(foreign))
