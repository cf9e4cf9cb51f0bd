"""Did everything happen that the story promises? A pure reading of what the scenario has seen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.demo.alert_log import Sighting
from gateway.demo.incident import GUILTY
from gateway.demo.scenario import Scenario

__all__ = ["BEGIN", "EXPECTED", "MOST_ROLLBACK_S", "RECOVERY", "Check", "seconds_to", "verdict", "when_resolved"]

EXPECTED = ("data-quality", "drift", "confidence-collapse")
"""Causes of the alerts that the incident must raise on the stable version."""

BEGIN = "page fetcher down"
RECOVERY = "recovery"
MOST_ROLLBACK_S = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: kept or not, and what was found."""

    promise: str
    kept: bool
    found: str


def verdict(scenario: Scenario, features: Collection[str]) -> list[Check]:
    """Return every promise of the story with what came of it; ``features`` are all that an alert could name."""
    total = scenario.traffic.total
    errors = ", ".join(f"{count} x {error}" for error, count in sorted(total.errors.items()))
    took = scenario.rollback_s
    innocent = set(features) - set(GUILTY)
    return [
        Check("no client sees an error", total.requests > 0 and not total.failed, errors or f"0 of {total.requests}"),
        Check("the gateway does what the operator asks", not scenario.refusal, scenario.refusal or "every time"),
        _variants_answered(scenario),
        _silent_before(scenario),
        *(_fired(scenario, cause, innocent) for cause in EXPECTED),
        _resolved(scenario),
        _shadow_repeats(scenario),
        Check("the broken canary falls back to stable", scenario.fallbacks > 0, f"{scenario.fallbacks} requests"),
        Check(
            f"rollback takes less than {MOST_ROLLBACK_S:g} s",
            took is not None and took < MOST_ROLLBACK_S,
            "not done" if took is None else f"{1000 * took:.0f} ms",
        ),
    ]


def seconds_to(scenario: Scenario, moment: float | None, phase: str) -> float | None:
    """Return the seconds from the beginning of a phase to a moment; ``None`` where either has not come."""
    began_at = scenario.began_at(phase)
    return None if began_at is None or moment is None else moment - began_at


def when_resolved(after_s: float | None) -> str:
    """Return the time from the recovery to an alert's end as text; an alert may end while the incident goes on.

    Examples
    --------
    >>> when_resolved(7.04), when_resolved(-3.0), when_resolved(None)
    ('after 7.0 s', 'before it', '-')
    """
    if after_s is None:
        return "-"
    return f"after {after_s:.1f} s" if after_s >= 0 else "before it"


def _variants_answered(scenario: Scenario) -> Check:
    answers = scenario.traffic.total.answers
    stable, canary = answers["stable", "1"], answers["canary", "2"]
    return Check("stable and canary answer", stable > 0 and canary > 0, f"{stable} and {canary} requests")


def _shadow_repeats(scenario: Scenario) -> Check:
    shadow = scenario.drift.reading("shadow", "3")
    agreement = "no row" if shadow.agreement is None else f"{100 * shadow.agreement:.1f} % agreement"
    return Check("the shadow repeats stable's answers", shadow.shadow_rows > 0, agreement)


def _silent_before(scenario: Scenario) -> Check:
    began_at = scenario.began_at(BEGIN)
    early = [s for s in scenario.alerts.sightings if began_at is None or s.first_seen_at < began_at]
    return Check("no alert before the incident", began_at is not None and not early, _list(early))


def _fired(scenario: Scenario, cause: str, innocent: Collection[str]) -> Check:
    promise = f"{cause} fires and names the features"
    sighting = scenario.alerts.fired(cause, version="1")
    after_s = seconds_to(scenario, sighting.fired_at, BEGIN) if sighting else None
    if sighting is None or after_s is None:
        return Check(promise, False, "did not fire")
    rightly_named = sighting.named.keys() >= set(GUILTY) and sighting.named.keys().isdisjoint(innocent)
    found = f"after {after_s:.1f} s, named {', '.join(sighting.named) or 'nothing'}"
    return Check(promise, after_s > 0 and rightly_named, found)


def _resolved(scenario: Scenario) -> Check:
    opened = [scenario.alerts.fired(cause, version="1") for cause in EXPECTED]
    still = [sighting for sighting in opened if sighting is None or sighting.is_open]
    latest = max((s.resolved_at for s in opened if s and s.resolved_at is not None), default=None)
    after_s = seconds_to(scenario, latest, RECOVERY)
    found = _list([s for s in still if s]) if still else f"the last {when_resolved(after_s)}"
    return Check("they resolve after the recovery", not still, found)


def _list(sightings: list[Sighting]) -> str:
    return ", ".join(f"{s.cause} on {s.variant} {s.version}" for s in sightings) or "none"
