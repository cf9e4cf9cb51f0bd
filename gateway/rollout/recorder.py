"""The recorder: carries a move out. Rollout, route and everything that follows are one transaction with its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from gateway.governance.guard import FREE, Clearance, evidence_of
from gateway.governance.traffic import raised
from gateway.rollout.change import moved_rollout, moved_route
from gateway.rollout.document import TERMINAL, RolloutDocument, encode_rollout, rollout_key, rollout_view
from gateway.rollout.policy import Move
from gateway.rollout.standing import decode_standing, encode_standing, standing_key, with_rollback
from gateway.routing.codec import encode_route, route_key
from gateway.routing.document import RouteDocument
from gateway.state.ledger import Ledger, rfc3339
from gateway.state.residency import decode_residency, encode_residency, residency_key, without_wish
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock
from monitors.records import Verdict

__all__ = ["RolloutRecorder"]

_LONGEST_REASON = 500


class RolloutRecorder:
    """Persist moves. Blocks; safe from any thread when the store is.

    What a move changes is written before anything follows from it: workers act on the stored route alone.
    """

    def __init__(self, store: StateStore, ledger: Ledger, clock: Clock) -> None:
        self._store, self._ledger, self._clock = store, ledger, clock

    def carry_out(
        self,
        move: Move,
        rollout: RolloutDocument,
        route: RouteDocument | None,
        *,
        actor: Actor,
        verdicts: Sequence[Verdict] = (),
        reason: str = "",
        request_id: str = "",
        applied: tuple[str, ...] | None = None,
        epoch: int | None = None,
        clearance: Clearance = FREE,
    ) -> RolloutDocument:
        """Write a move with its evidence, and return the rollout as it is then.

        Parameters
        ----------
        applied
            Idempotency keys with that of the request that this carries out; without, as they are.
        epoch
            Of the leader that decided it; without, an operator did.
        clearance
            What a move rests on that gives the candidate more live traffic.

        Raises
        ------
        RevisionStale
            The rollout, the route or what a raise rests on is no longer what the move was decided on.
        EpochStale
            Another leader has taken over.
        StoreUnavailable
        """
        now_s, now = self._clock.unix_s(), rfc3339(self._clock.unix_s())
        after_route = moved_route(move, rollout, route) if route else None
        revision = after_route.revision if after_route else route.revision if route else 0
        after = moved_rollout(
            move, rollout, revision, now_s=now_s, now=now, actor=actor.subject, is_automatic=epoch is not None
        )
        after = after if applied is None else replace(after, applied=applied)
        writes = [Write(rollout_key(rollout.model), rollout.revision, encode_rollout(after))]
        if after_route is not None and route is not None:
            cause = f"rollout {rollout.id}: {reason or move.cause}"[:_LONGEST_REASON]
            told = replace(after_route, reason=cause, updated_at=now, updated_by=actor.subject)
            writes.append(Write(route_key(rollout.model), route.revision, encode_route(told)))
        evidence: dict[str, Any] = {"verdicts": [asdict(verdict) for verdict in verdicts]}
        if after_route is not None and raised(route, after_route):
            writes += clearance.guards
            evidence |= evidence_of([clearance])
        writes += self._following(after, rollout, now_s)
        self._ledger.change(
            writes,
            actor=actor,
            action=f"rollout.{move.to}",
            resource=rollout_key(rollout.model),
            before=rollout_view(rollout),
            after=rollout_view(after),
            reason=reason or move.cause,
            request_id=request_id,
            evidence=evidence,
            epoch=epoch,
        )
        return after

    def note(
        self,
        before: RolloutDocument,
        after: RolloutDocument,
        action: str,
        *,
        actor: Actor,
        reason: str = "",
        request_id: str = "",
        evidence: dict[str, Any] | None = None,
        epoch: int | None = None,
        guards: Sequence[Write] = (),
    ) -> None:
        """Write a change of a rollout that moves nothing; raise as :meth:`carry_out` does."""
        self._ledger.change(
            [Write(rollout_key(before.model), before.revision, encode_rollout(after)), *guards],
            actor=actor,
            action=action,
            resource=rollout_key(before.model),
            before=rollout_view(before),
            after=rollout_view(after),
            reason=reason,
            request_id=request_id,
            evidence=evidence,
            epoch=epoch,
        )

    def _following(self, after: RolloutDocument, before: RolloutDocument, now_s: float) -> list[Write]:
        """Return the writes that go with the end of a rollout: the quarantine, and the candidate's residency."""
        writes: list[Write] = []
        went_back = after.state == "rolling_back" or (after.state == "failed" and before.stage == "shadow")
        if went_back:
            writes.append(self._write(standing_key(after.model), self._with_rollback(after, now_s)))
        if after.state in TERMINAL and after.is_pinned:
            document = self._store.read(residency_key(after.model))
            wishes = without_wish(decode_residency(document), after.candidate)
            writes.append(self._write(residency_key(after.model), encode_residency(wishes)))
        return writes

    def _with_rollback(self, after: RolloutDocument, now_s: float) -> bytes:
        standing = decode_standing(self._store.read(standing_key(after.model)))
        return encode_standing(with_rollback(standing, after, now_s))

    def _write(self, key: str, body: bytes) -> Write:
        document = self._store.read(key)
        return Write(key, document.revision if document else 0, body)
