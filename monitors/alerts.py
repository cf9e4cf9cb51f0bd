"""Alerts: a pure state machine with hysteresis, one alert for each (model, version, variant, cause).

::

    ok ──warn level──> warn ──page level──> firing ──calm──> recovering ──calm ticks──> resolved
     └────────────────────page level──────────^ └<──level again──┘

An alert opens at the level of ``warn`` or ``page`` that its reading reaches. It begins to recover once the effect is
below half of that level, and is resolved after ``clear_ticks`` consecutive ticks below half of the ``warn`` level; a
page no sooner than ``minimum_firing_s`` after it fired. Too small a sample changes nothing. With evidence, a tick is
calm when no evidence speaks for change and the effect is known to be below half of what it was
(``monitors.live.presence``).

A page wakes a person only by a rule, or by evidence that the operator lets page. Everything else that reaches the page
level fires as a warning.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from monitors.causes import ABOUT_FEATURES, ACTIONS, Cause, Reading
from monitors.effects import Movement
from monitors.importance import EQUAL, Importance
from monitors.paging import ASSUMPTIONS, Calibration, Paging
from monitors.records import Alert, AlertState, Driver, Severity, StreamKey
from monitors.thresholds import Thresholds

__all__ = ["CALM_TICKS", "TOP_DRIVERS", "AlertPolicy", "clock_time", "is_transition", "resolve"]

T = TypeVar("T", Movement, Driver)

TOP_DRIVERS = 5
CALM_TICKS = "calm_ticks"
"""Label under which an alert carries how many calm ticks it has seen in a row."""

REACHED = "reached"
ON_LEVEL = "on_level"
FIRED_AT = "fired_at"
"""Labels: the highest level reached, the effect at that level, and when it fired."""


class AlertPolicy:
    """Decide what a reading means for a stream's alert.

    Parameters
    ----------
    thresholds
        Gives the number of calm ticks and the least time of a page; the levels come with the reading.
    paging
        Says the budget in words.

    Examples
    --------
    >>> policy = AlertPolicy(Thresholds(clear_ticks=1, minimum_firing_s=0.0))
    >>> key = StreamKey("m", "1", "", "stable")
    >>> wrong = Movement("https", "wrong_type", 1.0, 0.0, "wrong type 0 %", "wrong type 100 %")
    >>> alert = policy.decide(key, Reading("data-quality", 0.02, 0.1, (wrong,), rules=(wrong,)), None, 60.0)
    >>> alert.state, alert.severity, alert.calibration, alert.summary
    ('firing', 'page', 'rule', 'm version 1 (stable), data-quality: https wrong type 0 % -> wrong type 100 %')
    >>> policy.decide(key, Reading("data-quality", 0.02, 0.1, ()), alert, 70.0).state
    'resolved'
    """

    def __init__(self, thresholds: Thresholds, paging: Paging | None = None) -> None:
        self.thresholds = thresholds
        self.paging = paging or Paging()

    def decide(
        self, stream: StreamKey, reading: Reading, previous: Alert | None, now_s: float, *, ends_tick: bool = True
    ) -> Alert | None:
        """Return the alert after this reading, ``None`` when there is nothing to tell.

        Parameters
        ----------
        stream
            Whose reading it is; a shadow never gets a severity above ``warning``.
        reading
            The cause over one window.
        previous
            The alert before, if one is open, or resolved so recently that what comes now is still the same incident.
        now_s
            End of the window, Unix seconds.
        ends_tick
            Whether the window ends a tick; between ticks nothing is counted as calm.
        """
        if previous is None:
            return self._open(stream, reading, now_s)
        state, calm_ticks = self._next(reading, previous, now_s, ends_tick)
        moved = self._raised(stream, reading, replace(previous, state=state, updated_at=now_s), now_s)
        moved = replace(moved, labels={**moved.labels, CALM_TICKS: str(calm_ticks)})
        if state == "resolved":
            return resolve(replace(moved, effect=reading.effect), now_s)
        return _describe(replace(moved, resolved_at=None), reading)

    def _open(self, stream: StreamKey, reading: Reading, now_s: float) -> Alert | None:
        if reading.level is None:
            return None
        alert = Alert(
            id=_identity(stream, reading.cause, now_s),
            model=stream.model,
            version=stream.version,
            variant=stream.variant,
            cause=reading.cause,
            state="firing" if reading.level == "page" else "warn",
            severity="warning",
            effect=0.0,
            threshold=0.0,
            since=now_s,
            updated_at=now_s,
            summary="",
            suggested_action=ACTIONS[reading.cause],
            runbook=f"docs/runbooks/{reading.cause}.md",
            labels={CALM_TICKS: "0"},
        )
        return _describe(self._raised(stream, reading, alert, now_s), reading)

    def _raised(self, stream: StreamKey, reading: Reading, alert: Alert, now_s: float) -> Alert:
        """Return the alert with the worst that it has been: level, severity, evidence, and what stands behind them."""
        labels, level = dict(alert.labels), reading.level
        if level is not None:
            # Evidence may page where no effect would: a level that nothing reaches is none to come down from.
            turned_on = reading.page if level == "page" and math.isfinite(reading.page) else reading.warn
            labels[ON_LEVEL] = repr(max(turned_on, float(labels.get(ON_LEVEL, "0"))))
        if level == "page":
            labels.setdefault(FIRED_AT, repr(now_s))
        severity = _severity(stream, reading, _calibration(reading))
        is_worse = severity == "page" and alert.severity != "page"
        if level is not None and (is_worse or REACHED not in labels or (level == "page" and labels[REACHED] == "warn")):
            labels[REACHED] = level
            calibration = _calibration(reading)
            alert = replace(
                alert,
                threshold=_threshold(reading),
                calibration=calibration,
                assumes=ASSUMPTIONS[calibration],
                budget="" if calibration == "uncalibrated" else self.paging.in_words(stream.model),
            )
        alert = replace(alert, labels=labels, severity=_worst(alert.severity, severity))
        if alert.calibration == "rule":
            return replace(alert, evidence=None, evidence_threshold=None)
        if reading.standing is None:
            return alert
        standing = reading.standing
        to_cross = standing.page_nats if labels.get(REACHED) == "page" else standing.warn_nats
        nats = standing.nats if alert.evidence is None else max(alert.evidence, standing.nats)
        return replace(alert, evidence=nats, evidence_threshold=to_cross)

    def _next(self, reading: Reading, previous: Alert, now_s: float, ends_tick: bool) -> tuple[AlertState, int]:
        """Return the state after this reading, and how many calm ticks in a row that makes."""
        level, calm_ticks = reading.level, int(previous.labels.get(CALM_TICKS, "0"))
        fired = previous.labels.get(REACHED) == "page"
        if level == "page":
            return "firing", 0
        if level == "warn" and not fired:
            return "warn", 0
        on_level = float(previous.labels.get(ON_LEVEL, "0"))
        if not ends_tick:
            return previous.state if previous.state != "resolved" else "recovering", calm_ticks
        calm_ticks = calm_ticks + 1 if reading.is_calm(reading.warn) else 0
        fired_s = now_s - float(previous.labels.get(FIRED_AT, "0"))
        may_end = previous.severity != "page" or fired_s >= self.thresholds.minimum_firing_s
        if calm_ticks >= self.thresholds.clear_ticks and may_end:
            return "resolved", calm_ticks
        return ("recovering" if reading.is_calm(on_level) else previous.state), calm_ticks


def is_transition(before: Alert | None, after: Alert) -> bool:
    """Whether anybody must hear of the step: the state or the severity is another one."""
    return before is None or (before.state, before.severity) != (after.state, after.severity)


def resolve(alert: Alert, now_s: float, why: str = "") -> Alert:
    """Return the alert as resolved, told as past; ``why`` gives a reason outside its reading."""
    summary = _summary(alert, f" until {clock_time(now_s)}") + (f" ({why})" if why else "")
    return replace(alert, state="resolved", updated_at=now_s, resolved_at=now_s, summary=summary)


def clock_time(unix_s: float) -> str:
    """Return the time of day in UTC.

    Examples
    --------
    >>> clock_time(0.0)
    '00:00:00Z'
    """
    return datetime.fromtimestamp(unix_s, UTC).strftime("%H:%M:%SZ")


def _calibration(reading: Reading) -> Calibration:
    if reading.speaks_by_rule:
        return "rule"
    return reading.standing.calibration if reading.standing else "uncalibrated"


def _threshold(reading: Reading) -> float:
    """Return the level of the effect that counted."""
    if reading.standing and not reading.speaks_by_rule:
        return reading.tolerance
    return reading.page if reading.level == "page" else reading.warn


def _severity(stream: StreamKey, reading: Reading, calibration: Calibration) -> Severity:
    may_page = calibration == "rule" or (calibration != "uncalibrated" and reading.may_page)
    return "page" if reading.level == "page" and may_page and stream.variant != "shadow" else "warning"


def _worst(a: Severity, b: Severity) -> Severity:
    order: tuple[Severity, ...] = ("info", "warning", "page")
    return max(a, b, key=order.index)


def _identity(stream: StreamKey, cause: Cause, since: float) -> str:
    text = "\n".join((stream.model, stream.version, stream.variant, cause, f"{since:.3f}"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _describe(alert: Alert, reading: Reading) -> Alert:
    told = replace(alert, effect=reading.effect, drivers=_drivers(alert.drivers, reading))
    return replace(told, summary=_summary(told))


def _summary(alert: Alert, until: str = "") -> str:
    what = "; ".join(f"{driver.name} {driver.before} -> {driver.after}" for driver in alert.drivers)
    return f"{alert.model} version {alert.version} ({alert.variant}), {alert.cause}{until}: {what}"


def _drivers(known: Sequence[Driver], reading: Reading) -> tuple[Driver, ...]:
    """Return who moved: those already named, brought up to date, then newcomers, at most five.

    Where features differ in importance, effect times importance says who the five are, and their order.
    """
    level = reading.tolerance if reading.standing else reading.warn
    named = sorted(
        [*_loud(reading), *_by_weight(reading.companions, reading.importance)], key=_is_derived
    )  # features before what no client sends
    still = [m for m in reading.movements if reading.standing and m.effect >= level]
    now = {(m.name, m.statistic): _driver(m, level) for m in (*still, *named)}
    kept = {(driver.name, driver.statistic): driver for driver in known}
    keys = dict.fromkeys([*kept, *((m.name, m.statistic) for m in named)])
    told = [now.get(key) or kept[key] for key in keys]
    return tuple(_by_weight(told, reading.importance) if reading.cause in ABOUT_FEATURES else told)[:TOP_DRIVERS]


def _by_weight(moved: Sequence[T], importance: Importance) -> list[T]:
    """Return features by effect times importance, those of none last, then joint channels and exact values."""
    if importance == EQUAL:
        return list(moved)
    return sorted(moved, key=lambda m: (_is_derived(m), -m.effect * importance.of(m.name), -m.effect))


def _loud(reading: Reading) -> list[Movement]:
    """Return the movements to name, the furthest first.

    With evidence: those that it names at a false discovery rate of 10 %, if they are beyond the tolerance, and whatever
    moved so far that everybody sees it; at least the furthest.
    """
    ordered = sorted(reading.movements, key=lambda movement: -movement.excess)
    if reading.standing is None:
        return [m for m in ordered if m.excess >= reading.warn and m.excess > 0.0]
    names = reading.standing.names
    loud = [m for m in ordered if m.effect >= reading.tolerance and (_is_named(m, names) or m.excess >= reading.warn)]
    return [m for m in loud if m.excess > 0.0] or [m for m in ordered[:1] if reading.level]


def _is_derived(movement: Movement | Driver) -> bool:
    return movement.statistic in ("rank", "heaping", "segment")


def _is_named(movement: Movement, names: frozenset[str]) -> bool:
    if movement.name.startswith("class "):
        return "class" in names or any(name.startswith("probability of ") for name in names)
    return movement.name in names or (movement.statistic == "collapse_index" and bool(names))


def _driver(movement: Movement, threshold: float) -> Driver:
    return Driver(movement.name, movement.statistic, movement.effect, threshold, movement.before, movement.after)
