"""What an operator's verb means where a rollout is: a move, or why there is none. Pure."""

from __future__ import annotations

from typing import Literal

from gateway.governance.guard import Clearance
from gateway.rollout.document import RolloutDocument, RolloutState
from gateway.rollout.policy import Move, editor, following, is_above_cap, is_ours
from gateway.rollout.situation import Situation
from gateway.routing.document import RouteDocument

__all__ = ["Verb", "asked_move", "lifts_cap"]

Verb = Literal["pause", "resume", "abort", "promote"]


def asked_move(
    verb: Verb, rollout: RolloutDocument, route: RouteDocument | None, reason: str
) -> tuple[Move | None, tuple[str, ...]]:
    """Return the move that a verb means where the rollout is, or why there is none.

    Examples
    --------
    >>> from gateway.rollout.plan import Plan
    >>> rollout = RolloutDocument(id="r", model="m", stable="1", candidate="2", plan=Plan(), salt="", reason="")
    >>> route = RouteDocument("m", 1, "1", "")
    >>> asked_move("pause", rollout, route, "lunch")[0].to, asked_move("resume", rollout, route, "")[1]
    ('paused', ('it is draft, neither paused nor held',))
    """
    state, stage, step = rollout.state, rollout.stage, rollout.step
    cause = reason or f"{verb} by an operator"
    if not rollout.is_active or state == "rolling_back":
        return None, (f"it is {state}; there is nothing to {verb}",)
    if not is_ours(rollout, route):
        return _on_another_route(verb, rollout, route, cause)
    if verb == "abort":
        has_traffic = stage in ("canary", "baking")
        return Move("rolling_back" if has_traffic else "failed", stage, step, cause), ()
    if verb == "pause":
        return (None, ("it is paused already",)) if state == "paused" else (Move("paused", stage, step, cause), ())
    if verb == "resume":
        if state not in ("paused", "holding"):
            return None, (f"it is {state}, neither paused nor held",)
        return Move(stage, stage, step, cause), ()
    return _promotion(rollout, route, cause)


def lifts_cap(verb: Verb, move: Move, rollout: RolloutDocument, clearance: Clearance) -> bool:
    """Return whether a human lets the canary go beyond the cap: by promoting it there, or by ending the hold at it."""
    if verb == "promote":
        return is_above_cap(rollout, clearance.rules, move.stage, move.step)
    if verb != "resume" or rollout.state != "holding":
        return False
    _, stage, step = following(Situation(rollout=rollout, route=None))
    return is_above_cap(rollout, clearance.rules, stage, step)


def _promotion(
    rollout: RolloutDocument, route: RouteDocument | None, cause: str
) -> tuple[Move | None, tuple[str, ...]]:
    if route is not None and route.stop is not None:
        return None, (f"the model is stopped ({route.stop.reason or 'no reason given'}); resume the model first",)
    if rollout.stage == "validating":
        return None, ("the candidate is not validated yet",)
    to, stage, step = following(Situation(rollout=rollout, route=route))
    return Move(to, stage, step, cause), ()


def _on_another_route(
    verb: Verb, rollout: RolloutDocument, route: RouteDocument | None, cause: str
) -> tuple[Move | None, tuple[str, ...]]:
    """Return what is left to do on a route that somebody changed, which the leader has not seen yet: to take away what
    the candidate still has of it, or to end.
    """
    if verb != "abort":
        return None, (f"the route was changed by {editor(route)}; it touches nothing any more",)
    is_canary = route is not None and route.canary is not None and route.canary.version == rollout.candidate
    is_stable = route is not None and rollout.stage == "baking" and route.stable == rollout.candidate
    to: RolloutState = "rolling_back" if is_canary or is_stable else "superseded"
    return Move(to, rollout.stage, rollout.step, cause), ()
