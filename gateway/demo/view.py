"""What the audience sees: a live picture on a terminal, a plain line every two seconds elsewhere."""

from __future__ import annotations

from collections import deque
from time import monotonic
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from gateway.demo.alert_log import Sighting
from gateway.demo.gateway_process import GatewayPlan
from gateway.demo.scenario import Scenario
from gateway.demo.tables import alerts_seen, answers_text, checks_kept, open_alerts, phases_played, where_to_look
from gateway.demo.verdict import Check

__all__ = ["LiveView", "PlainView", "View", "print_story", "view_for"]


class View(Protocol):
    """Something that can be entered, shown the scenario again and again, and left."""

    interval_s: float
    encore_interval_s: float

    def __enter__(self) -> View:
        """Begin to show."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the screen as it was."""

    def show(self, scenario: Scenario) -> None:
        """Show the present state."""


def view_for(console: Console, plan: GatewayPlan) -> View:
    """Return the view that suits the console."""
    return LiveView(console, plan) if console.is_terminal else PlainView(console)


class PlainView:
    """One line at a time, for logs."""

    interval_s = 2.0
    encore_interval_s = 60.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rate = _Rate()

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

    def show(self, scenario: Scenario) -> None:
        """Print where the story is and what is open."""
        if not scenario.records:
            return
        alerts = _alerts_text(scenario.alerts.open_sightings())
        progress = f"[{_elapsed_s(scenario):3.0f} of {_planned_s(scenario):.0f} s] {_title(scenario)}"
        line = f"{progress}: {_traffic_text(scenario, self._rate)}" + (f"; {alerts}" if alerts else "")
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveView:
    """A picture that is painted over, for people."""

    interval_s = 0.5
    encore_interval_s = 0.5

    def __init__(self, console: Console, plan: GatewayPlan) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._plan = plan
        self._rate = _Rate()

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def show(self, scenario: Scenario) -> None:
        """Paint progress, addresses, traffic and open alerts."""
        if not scenario.records:
            return
        planned_s = _planned_s(scenario)
        facts = Table.grid(padding=(0, 2))
        facts.add_row("progress", ProgressBar(planned_s, min(planned_s, _elapsed_s(scenario)), width=60))
        facts.add_row("traffic", _traffic_text(scenario, self._rate))
        facts.add_row("collapse index", _collapse_text(scenario))
        facts.add_row("fallbacks", str(scenario.fallbacks))
        picture = Group(facts, where_to_look(self._plan), open_alerts(scenario))
        self._live.update(Panel(picture, title=f"weir demo: {_title(scenario)}"), refresh=True)


def print_story(console: Console, scenario: Scenario, checks: list[Check]) -> None:
    """Print what happened."""
    for table in (phases_played(scenario), alerts_seen(scenario), checks_kept(checks)):
        console.print(table)


class _Rate:
    """Requests per second over the last few calls."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=5)

    def of(self, requests: int) -> float:
        self._seen.append((monotonic(), requests))
        (began_at, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - began_at) if now > began_at else 0.0


def _traffic_text(scenario: Scenario, rate: _Rate) -> str:
    total = scenario.traffic.total
    answers = answers_text(total.answers)
    return f"{total.requests} requests, {rate.of(total.requests):.0f}/s, {total.failed} errors, {answers}"


def _alerts_text(sightings: list[Sighting]) -> str:
    """Return which causes are open on which streams; page before warning."""
    texts = []
    for severity in ("page", "warning"):
        mine = [s for s in sightings if s.severity == severity]
        causes, streams = dict.fromkeys(s.cause for s in mine), dict.fromkeys(f"{s.variant} {s.version}" for s in mine)
        texts += [f"{severity}: {', '.join(causes)} (on {', '.join(streams)})"] if mine else []
    return "; ".join(texts)


def _planned_s(scenario: Scenario) -> float:
    return sum(phase.seconds for phase in scenario.phases)


def _collapse_text(scenario: Scenario) -> str:
    known = [reading for reading in scenario.drift.readings() if reading.collapse_index is not None]
    return ", ".join(f"{reading.variant} {reading.version}: {reading.collapse_index:.2f}" for reading in known)


def _title(scenario: Scenario) -> str:
    return "serving" if scenario.is_over else scenario.records[-1].phase.name


def _elapsed_s(scenario: Scenario) -> float:
    return monotonic() - scenario.records[0].began_at
