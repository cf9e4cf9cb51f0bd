"""Findings as a person would get them: what pages again while a change lasts belongs to one incident."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitors.drift_monitor import Finding

__all__ = ["Incident", "IncidentList"]

MOST_INCIDENTS = 10_000
QUIET_SUMMARIES, QUIET_INTERVALS = 100, 10


@dataclass(slots=True)
class Incident:
    """One change of one cause.

    Parameters
    ----------
    first
        What was said first, a warning perhaps.
    page
        The first page, if any; later ones are counted in ``pages``.
    last_row
        Row of the last finding that belongs to it.
    quiet_rows
        It is over once nothing was said for as long, and for ten times ``shortest_rows``.
    shortest_rows
        Rows from one page to the next, at least.
    """

    first: Finding
    quiet_rows: int
    last_row: int
    page: Finding | None = None
    pages: int = 0
    shortest_rows: int = 0

    @property
    def shown(self) -> Finding:
        """What speaks for the incident: its page, else its warning."""
        return self.page or self.first

    def lasts_until(self, row: int) -> bool:
        """Whether what is said at a row belongs to it."""
        return row - self.last_row <= max(self.quiet_rows, QUIET_INTERVALS * self.shortest_rows)

    def take(self, finding: Finding) -> None:
        """Add a finding."""
        self.last_row = finding.row
        if finding.level == "page":
            self.pages += 1
            if self.page is not None:
                self.shortest_rows = min(self.shortest_rows or finding.rows, finding.rows)
            self.page = self.page or finding


class IncidentList:
    """All incidents, at most 10,000 of them; ``left_out`` counts what came later.

    An incident is over when its cause has said nothing for 100 summaries and for ten times as long as it once took to
    page again.
    """

    def __init__(self) -> None:
        self.listed: list[Incident] = []
        self.pages = self.warnings = self.left_out = 0
        self._newest: dict[str, Incident] = {}

    def take(self, findings: Iterable[Finding], summary_rows: float) -> None:
        """Add findings; ``summary_rows`` is the mean length of a summary so far."""
        for finding in findings:
            self.pages += finding.level == "page"
            self.warnings += finding.level == "warning"
            self._incident(finding, summary_rows).take(finding)

    def _incident(self, finding: Finding, summary_rows: float) -> Incident:
        known = self._newest.get(finding.cause)
        if known is not None and known.lasts_until(finding.row):
            return known
        fresh = Incident(finding, round(QUIET_SUMMARIES * summary_rows), finding.row)
        self._newest[finding.cause] = fresh
        if len(self.listed) < MOST_INCIDENTS:
            self.listed.append(fresh)
        else:
            self.left_out += 1
        return fresh
