"""From audit records to incidents and changes."""

from __future__ import annotations

from typing import Any

from gateway.commands.report.incidents import changes_of, concerns, incidents_of


def alert(state: str, severity: str = "warning", **more: Any) -> dict[str, Any]:
    """Return the record of an alert's transition."""
    told = {
        "model": "m",
        "version": "1",
        "variant": "stable",
        "cause": "drift",
        "state": state,
        "severity": severity,
        "since": 100.0,
        "summary": f"it is {state}",
    } | more
    return {"resource": "alert/a", "action": f"alert.{state}", "before": None, "after": told}


def change(sequence: int, action: str, resource: str = "route/m") -> dict[str, Any]:
    """Return the record of a change."""
    told = {"sequence": sequence, "time": "2026-11-01T00:00:00Z", "actor": {"subject": "ann"}, "reason": "why"}
    return told | {"resource": resource, "action": action, "before": None, "after": None}


def test_an_incident_has_the_worst_severity_of_its_time_and_ends_when_it_is_resolved() -> None:
    records = [
        alert("warn"),
        alert("firing", "page"),
        alert("recovering", "page"),
        alert("resolved", resolved_at=200.0),
    ]
    (incident,) = incidents_of(records)
    assert (incident.severity, incident.since, incident.resolved_at) == ("page", 100.0, 200.0)
    assert incident.summary == "it is recovering"


def test_an_incident_without_an_end_is_open() -> None:
    (incident,) = incidents_of([alert("firing", "page")])
    assert incident.resolved_at is None


def test_a_page_that_was_marked_false_says_so_and_the_mark_is_a_change() -> None:
    mark = change(3, "alert.mark-false", "alert/a") | {"after": {"model": "m", "is_false": True}}
    records = [alert("firing", "page"), mark]
    assert [incident.is_false for incident in incidents_of(records)] == [True]
    assert [found.action for found in changes_of(records)] == ["alert.mark-false"]


def test_changes_leave_out_the_steps_of_alerts() -> None:
    records = [change(1, "route.set"), alert("warn"), change(2, "route.rollback")]
    assert [(found.sequence, found.action, found.actor) for found in changes_of(records)] == [
        (1, "route.set", "ann"),
        (2, "route.rollback", "ann"),
    ]


def test_a_record_concerns_a_model_by_its_resource_or_by_the_alert() -> None:
    assert concerns(change(1, "version.admit", "digest/m/2"), "m")
    assert not concerns(change(1, "route.set", "route/mm"), "m")
    assert concerns(alert("warn"), "m")
    assert not concerns(alert("warn", model="other"), "m")
    assert not concerns(change(1, "state.restore", "state"), "m")
