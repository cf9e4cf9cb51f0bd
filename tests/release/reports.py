"""A release report to start from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.release.document import Against, GateResult, Holdout, ReleaseReport

__all__ = ["report"]

_REPORT = ReleaseReport(
    model="m",
    version="2",
    digest="sha256:" + "2" * 64,
    tier="high",
    against=Against(version="1", digest="sha256:" + "1" * 64),
    policy_digest="a" * 64,
    holdout=Holdout(name="holdout.csv", digest="sha256:" + "b" * 64, rows=1_000),
    checked_at="2026-01-31T12:00:00Z",
    outcome="pass",
    gates=(
        GateResult(name="contract", outcome="pass", detail="the same features", numbers={"features": 4}),
        GateResult(name="golden", outcome="skipped", detail="the version has no golden rows"),
    ),
)


def report(**changes: Any) -> ReleaseReport:
    """Return the report with some members changed."""
    return replace(_REPORT, **changes)
