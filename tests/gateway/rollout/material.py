"""Rollouts, routes and verdicts for the tests of rollouts."""

from __future__ import annotations

from typing import Any

from gateway.rollout.document import RolloutDocument, trial_spec
from gateway.rollout.plan import Plan
from gateway.rollout.situation import Situation
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute
from monitors.records import GateName, GateResult, TrialFindings, Verdict

__all__ = ["findings", "rollout", "route_of", "situation", "verdict"]

SLOW_S = 0.25


def rollout(**changes: Any) -> RolloutDocument:
    """Return a rollout of version 2 over version 1."""
    given: dict[str, Any] = {
        "id": "r",
        "model": "fraud",
        "stable": "1",
        "candidate": "2",
        "plan": Plan(),
        "salt": "salt",
        "reason": "retrained",
    }
    return RolloutDocument(**{**given, **changes})


def route_of(rollout: RolloutDocument) -> RouteDocument:
    """Return the route that belongs to a rollout where it is."""
    route = RouteDocument("fraud", 7, "1", "salt", shadows=(ShadowRoute("9", 100),))
    if rollout.stage == "shadow":
        return RouteDocument("fraud", 7, "1", "salt", shadows=(ShadowRoute("9", 100), ShadowRoute("2", 10_000)))
    if rollout.stage == "canary":
        canary = CanaryRoute("2", rollout.weight_bp)
        return RouteDocument("fraud", 7, "1", "salt", canary, shadows=route.shadows)
    if rollout.stage == "baking":
        return RouteDocument("fraud", 7, "2", "salt", shadows=route.shadows, previous_stable="1")
    return route


def verdict(gate: GateName, result: GateResult) -> Verdict:
    """Return a verdict without figures."""
    return Verdict(gate=gate, result=result, why=f"it is {result}")


def findings(rollout: RolloutDocument, *results: GateResult) -> TrialFindings | None:
    """Return findings on the rollout's stage with one verdict for each result."""
    spec = trial_spec(rollout, SLOW_S)
    gates: tuple[GateName, ...] = ("errors", "split", "latency", "predictions")
    if spec is None:
        return None
    return TrialFindings(
        spec=spec, verdicts=tuple(verdict(gates[i], result) for i, result in enumerate(results)), taken=1
    )


def situation(rollout: RolloutDocument, *results: GateResult, **facts: Any) -> Situation:
    """Return a situation in which nothing but what is given hinders the rollout."""
    given: dict[str, Any] = {
        "route": route_of(rollout),
        "stage_s": 1e6,
        "load": "ready",
        "findings": findings(rollout, *results),
    }
    return Situation(rollout=rollout, **{**given, **facts})
