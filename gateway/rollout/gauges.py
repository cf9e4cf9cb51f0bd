"""Rollouts on the metrics page: what the documents say, and what the leader sees. Pure; nothing of one that is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.rollout.document import RolloutDocument
from gateway.rollout.situation import Situation
from gateway.rollout.standing import Standing, recent_rollbacks
from gateway.routing.document import FULL_BP
from monitors.records import Verdict

__all__ = ["Gauge", "document_gauges", "situation_gauges", "standing_gauges"]

Gauge = tuple[str, dict[str, str], float]
_RESULTS = {"abort": -1.0, "inconclusive": 0.0, "pass": 1.0}


def document_gauges(rollouts: Iterable[RolloutDocument]) -> Iterator[Gauge]:
    """Yield how many rollouts are not over, and where each of them is.

    Examples
    --------
    >>> list(document_gauges([]))
    [('weir_rollouts', {}, 0.0)]
    """
    active = [rollout for rollout in rollouts if rollout.is_active]
    yield "weir_rollouts", {}, float(len(active))
    for rollout in active:
        names = _names(rollout)
        yield "weir_rollout_state", {**names, "state": rollout.state}, 1.0
        yield "weir_rollout_step", names, float(rollout.step + 1 if rollout.stage == "canary" else 0)
        yield "weir_rollout_weight_ratio", names, rollout.weight_bp / FULL_BP


def standing_gauges(model: str, standing: Standing, now_s: float) -> Iterator[Gauge]:
    """Yield what automation holds against a model's versions."""
    yield "weir_quarantined_versions", {"model": model}, float(len(standing.quarantined))
    yield "weir_automatic_rollbacks", {"model": model}, float(len(recent_rollbacks(standing, now_s)))


def situation_gauges(situation: Situation) -> Iterator[Gauge]:
    """Yield for how long a rollout is held, and what each gate says."""
    names = _names(situation.rollout)
    yield "weir_rollout_held_seconds", names, situation.held_s
    for verdict in situation.verdicts:
        yield from _verdict_gauges({**names, "gate": verdict.gate}, verdict)


def _verdict_gauges(names: dict[str, str], verdict: Verdict) -> Iterator[Gauge]:
    yield "weir_rollout_gate", names, _RESULTS[verdict.result]
    yield "weir_rollout_samples", names, float(verdict.samples)
    needed = 0 if verdict.result == "pass" else verdict.needed
    if needed is not None:
        yield "weir_rollout_samples_needed", names, float(needed)
    if verdict.evidence is not None and verdict.level is not None:
        yield "weir_rollout_evidence_nats", names, verdict.evidence
        yield "weir_rollout_abort_nats", names, verdict.level


def _names(rollout: RolloutDocument) -> dict[str, str]:
    return {"model": rollout.model, "version": rollout.candidate}
