"""One rollout in simulated time: real policy, real trials, real documents; only requests and clocks are made up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.rollout.counting import KeyBook
from benchmarks.rollout.rules import WindowRules
from benchmarks.rollout.traffic import Harm, Traffic, TrafficSpec
from gateway.rollout.change import moved_rollout, moved_route
from gateway.rollout.document import RolloutDocument, RolloutState, trial_spec
from gateway.rollout.plan import Plan
from gateway.rollout.policy import decide
from gateway.rollout.situation import Situation
from gateway.routing.document import RouteDocument
from monitors.records import TrialFindings
from monitors.trials.trial import Trial

__all__ = ["Ended", "simulate"]

SLOW_S = 0.25
ENDS: tuple[RolloutState, ...] = ("completed", "rolled_back", "failed")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a rollout ended; ``gates`` are those that aborted it, empty where it stalled or was completed."""

    state: RolloutState
    gates: tuple[str, ...]
    cause: str
    minutes: int
    canary_requests: int
    canary_keys: int
    rules: dict[str, int] = field(default_factory=dict)


def simulate(
    plan: Plan, traffic: TrafficSpec, seed: int, *, harm: Harm | None = None, most_minutes: int = 3_000
) -> Ended:
    """Run one rollout to its end."""
    source = Traffic(traffic, np.random.default_rng(seed), harm)
    book, rules = KeyBook(traffic.keys, SLOW_S), WindowRules(traffic.block_s)
    route = RouteDocument("m", 1, "1", "s")
    rollout = RolloutDocument(
        id="r", model="m", stable="1", candidate="2", plan=plan, salt="s", reason="", state="validating"
    )
    trial: Trial | None = None
    now_s = entered_s = held_s = 0.0
    gates: tuple[str, ...] = ()
    requests = keys = blocks = 0
    while rollout.state not in ENDS and now_s < 60.0 * most_minutes:
        spec = trial_spec(rollout, SLOW_S)
        if spec is not None and (trial is None or trial.spec.identity != spec.identity):
            trial = Trial(spec, split=trial.split if trial else None)
            book.next_stage()
        if trial is not None and rollout.state not in ("rolling_back", "validating"):
            block = source.block(now_s, route.canary.weight_bp if route.canary else 0)
            trial.add(book.count(block, is_baking=rollout.stage == "baking"))
            requests, now_s, blocks = requests + int(block.is_canary_n.sum()), now_s + traffic.block_s, blocks + 1
            if rollout.stage == "canary":
                rules.add(block)
                keys = max(keys, trial.counts.candidate.keys)
        findings = None
        if trial is not None and spec is not None:
            findings = TrialFindings(spec=spec, verdicts=trial.verdicts(foresee=False), taken=blocks)
            gates = tuple(verdict.gate for verdict in findings.verdicts if verdict.result == "abort") or gates
        found = Situation(
            rollout=rollout,
            route=route,
            stage_s=now_s - entered_s,
            held_s=now_s - held_s,
            load="ready",
            findings=findings,
        )
        move = decide(found)
        if move is None:
            continue
        held_s = now_s
        if (move.stage, move.step) != (rollout.stage, rollout.step):
            entered_s = now_s
        after_route = moved_route(move, rollout, route) or route
        rollout = moved_rollout(move, rollout, after_route.revision, now_s=now_s, now="", actor="")
        route = after_route
    return Ended(rollout.state, gates, rollout.cause, round(now_s / 60.0), requests, keys, rules.fired)
