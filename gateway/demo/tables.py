"""The tables of the demonstration: what runs, what is open, and what happened."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from gateway.commands.printable import printable
from gateway.demo.alert_log import Sighting
from gateway.demo.gateway_process import GatewayPlan
from gateway.demo.scenario import PhaseRecord, Scenario
from gateway.demo.verdict import BEGIN, RECOVERY, Check, seconds_to, when_resolved
from monitors.paging import ASSUMPTIONS

__all__ = ["alerts_seen", "answers_text", "checks_kept", "open_alerts", "phases_played", "where_to_look"]


def where_to_look(plan: GatewayPlan) -> Table:
    """Return the addresses of the running gateway."""
    table = Table.grid(padding=(0, 2))
    table.add_row("predict", f"{plan.url}/predict/phishing")
    table.add_row("metrics", f"{plan.url}/metrics")
    table.add_row("admin API", f"{plan.url}/admin/v1/models")
    table.add_row("admin token", str(plan.token_file))
    table.add_row("gateway's log", str(plan.log_file))
    return table


def open_alerts(scenario: Scenario, most: int = 6) -> Table:
    """Return the alerts that are open now, with the features they name."""
    table = Table("alert", "on", "severity", "names", title="Open alerts", expand=True)
    sightings = sorted(scenario.alerts.open_sightings(), key=_prominence)
    if len(sightings) > most:
        table.caption = f"and {len(sightings) - most} more"
    for sighting in sightings[:most]:
        severity = f"[red]{sighting.severity}" if sighting.severity == "page" else f"[yellow]{sighting.severity}"
        table.add_row(sighting.cause, _stream(sighting), f"{severity}[/] ({sighting.calibration})", _names(sighting))
    return table


def phases_played(scenario: Scenario) -> Table:
    """Return what the clients saw, phase by phase, with stable's highest collapse index."""
    table = Table("phase", "seconds", "requests", "errors", "collapse", "answered by", title="What the clients saw")
    for record in scenario.records:
        table.add_row(
            *(record.phase.name, _seconds(record), str(record.requests), str(record.errors)),
            *(_index(record.highest_collapse), answers_text(record.answers)),
        )
    total = scenario.traffic.total
    latency = f"p50 {total.latency_ms(0.5):.1f} ms, p99 {total.latency_ms(0.99):.1f} ms lately"
    table.add_section()
    table.add_row("all", "", str(total.requests), str(total.failed), "", latency)
    return table


def alerts_seen(scenario: Scenario) -> Table:
    """Return every alert with the time it took from the incident, and its end from the recovery."""
    table = Table(
        *("alert", "on", "severity, by", "fired after", "named", "resolved"),
        title="What the watch saw (seconds from the incident, and from the recovery)",
        caption=f"profile: pages within a budget of false pages, if {ASSUMPTIONS['profile']}",
    )
    for sighting in scenario.alerts.sightings:
        fired, resolved = (
            seconds_to(scenario, sighting.fired_at, BEGIN),
            seconds_to(scenario, sighting.resolved_at, RECOVERY),
        )
        level = f"{sighting.severity}, {sighting.calibration}"
        about = sighting.cause, _stream(sighting), level
        table.add_row(*about, _after(fired), _names(sighting), when_resolved(resolved))
    return table


def checks_kept(checks: list[Check]) -> Table:
    """Return what was promised and what came of it."""
    table = Table("promise", "", "found", title="What happened")
    for check in checks:
        table.add_row(check.promise, "[green]yes" if check.kept else "[red]NO", check.found)
    return table


def answers_text(answers: Mapping[tuple[str, str], int]) -> str:
    """Return counts by variant and version as text.

    Examples
    --------
    >>> answers_text({("stable", "1"): 90, ("canary", "2"): 10})
    'canary 2: 10, stable 1: 90'
    """
    return ", ".join(f"{variant} {version}: {count}" for (variant, version), count in sorted(answers.items()))


def _prominence(sighting: Sighting) -> tuple[bool, bool, float]:
    return sighting.variant != "stable", sighting.severity != "page", sighting.first_seen_at


def _stream(sighting: Sighting) -> str:
    return f"{sighting.variant} {sighting.version}"


def _names(sighting: Sighting) -> str:
    return escape(printable(", ".join(sighting.named)))


def _seconds(record: PhaseRecord) -> str:
    return "" if record.ended_at is None else f"{record.ended_at - record.began_at:.0f}"


def _index(index: float | None) -> str:
    return "-" if index is None else f"{index:.2f}"


def _after(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"
