"""What the watch process does for rollouts: evidence from channels, facts from counters, ticks of the driver."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.metrics.catalogue import METRICS
from gateway.metrics.totals import Series
from gateway.rollout.driver import RolloutDriver, Seen, Steering
from gateway.rollout.gauges import Gauge, situation_gauges
from gateway.rollout.policy import hindrances
from monitors.ports import Clock, TrialEvidence
from monitors.records import Alert, TrialFindings, TrueOutcome

__all__ = ["RolloutWatch"]

_COUNTED_EVERY_S = 1.0
_log = logging.getLogger("weir.rollout")


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the exact counters say, by model or by model and version."""

    answered: Mapping[str, int]
    tripped: Mapping[str, int]
    shadows: Mapping[tuple[str, str], tuple[int, int]]


class RolloutWatch:
    """Lives on the loop of the watch; what blocks runs in a thread.

    Parameters
    ----------
    evidence
        Takes records and gives findings.
    read_series
        Reads the counters of all workers; blocks.
    alerts
        The alerts that are open now.
    """

    def __init__(
        self,
        driver: RolloutDriver,
        evidence: TrialEvidence,
        clock: Clock,
        *,
        read_series: Callable[[], Iterable[Series]],
        alerts: Callable[[], Iterable[Alert]],
    ) -> None:
        self._driver, self._evidence, self._clock = driver, evidence, clock
        self._read_series, self._alerts = read_series, alerts
        self._counted, self._counted_at = _Counted({}, {}, {}), -1e9
        self._fresh: dict[str, _Freshness] = {}
        self._store_is_up = True
        self._aborts: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._faulty: set[str] = set()
        """Rollouts whose evidence was seen to fail."""
        self.steering = Steering()

    def receive(self, record: object) -> None:
        """Take whatever came over a channel."""
        self._evidence.receive(record)

    async def tick(self) -> None:
        """Judge what has come, and let the driver make at most one move of each rollout."""
        if self.steering.specs:
            await self._count()
        try:
            self.steering = await asyncio.to_thread(self._driver.tick, self._seen())
            self._note_store(is_up=True)
            self._aborts.update(self.steering.aborts)
            self._failures.update((model, "steering") for model in self.steering.failures)
        except (StoreUnavailable, DocumentInvalid) as error:
            self._note_store(is_up=False, why=str(error))
            return
        tripped = {model for model, situation in self.steering.situations.items() if situation.tripped}
        self._evidence.follow(self.steering.specs, paused=tripped)

    def view(self, model: str) -> dict[str, Any]:
        """Return what this process knows of a model's rollout at the moment, ready for JSON."""
        situation = self.steering.situations.get(model)
        if situation is None:
            return {"is_led_here": False, "stage_s": 0.0, "held_s": 0.0, "hindrances": [], "verdicts": []}
        return {
            "is_led_here": True,
            "stage_s": round(situation.stage_s, 1),
            "held_s": round(situation.held_s, 1),
            "hindrances": hindrances(situation),
            "verdicts": [asdict(verdict) for verdict in situation.verdicts],
        }

    def take_outcomes(self, model: str, outcomes: Sequence[TrueOutcome]) -> dict[str, Any]:
        """Take what turned out to be right for requests of a model's rollout, and say what became of it."""
        found = self._evidence.take_outcomes(model, outcomes)
        self._outcomes.update({(model, result): count for result, count in found.items()})
        return {"received": len(outcomes), **found, "is_led_here": model in self.steering.situations}

    def gauges(self) -> Iterator[Gauge]:
        """Yield what this process knows of rollouts, totals of what it took back included; nothing of one that is over.

        A total is there from a rollout's beginning, since a rate needs the value from before the first event.
        """
        situations = self.steering.situations
        yield "weir_leader", {}, float(self.steering.is_leader)
        yield "weir_rollouts_frozen", {}, float(bool(situations) and not self._store_is_up)
        for situation in situations.values():
            yield from situation_gauges(situation)
        gates = METRICS["weir_rollout_aborts_total"].values["gate"]
        self._aborts.update({(model, gate): 0 for model in situations for gate in gates})
        for (model, gate), count in self._aborts.items():
            yield "weir_rollout_aborts_total", {"model": model, "gate": gate}, float(count)
        results = METRICS["weir_rollout_outcomes_total"].values["result"]
        self._outcomes.update({(model, result): 0 for model in situations for result in results})
        for (model, result), count in self._outcomes.items():
            yield "weir_rollout_outcomes_total", {"model": model, "result": result}, float(count)
        parts = METRICS["weir_rollout_failures_total"].values["part"]
        self._failures.update({(model, part): 0 for model in situations for part in parts})
        for (model, part), count in self._failures.items():
            yield "weir_rollout_failures_total", {"model": model, "part": part}, float(count)

    def _seen(self) -> dict[str, Seen]:
        incidents = _incidents(self._alerts())
        seen: dict[str, Seen] = {}
        for model, findings in self._evidence.judge().items():
            self._note_fault(model, findings)
            fresh = self._fresh.setdefault(model, _Freshness())
            seen[model] = Seen(
                findings=findings,
                stale_s=fresh.stale_s(self._clock.monotonic_s(), findings.taken, self._counted.answered.get(model, 0)),
                tripped=self._counted.tripped.get(model, 0),
                incident=incidents.get(model, ""),
            )
        self._fresh = {model: self._fresh[model] for model in seen}
        self._faulty &= {one.findings.spec.rollout for one in seen.values() if one.findings}
        return seen

    def _note_fault(self, model: str, findings: TrialFindings) -> None:
        """Count a rollout's evidence that fails, once: it counts no more until the rollout begins again."""
        if findings.fault and findings.spec.rollout not in self._faulty:
            self._faulty.add(findings.spec.rollout)
            self._failures[model, "evidence"] += 1

    async def _count(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._counted_at >= _COUNTED_EVERY_S:
            self._counted_at = now_s
            candidates = {(spec.model, spec.candidate) for spec in self.steering.specs}
            series = await asyncio.to_thread(self._read_series)
            self._counted = _counted(series, candidates)
            self._evidence.take_shadow_totals(self._counted.shadows)

    def _note_store(self, *, is_up: bool, why: str = "") -> None:
        if self._store_is_up and not is_up:
            _log.warning("rollouts stand still: %s", why)
        self._store_is_up = is_up


class _Freshness:
    """For how long answers were counted of which none came as evidence. Quiet is not stale."""

    __slots__ = ("_answered", "_since", "_taken")

    def __init__(self) -> None:
        self._taken, self._answered, self._since = -1, 0, -1.0

    def stale_s(self, now_s: float, taken: int, answered: int) -> float:
        """Return the seconds since answers were first counted after the last evidence."""
        if taken != self._taken:
            self._taken, self._answered, self._since = taken, answered, -1.0
        elif answered > self._answered and self._since < 0:
            self._since = now_s
        return now_s - self._since if self._since >= 0 else 0.0


def _incidents(alerts: Iterable[Alert]) -> dict[str, str]:
    """Return what a page says of each model's stable version."""
    return {
        alert.model: f"{alert.cause}, {alert.summary}"
        for alert in alerts
        if alert.variant == "stable" and alert.severity == "page" and alert.state == "firing"
    }


def _counted(series: Iterable[Series], candidates: set[tuple[str, str]]) -> _Counted:
    answered: Counter[str] = Counter()
    tripped: Counter[str] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    dropped: Counter[tuple[str, str]] = Counter()
    for one in series:
        labels = one.labels
        name = (labels.get("model", ""), labels.get("version", ""))
        if (
            one.name == "weir_requests_total"
            and labels["variant"] in ("stable", "canary")
            and labels["outcome"] == "ok"
        ):
            answered[name[0]] += int(one.value)
        elif one.name == "weir_canary_tripped" and name in candidates:
            tripped[name[0]] += int(one.value)
        elif one.name == "weir_shadow_requests_total" and labels["result"] in ("error", "dropped"):
            (failed if labels["result"] == "error" else dropped)[name] += int(one.value)
    shadows = {name: (failed[name], dropped[name]) for name in candidates}
    return _Counted(answered, tripped, shadows)
