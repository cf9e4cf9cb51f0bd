"""What a replay found, as a document and as tables that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.commands.printable import printable
from gateway.commands.replay.incidents import Incident
from gateway.commands.replay.plan import Plan
from gateway.commands.replay.run import Replayed
from gateway.prediction_log.lines import utc_text

__all__ = ["replay_document", "show_replay"]

MOST_SHOWN, MOST_DRIVERS = 50, 5

Document = Mapping[str, Any]


def replay_document(found: Replayed, plan: Plan, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the replay as JSON has it; ``facts`` say what was replayed."""
    monitor, model = found.monitor, found.monitor.model
    return {
        **facts,
        "rows": monitor.rows_seen,
        "summaries": monitor.summaries,
        "rows_late": found.order.late,
        "begin": _time(found.order.begin_s),
        "end": _time(found.order.end_s),
        "reference_rows": int(model.counts_cb.sum(axis=1).max(initial=0)),
        "calibration": monitor.calibration,
        "budget": {
            "pages_per_week": None if plan.budget.rows_between_false_pages else plan.budget.pages_per_week,
            "rows_between_false_pages": plan.budget.rows_between_false_pages,
            "promise": plan.budget.promise,
            "tick_rows": plan.ticks.rows,
            "tick_seconds": plan.ticks.seconds,
            "false_pages_allowed": monitor.summaries / plan.budget.summaries_between_pages,
        },
        "pages": found.incidents.pages,
        "warnings": found.incidents.warnings,
        "incidents": [_incident(incident) for incident in found.incidents.listed],
        "incidents_left_out": found.incidents.left_out,
    }


def show_replay(document: Document) -> None:
    """Print the incidents, then what was replayed and promised."""
    incidents = document["incidents"]
    if incidents:
        _table(
            _title(document), ("rows", "would", "what moved"), [_row(incident) for incident in incidents[:MOST_SHOWN]]
        )
    more = len(incidents) - MOST_SHOWN + document["incidents_left_out"]
    if more > 0:
        _line(f"{more:,} more; --json has the first 10,000")
    paged = sum(incident["level"] == "page" for incident in incidents)
    span = f", {document['begin']} to {document['end']}" if document["begin"] else ""
    _line(f"{_counted(document['rows'], 'row')} in {_counted(document['summaries'], 'summary')}{span}")
    if document["rows_late"]:
        _line(f"{_counted(document['rows_late'], 'row')} older than one before: counted as of its time; sort by time")
    said = f"{_counted(document['pages'], 'page')} in {_counted(paged, 'incident')}"
    _line(f"{said}, {_counted(document['warnings'], 'warning')}")
    _line(f"{_promise(document['budget'])}; reference of {document['reference_rows']:,} rows, {_level(document)}")


def _incident(incident: Incident) -> dict[str, Any]:
    shown = incident.shown
    return {
        "cause": shown.cause,
        "level": shown.level,
        "row": shown.row,
        "time": _time(shown.time_s),
        "first_row": incident.first.row,
        "first_time": _time(incident.first.time_s),
        "last_row": incident.last_row,
        "pages": incident.pages,
        "evidence_nats": shown.evidence_nats,
        "threshold_nats": shown.threshold_nats,
        "rule": shown.rule,
        "drivers": [asdict(driver) for driver in shown.drivers],
    }


def _row(incident: Document) -> tuple[str, ...]:
    drivers = incident["drivers"][:MOST_DRIVERS]
    moved = "\n".join(printable(f"{driver['name']}: {driver['before']} -> {driver['after']}") for driver in drivers)
    level = "page" if incident["level"] == "page" else "warn"
    told = [f"{level}: {incident['cause']}", _calibrated(incident)]
    if incident["pages"] > 1:
        told.append(_counted(incident["pages"], "page"))
    span = [f"{incident['row']:,}", f"to {incident['last_row']:,}"]
    if incident["time"]:
        span.insert(0, incident["time"][:19])
    return "\n".join(span), "\n".join(told), moved or incident["rule"] or "no single one for sure"


def _calibrated(incident: Document) -> str:
    """Return the evidence against the level that it crossed; a rule has none."""
    if incident["evidence_nats"] is None:
        return "by rule"
    return f"{incident['evidence_nats']:.1f} of {incident['threshold_nats']:.1f} nats"


def _title(document: Document) -> str:
    return f"{document['file']} through {document['model']} version {document['version']}"


def _promise(budget: Document) -> str:
    allowed = f"{budget['false_pages_allowed']:.2g} allowed in these rows"
    if budget["rows_between_false_pages"]:
        return f"promise ({budget['promise']}): {budget['rows_between_false_pages']:,.0f} rows between; {allowed}"
    pages = budget["pages_per_week"]
    return f"promise ({budget['promise']}): {pages:g} false {'page' if pages == 1 else 'pages'} a week; {allowed}"


def _counted(count: int, word: str) -> str:
    """Return a number with its word.

    >>> _counted(1, "page"), _counted(2_000, "summary")
    ('1 page', '2,000 summaries')
    """
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count:,} {word if count == 1 else many}"


def _level(document: Document) -> str:
    if document["calibration"] == "uncalibrated":
        return "too short for a promise: uncalibrated, warns only"
    return f"level {document['calibration']}"


def _time(unix_s: float | None) -> str | None:
    return None if unix_s is None else utc_text(unix_s)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(title=escape(printable(title)), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("\n".join(escape(printable(line)) for line in cell.split("\n")) for cell in row))
    Console().print(table)


def _line(text: str) -> None:
    Console().print(escape(printable(text)), highlight=False)
