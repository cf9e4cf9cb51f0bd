from typing import Literal

from gateway.commands.replay.incidents import IncidentList
from monitors.drift_monitor import Finding
from monitors.evidence.channel import Cause


def finding(row: int, level: Literal["warning", "page"] = "page", cause: Cause = "inputs", rows: int = 100) -> Finding:
    return Finding(level, cause, row, None, rows, 10.0, 9.0, (), "profile")


def incidents(*findings: Finding, summary_rows: float = 10.0) -> IncidentList:
    listed = IncidentList()
    listed.take(findings, summary_rows)
    return listed


def test_pages_of_a_change_that_lasts_are_one_incident() -> None:
    found = incidents(*(finding(row) for row in range(1000, 3000, 100)))
    (incident,) = found.listed
    assert (incident.shown.row, incident.last_row, incident.pages, found.pages) == (1000, 2900, 20, 20)


def test_a_warning_that_becomes_a_page_is_one_incident_told_by_its_page() -> None:
    (incident,) = incidents(finding(990, "warning"), finding(1000)).listed
    assert (incident.first.row, incident.shown.row, incident.shown.level) == (990, 1000, "page")


def test_after_a_hundred_quiet_summaries_another_incident_begins() -> None:
    assert len(incidents(finding(1000), finding(2001)).listed) == 2
    assert len(incidents(finding(1000), finding(2000)).listed) == 1


def test_a_change_that_pages_rarely_stays_one_incident() -> None:
    found = incidents(finding(1000), finding(1900, rows=900), finding(10_900, rows=9000), finding(100_000, rows=89_100))
    assert [incident.pages for incident in found.listed] == [3, 1]


def test_causes_have_incidents_of_their_own() -> None:
    found = incidents(finding(1000), finding(1000, cause="answers"), finding(1010))
    assert [incident.shown.cause for incident in found.listed] == ["inputs", "answers"]


def test_incidents_are_bounded_and_counted() -> None:
    found = incidents(*(finding(2000 * i) for i in range(10_003)))
    assert (len(found.listed), found.left_out, found.pages) == (10_000, 3, 10_003)
