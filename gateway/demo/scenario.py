"""The story: phases of traffic, what the operator does in each, and what is seen meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from gateway.demo.admin import Admin, AdminRefused
from gateway.demo.alert_log import AlertLog
from gateway.demo.drift_log import DriftLog
from gateway.demo.incident import Transform, fetcher_down, fetcher_stuck, unchanged
from gateway.demo.rollback_watch import RevisionWatch
from gateway.demo.traffic import Answer, Traffic

__all__ = ["PHASES", "Phase", "PhaseRecord", "Scenario", "scaled"]

RUN_LENGTH = 100
ROLLBACK_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of traffic.

    Parameters
    ----------
    name
        What the audience reads.
    seconds
        How long it lasts at least.
    transform
        What happens to each row before it is sent.
    action
        What the operator does when it begins.
    quiet_within_s
        Wait up to this long beyond ``seconds`` until no alert is open; 0 to go on at once.
    """

    name: str
    seconds: float
    transform: Transform = unchanged
    action: Callable[[Scenario], Awaitable[None]] | None = None
    quiet_within_s: float = 0.0


@dataclass(slots=True)
class PhaseRecord:
    """What one phase saw: when it began, on the clock of the answers, its counts, and how far stable collapsed."""

    phase: Phase
    began_at: float
    ended_at: float | None = None
    requests: int = 0
    errors: int = 0
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    highest_collapse: float | None = None


class Scenario:
    """Runs the phases one after the other over running traffic.

    Parameters
    ----------
    phases
        The story.
    traffic
        The clients; must be running. The scenario sets its transform and its listener.
    admin
        The operator's API.
    poll_s
        Time between two looks at the alerts.
    """

    def __init__(self, phases: tuple[Phase, ...], traffic: Traffic, admin: Admin, *, poll_s: float = 0.5) -> None:
        self.phases = phases
        self.traffic = traffic
        self.admin = admin
        self.alerts = AlertLog()
        self.drift = DriftLog()
        self.records: list[PhaseRecord] = []
        self.fallbacks = 0
        self.rollback_s: float | None = None
        self.watch_failures = 0
        self.refusal = ""
        self._poll_s = poll_s
        self._looked = asyncio.Condition()

    async def run(self) -> None:
        """Play all phases, or up to one whose action is refused."""
        try:
            for phase in self.phases:
                await self._play(phase)
        except AdminRefused as refusal:
            self.refusal = str(refusal)

    async def watch(self) -> None:
        """Read alerts, drift and fallbacks again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._poll_s)

    async def look(self) -> None:
        """Read alerts, drift and fallbacks once. A watch process that restarts is no reason to stop."""
        try:
            self.alerts.update(await self.admin.alerts(), monotonic())
            self.drift.update(await self.admin.drift())
            self.fallbacks = await self.admin.fallbacks()
        except AdminRefused:
            self.watch_failures += 1
        async with self._looked:
            self._looked.notify_all()

    @property
    def is_over(self) -> bool:
        """Whether all phases have been played."""
        return len(self.records) == len(self.phases) and self.records[-1].ended_at is not None

    def began_at(self, name: str) -> float | None:
        """Return when a phase began, ``None`` where it has not."""
        return next((record.began_at for record in self.records if record.phase.name == name), None)

    async def _play(self, phase: Phase) -> None:
        total = self.traffic.total
        requests, errors, answers = total.requests, total.failed, total.answers.copy()
        self.traffic.transform = phase.transform
        self.drift.mark()
        record = PhaseRecord(phase, monotonic())
        self.records.append(record)
        if phase.action is not None:
            await phase.action(self)
        await asyncio.sleep(phase.seconds)
        if phase.quiet_within_s:
            await self._wait_for_quiet(phase.quiet_within_s)
        record.ended_at = monotonic()
        record.requests, record.errors = total.requests - requests, total.failed - errors
        record.answers = total.answers - answers
        record.highest_collapse = self.drift.reading("stable", "1").highest_collapse

    async def _wait_for_quiet(self, limit_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s), self._looked:
                await self._looked.wait_for(lambda: not self.alerts.open_sightings())


async def start_canary(scenario: Scenario) -> None:
    """Send a tenth of the keys to version 2, and repeat stable's traffic on version 3."""
    await scenario.admin.set_route(
        stable="1", canary=("2", 10.0), shadows=("3",), reason="try gradient boosting on a tenth of the users"
    )


async def start_broken_canary(scenario: Scenario) -> None:
    """Send a fifth of the keys to version 4, which raises on nearly every request."""
    await scenario.admin.set_route(
        stable="1", canary=("4", 20.0), shadows=("3",), reason="try the correction table on a fifth of the users"
    )


async def roll_back(scenario: Scenario) -> None:
    """Take the broken canary out and measure how long old answers go on."""
    meanwhile: list[Answer] = []
    scenario.traffic.on_answer = meanwhile.append
    called_at = monotonic()
    revision = await scenario.admin.roll_back("the canary raises on live requests")
    watch = RevisionWatch(revision=revision, called_at=called_at, run_length=RUN_LENGTH)
    for answer in meanwhile:
        watch.see(answer)
    scenario.traffic.on_answer = watch.see
    scenario.rollback_s = await watch.wait(ROLLBACK_LIMIT_S)
    scenario.traffic.on_answer = None


PHASES = (
    Phase("normal traffic", 14.0),
    Phase("canary at 10 %", 14.0, action=start_canary),
    Phase("page fetcher down", 16.0, fetcher_down),
    Phase("page fetcher stuck", 14.0, fetcher_stuck),
    Phase("recovery", 12.0, quiet_within_s=45.0),
    Phase("broken canary at 20 %", 8.0, action=start_broken_canary),
    Phase("rollback", 3.0, action=roll_back),
)
"""Alerts look back over six ticks of two seconds and clear after three quiet ones."""


def scaled(phases: tuple[Phase, ...], factor: float) -> tuple[Phase, ...]:
    """Return the phases with all durations multiplied."""
    return tuple(
        replace(phase, seconds=phase.seconds * factor, quiet_within_s=phase.quiet_within_s * factor) for phase in phases
    )
