"""What a move makes of the documents: the rollout's and the route's. Pure."""

from __future__ import annotations

from dataclasses import replace

from gateway.rollout.document import RolloutDocument
from gateway.rollout.policy import Move
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute

__all__ = ["moved_rollout", "moved_route"]

_HUNDRED_BP = 100


def moved_route(move: Move, rollout: RolloutDocument, route: RouteDocument) -> RouteDocument | None:
    """Return the route after a move, one revision higher; ``None`` where the move leaves it as it is.

    Other shadows stay, and on the way back a canary that is not the candidate. Time, actor and reason are those of the
    caller to fill in.
    """
    shadows = tuple(shadow for shadow in route.shadows if shadow.version != rollout.candidate)
    after = replace(route, revision=route.revision + 1)
    if move.to == "rolling_back" or (move.to == "failed" and rollout.stage == "shadow"):
        is_candidate = route.canary is not None and route.canary.version == rollout.candidate
        back = replace(after, canary=None if is_candidate else route.canary, shadows=shadows)
        was_promoted = route.stable == rollout.candidate
        return replace(back, stable=rollout.stable, previous_stable=None) if was_promoted else back
    if move.to == "shadow" and rollout.stage != "shadow" and rollout.plan.shadow is not None:
        sample_bp = round(rollout.plan.shadow.sample * _HUNDRED_BP)
        return replace(after, shadows=(*shadows, ShadowRoute(rollout.candidate, sample_bp)))
    is_entered = (move.stage, move.step) != (rollout.stage, rollout.step)
    if move.to == "canary" and (is_entered or move.rearms):
        canary = CanaryRoute(rollout.candidate, rollout.plan.weight_bp(move.step))
        return replace(after, canary=canary, shadows=shadows, salt=rollout.salt)
    if move.to == "baking" and is_entered:
        return replace(after, stable=rollout.candidate, canary=None, shadows=shadows, previous_stable=rollout.stable)
    return None


def moved_rollout(
    move: Move,
    rollout: RolloutDocument,
    route_revision: int,
    *,
    now_s: float,
    now: str,
    actor: str,
    is_automatic: bool = True,
) -> RolloutDocument:
    """Return the rollout after a move, one revision higher.

    Parameters
    ----------
    route_revision
        Revision of the route that the move leads to.
    """
    after = replace(
        rollout,
        state=move.to,
        stage=move.stage,
        step=move.step,
        cause=move.cause,
        held_at=now_s if move.to == "holding" else 0.0,
        rearms=rollout.rearms + move.rearms,
        is_past_cap=rollout.is_past_cap or move.lifts_cap,
        is_automatic=is_automatic,
        updated_at=now,
        updated_by=actor,
        revision=rollout.revision + 1,
    )
    is_begun = rollout.state == "draft"
    if (move.stage, move.step) == (rollout.stage, rollout.step) and not is_begun:
        return after
    return replace(after, since_revision=route_revision, entered_at=now_s, restarts=0, rearms=0, overrides=())
