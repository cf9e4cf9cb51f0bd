"""Alerts: a pure state machine with hysteresis, one alert for each (model, version, variant, cause).

::

    ok ──warn level──> warn ──page level──> firing ──below half──> recovering ──calm ticks──> resolved
     └────────────────────page level──────────^ └<──level again───────┘

An alert opens at the level of ``warn`` or ``page``, begins to recover below half of the level it reached, and is
resolved after ``clear_ticks`` consecutive ticks below half of the ``warn`` level. Too small a sample changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from monitors.causes import ACTIONS, Cause, Reading
from monitors.effects import Movement
from monitors.records import Alert, AlertState, Driver, Severity, StreamKey
from monitors.thresholds import Thresholds

__all__ = ["CALM_TICKS", "TOP_DRIVERS", "AlertPolicy", "clock_time", "is_transition", "resolve"]

TOP_DRIVERS = 5
CALM_TICKS = "calm_ticks"
"""Label under which an alert carries how many calm ticks it has seen in a row."""


class AlertPolicy:
    """Decide what a reading means for a stream's alert.

    Parameters
    ----------
    thresholds
        Gives the number of calm ticks; the levels come with the reading.

    Examples
    --------
    >>> policy = AlertPolicy(Thresholds(clear_ticks=1))
    >>> key = StreamKey("m", "1", "", "stable")
    >>> gone = Movement("https", "missing", 1.0, 0.0, "median 0.5", "missing 100 %")
    >>> alert = policy.decide(key, Reading("data-quality", 0.02, 0.1, (gone,)), None, 60.0)
    >>> alert.state, alert.severity, alert.summary
    ('firing', 'page', 'm version 1 (stable), data-quality: https median 0.5 -> missing 100 %')
    >>> policy.decide(key, Reading("data-quality", 0.02, 0.1, ()), alert, 70.0).state
    'resolved'
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds

    def decide(self, stream: StreamKey, reading: Reading, previous: Alert | None, now_s: float) -> Alert | None:
        """Return the alert after this reading, ``None`` when there is nothing to tell.

        Parameters
        ----------
        stream
            Whose reading it is; a shadow never gets a severity above ``warning``.
        reading
            The cause over one window.
        previous
            The alert before, if one is open.
        now_s
            End of the window, Unix seconds.
        """
        if previous is None or previous.state == "resolved":
            return self._open(stream, reading, now_s)
        severity = _worst(previous.severity, _severity(stream, reading))
        state, calm_ticks = self._next(reading, previous)
        moved = replace(
            previous,
            state=state,
            severity=severity,
            updated_at=now_s,
            threshold=reading.page if _reaches(reading, reading.page) else previous.threshold,
            labels={**previous.labels, CALM_TICKS: str(calm_ticks)},
        )
        if state == "resolved":
            return resolve(replace(moved, effect=_effect(reading)), now_s)
        return _describe(moved, reading)

    def _open(self, stream: StreamKey, reading: Reading, now_s: float) -> Alert | None:
        if not _reaches(reading, reading.warn):
            return None
        paged = _reaches(reading, reading.page)
        alert = Alert(
            id=_identity(stream, reading.cause, now_s),
            model=stream.model,
            version=stream.version,
            variant=stream.variant,
            cause=reading.cause,
            state="firing" if paged else "warn",
            severity=_severity(stream, reading),
            effect=0.0,
            threshold=reading.page if paged else reading.warn,
            since=now_s,
            updated_at=now_s,
            summary="",
            suggested_action=ACTIONS[reading.cause],
            runbook=f"docs/runbooks/{reading.cause}.md",
            labels={CALM_TICKS: "0"},
        )
        return _describe(alert, reading)

    def _next(self, reading: Reading, previous: Alert) -> tuple[AlertState, int]:
        """Return the state after this reading, and how many calm ticks in a row that makes."""
        if _reaches(reading, reading.page):
            return "firing", 0
        paged = previous.threshold >= reading.page
        if _reaches(reading, reading.warn) and not paged:
            return "warn", 0
        calm_ticks = int(previous.labels.get(CALM_TICKS, "0")) + 1 if _is_calm(reading, reading.warn) else 0
        if calm_ticks >= self.thresholds.clear_ticks:
            return "resolved", calm_ticks
        recovers = _is_calm(reading, reading.page if paged else reading.warn)
        return ("recovering" if recovers else previous.state), calm_ticks


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


def _reaches(reading: Reading, level: float) -> bool:
    return reading.excess >= level and reading.excess > 0.0


def _is_calm(reading: Reading, level: float) -> bool:
    return reading.excess < level / 2.0 or reading.excess == 0.0


def _severity(stream: StreamKey, reading: Reading) -> Severity:
    pages = _reaches(reading, reading.page) and stream.variant != "shadow"
    return "page" if pages else "warning"


def _worst(a: Severity, b: Severity) -> Severity:
    order: tuple[Severity, ...] = ("info", "warning", "page")
    return max(a, b, key=order.index)


def _effect(reading: Reading) -> float:
    return reading.largest.effect if reading.largest else 0.0


def _identity(stream: StreamKey, cause: Cause, since: float) -> str:
    text = "\n".join((stream.model, stream.version, stream.variant, cause, f"{since:.3f}"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _describe(alert: Alert, reading: Reading) -> Alert:
    told = replace(alert, effect=_effect(reading), drivers=_drivers(alert.drivers, reading))
    return replace(told, summary=_summary(told))


def _summary(alert: Alert, until: str = "") -> str:
    what = "; ".join(f"{driver.name} {driver.before} -> {driver.after}" for driver in alert.drivers)
    return f"{alert.model} version {alert.version} ({alert.variant}), {alert.cause}{until}: {what}"


def _drivers(known: Sequence[Driver], reading: Reading) -> tuple[Driver, ...]:
    """Return who moved: those already named, brought up to date, then newcomers, at most five."""
    ordered = sorted(reading.movements, key=lambda movement: movement.excess, reverse=True)
    loud = [m for m in ordered if m.excess >= reading.warn and m.excess > 0.0]
    now = {(m.name, m.statistic): _driver(m, reading.warn) for m in (*loud, *reading.companions)}
    kept = {(driver.name, driver.statistic): driver for driver in known}
    return tuple({**kept, **{key: now[key] for key in kept if key in now}, **now}.values())[:TOP_DRIVERS]


def _driver(movement: Movement, threshold: float) -> Driver:
    return Driver(movement.name, movement.statistic, movement.effect, threshold, movement.before, movement.after)
