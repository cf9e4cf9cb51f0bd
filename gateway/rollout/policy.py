"""The policy of rollouts: from a situation to at most one move. Pure; a driver carries the move out.

::

    draft -> validating -> shadow -> canary, step by step -> baking -> completed
    any stage with traffic <-> holding, and -> rolling_back -> rolled_back
    validating, shadow -> failed        any -> superseded        any <-> paused, by an operator

Evidence against the candidate is looked at first, in every state that is not over; a process that it crashed is the
strongest. Only a stage whose gates have all passed goes on; what is inconclusive is waited for, then held, and at the
deadline of the hold taken back. An operator may answer for a gate that is inconclusive, never for one that aborts.
A stage that gives the candidate more live traffic is entered only while it has what its tier demands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.governance.policy import TierRules
from gateway.rollout.document import TERMINAL, RolloutDocument, RolloutState, Stage
from gateway.rollout.situation import Situation
from gateway.routing.document import FULL_BP, RouteDocument, Stop
from monitors.records import Verdict

__all__ = [
    "MOST_REARMS",
    "REARM_S",
    "STALE_S",
    "Move",
    "counted_from",
    "decide",
    "editor",
    "following",
    "hindrances",
    "is_above_cap",
    "is_ours",
]

STALE_S = 10.0
"""From then on evidence is too old to advance by."""

REARM_S = 5.0
MOST_REARMS = 3
"""A worker that gave up the canary is asked to try again after so long, and so often in a stage."""


@dataclass(frozen=True, slots=True)
class Move:
    """One transition. ``stage`` and ``step`` are those that the rollout is in afterwards.

    ``against`` are the gates that take the candidate back; ``stall`` is the deadline of a hold, ``load`` that it does
    not load, ``crash`` that it crashed a process. ``lifts_cap`` is a human's leave to go beyond the cap of the tier.
    """

    to: RolloutState
    stage: Stage
    step: int
    cause: str
    rearms: bool = False
    against: tuple[str, ...] = ()
    lifts_cap: bool = False


def decide(situation: Situation) -> Move | None:
    """Return what is to be done now, if anything.

    Examples
    --------
    >>> from gateway.rollout.plan import Plan
    >>> rollout = RolloutDocument(
    ...     id="r", model="fraud", stable="1", candidate="2", plan=Plan(), salt="", reason="", state="validating"
    ... )
    >>> route = RouteDocument("fraud", 1, "1", "")
    >>> decide(Situation(rollout=rollout, route=route, load="ready")).to
    'shadow'
    """
    rollout = situation.rollout
    if rollout.state in TERMINAL:
        return None
    if rollout.state == "rolling_back":
        return _rolled_back(situation)
    if not is_ours(rollout, situation.route):
        return _move(situation, "superseded", f"the route was changed by {editor(situation.route)}")
    if situation.crash:
        return _condemned(situation, situation.crash, ("crash",))
    against = [verdict for verdict in situation.verdicts if verdict.result == "abort"]
    return _aborted(situation, against) if against else _by_state(situation)


def counted_from(rollout: RolloutDocument, route: RouteDocument | None) -> float:
    """Return the Unix seconds from which the time of a stage counts: its beginning or, where that is later, the end of
    the model's last stop. Traffic that nobody sent proves nothing, so a stage that was stopped begins its time anew.

    Examples
    --------
    >>> from gateway.rollout.plan import Plan
    >>> rollout = RolloutDocument(
    ...     id="r", model="m", stable="1", candidate="2", plan=Plan(), salt="", reason="", entered_at=100.0
    ... )
    >>> counted_from(rollout, RouteDocument("m", 1, "1", "", resumed_at=160.0))
    160.0
    """
    return max(rollout.entered_at, route.resumed_at if route else 0.0)


def following(situation: Situation) -> tuple[RolloutState, Stage, int]:
    """Return state, stage and step after the present stage."""
    rollout = situation.rollout
    plan = rollout.plan
    if rollout.stage == "validating" and plan.shadow is not None:
        return "shadow", "shadow", 0
    if rollout.stage in ("validating", "shadow"):
        return "canary", "canary", 0
    if rollout.stage == "canary" and rollout.step + 1 < len(plan.steps):
        return "canary", "canary", rollout.step + 1
    if rollout.stage == "canary":
        return "baking", "baking", rollout.step
    return "completed", "baking", rollout.step


def hindrances(situation: Situation) -> list[str]:
    """Return everything that keeps the present stage from being left for the next."""
    if situation.failure:
        return [f"steering it failed, which the log of the watch shows: {situation.failure}"]
    evidence = () if situation.rollout.stage == "validating" else _of_the_evidence(situation)
    return [*_of_the_fleet(situation), *evidence, *_of_the_tier(situation)]


def is_above_cap(rollout: RolloutDocument, rules: TierRules, stage: Stage, step: int) -> bool:
    """Return whether a canary step is larger than what a tier allows without a human.

    Examples
    --------
    >>> from gateway.rollout.plan import Plan
    >>> rollout = RolloutDocument(id="r", model="m", stable="1", candidate="2", plan=Plan(), salt="", reason="")
    >>> [is_above_cap(rollout, TierRules(canary_cap=0.1), "canary", step) for step in (0, 1)]
    [False, True]
    """
    cap = rules.canary_cap
    return cap is not None and stage == "canary" and rollout.plan.weight_bp(step) > round(cap * FULL_BP)


def is_ours(rollout: RolloutDocument, route: RouteDocument | None) -> bool:
    """Return whether the route still is what the rollout made of it."""
    if route is None:
        return False
    canary = (route.canary.version, route.canary.weight_bp) if route.canary else None
    if rollout.stage == "canary":
        return (route.stable, canary) == (rollout.stable, (rollout.candidate, rollout.weight_bp))
    if rollout.stage == "baking":
        return (route.stable, canary) == (rollout.candidate, None)
    is_shadowed = any(shadow.version == rollout.candidate for shadow in route.shadows)
    return (route.stable, canary) == (rollout.stable, None) and (is_shadowed or rollout.stage != "shadow")


def editor(route: RouteDocument | None) -> str:
    """Return who changed the route last, and why."""
    return f"{route.updated_by or 'somebody'}: {route.reason}" if route else "somebody, who removed it"


def _by_state(situation: Situation) -> Move | None:
    state = situation.rollout.state
    if state == "draft":
        return _move(situation, "validating", "the rollout begins")
    if state == "holding":
        return _held(situation)
    if state == "paused":
        return None
    if situation.failure:
        return _hold(situation, hindrances(situation))
    return _validated(situation) if state == "validating" else _staged(situation)


def _aborted(situation: Situation, against: list[Verdict]) -> Move | None:
    cause = "; ".join(f"{verdict.gate}: {verdict.why}" for verdict in against)
    return _condemned(situation, cause, tuple(verdict.gate for verdict in against))


def _condemned(situation: Situation, cause: str, against: tuple[str, ...]) -> Move | None:
    """End it: a version that never answered a client fails, any other goes back."""
    if situation.rollout.stage in ("validating", "shadow"):
        return _move(situation, "failed", cause, against=against)
    return _back(situation, cause, against)


def _back(situation: Situation, cause: str, against: tuple[str, ...]) -> Move | None:
    """Go back, unless the version to go back to is not there: then nothing better than to hold can be done.

    From a version that crashes its workers it is enough that the other may still load: they do not live until it has.
    """
    rollout = situation.rollout
    may_be_home = situation.is_home_ready or (bool(situation.crash) and not situation.is_home_lost)
    if rollout.stage != "baking" or may_be_home:
        return _move(situation, "rolling_back", cause, against=against)
    if rollout.state == "holding":
        return None
    return _move(situation, "holding", f"version {rollout.stable} is not ready to go back to; {cause}")


def _rolled_back(situation: Situation) -> Move | None:
    return _move(situation, "rolled_back", situation.rollout.cause) if situation.is_converged else None


def _validated(situation: Situation) -> Move | None:
    plan = situation.rollout.plan
    if situation.load == "failed":
        why = f"the candidate does not load: {situation.load_why}"
        return _move(situation, "failed", why, against=("load",))
    if situation.load == "ready" and situation.is_converged:
        found = list(_of_the_tier(situation))
        return _hold(situation, found) if found else _advance(situation)
    if situation.stage_s >= plan.validate_s:
        why = situation.load_why or "the workers do not agree on the route"
        return _move(situation, "failed", f"not ready within {plan.validate_s:g} s: {why}", against=("load",))
    return None


def _staged(situation: Situation) -> Move | None:
    found = hindrances(situation)
    if situation.stage_s >= _dwell_s(situation):
        return _hold(situation, found) if found else _advance(situation)
    is_urgent = situation.tripped or _stop(situation) or _is_unmet(situation)
    return _hold(situation, found) if is_urgent else None


def _held(situation: Situation) -> Move | None:
    rollout = situation.rollout
    if rollout.stage == "validating" and situation.load == "failed":
        return _validated(situation)
    found = hindrances(situation)
    if not found:
        return _move(situation, rollout.stage, "nothing hinders it any more")
    may_rearm = situation.tripped and not _is_unmet(situation)
    if may_rearm and rollout.rearms < MOST_REARMS and situation.held_s >= REARM_S:
        return _move(situation, rollout.stage, f"{_workers(situation.tripped)} to try again", rearms=True)
    is_stalled = situation.held_s >= rollout.plan.hold_s and rollout.plan.on_stall == "rollback"
    return _stalled(situation) if is_stalled and set(found) != set(_of_a_human(situation)) else None


def _stalled(situation: Situation) -> Move | None:
    cause = f"held for {situation.rollout.plan.hold_s:g} s: {'; '.join(hindrances(situation))}"
    return _condemned(situation, cause, ("stall",))


def _advance(situation: Situation) -> Move:
    state, stage, step = following(situation)
    verdicts = "; ".join(f"{one.gate}: {one.why}{_answered_for(situation, one)}" for one in situation.verdicts)
    return Move(state, stage, step, verdicts or "the candidate is loaded everywhere")


def _hold(situation: Situation, found: list[str]) -> Move:
    return _move(situation, "holding", "; ".join(found))


def _move(
    situation: Situation, to: RolloutState, cause: str, *, rearms: bool = False, against: tuple[str, ...] = ()
) -> Move:
    return Move(to, situation.rollout.stage, situation.rollout.step, cause, rearms, against)


def _dwell_s(situation: Situation) -> float:
    plan, stage = situation.rollout.plan, situation.rollout.stage
    if stage == "shadow":
        return plan.shadow.dwell_s if plan.shadow else 0.0
    return plan.bake_s if stage == "baking" else plan.dwell_s


def _stop(situation: Situation) -> Stop | None:
    return situation.route.stop if situation.route else None


def _of_the_fleet(situation: Situation) -> Iterator[str]:
    if stop := _stop(situation):
        yield f"the model is stopped: {stop.reason or 'no reason given'}"
    if situation.load != "ready":
        yield f"the candidate is not ready everywhere: {situation.load_why}"
    if not situation.is_home_ready:
        yield f"version {situation.rollout.stable} is not ready everywhere"
    if not situation.is_converged:
        yield "the workers do not agree on the route"
    if situation.tripped:
        yield f"{_workers(situation.tripped)} gave up the canary"
    if situation.incident and "incident" not in situation.rollout.overridden:
        yield f"the stable version has an incident: {situation.incident}"


def _of_the_evidence(situation: Situation) -> Iterator[str]:
    if situation.stale_s >= STALE_S:
        yield f"no evidence for {situation.stale_s:.0f} s although requests are answered"
    if situation.fault:
        yield f"its evidence fails, which the log of the watch shows, and counts no more: {situation.fault}"
    elif not situation.verdicts:
        yield "there is no evidence yet"
    for verdict in situation.verdicts:
        is_answered_for = verdict.result == "inconclusive" and verdict.gate in situation.rollout.overridden
        if verdict.result != "pass" and not is_answered_for:
            yield f"{verdict.gate}: {verdict.why}{_needed(verdict)}"


def _of_the_tier(situation: Situation) -> Iterator[str]:
    """Yield what the tier of the candidate demands before the next stage, where that gives it more live traffic."""
    if situation.rollout.stage != "baking" and following(situation)[1] != "shadow":
        yield from situation.clearance.missing
        yield from _of_a_human(situation)


def _of_a_human(situation: Situation) -> Iterator[str]:
    """Yield what waits for somebody to go on, however long that takes."""
    rollout, rules = situation.rollout, situation.clearance.rules
    _, stage, step = following(situation)
    if stage == "baking" and rollout.stage != "baking" and not rules.auto_promote:
        yield f"people make a version of its tier stable: weir rollout promote {rollout.model}"
    if not rollout.is_past_cap and is_above_cap(rollout, rules, stage, step):
        cap = f"{rules.canary_cap or 0:.4g}"
        yield f"its tier keeps a canary at a share of {cap} until somebody goes on: weir rollout resume {rollout.model}"


def _is_unmet(situation: Situation) -> bool:
    """Return whether a canary has live traffic without what its tier demands: an approval was withdrawn or expired."""
    return situation.rollout.stage == "canary" and bool(situation.clearance.missing)


def _answered_for(situation: Situation, verdict: Verdict) -> str:
    """Return who answers for a gate that has not passed, in brackets."""
    if verdict.result == "pass":
        return ""
    who = next((one for one in situation.rollout.overrides if one.gate == verdict.gate), None)
    return f" (overridden by {who.by}: {who.reason})" if who else ""


def _needed(verdict: Verdict) -> str:
    return f" (about {verdict.needed} more needed)" if verdict.needed else ""


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count != 1 else ''}"
