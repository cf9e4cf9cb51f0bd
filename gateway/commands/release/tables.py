"""Release reports and records as tables that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.commands.tables import line, table
from gateway.release.document import ReleaseReport

__all__ = ["show_record", "show_report"]

_COLUMNS = ("gate", "outcome", "why")


def show_report(report: ReleaseReport) -> None:
    """Print how each gate came out, and what it comes to."""
    table(
        _title(report.model, report.version, report.tier),
        _COLUMNS,
        [(g.name, g.outcome, g.detail) for g in report.gates],
    )
    against = f"version {report.against.version}" if report.against else "nothing"
    line(f"{report.outcome}: {report.holdout.rows:,} rows of {report.holdout.name}, compared with {against}")


def show_record(record: Mapping[str, Any]) -> None:
    """Print what a gateway keeps of a report."""
    rows = [(gate["name"], gate["outcome"], gate["detail"]) for gate in record["gates"]]
    table(_title(record["model"], record["version"], record["tier"]), _COLUMNS, rows)
    line(f"{record['outcome']}: checked {record['checked_at']} against {record['against'] or 'nothing'}")
    line(f"handed over {record['submitted_at']} by {record['submitted_by']}")
    line(f"digest {record['digest']}")
    line(f"report.json SHA-256 {record['report_sha256']}, policy {record['policy_digest']}")


def _title(model: str, version: str, tier: str) -> str:
    return f"release check of {model} version {version}, tier {tier}"
