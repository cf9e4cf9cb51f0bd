"""What operators may ask of rollouts, done against the state store: it works with the watch and its leader away.

Every method blocks. Going back never waits for evidence, approval or the leader.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol, TypeVar

from gateway.codec.documents import decode_document
from gateway.errors import (
    ModelUnknown,
    ResourceUnknown,
    RevisionStale,
    RolloutRefused,
    VersionNotWarm,
    VersionUnknown,
)
from gateway.fleet import Fleet
from gateway.governance.guard import Clearance, Guard, evidence_of
from gateway.governance.traffic import raised
from gateway.rollout.change import moved_rollout, moved_route
from gateway.rollout.document import RolloutDocument, decode_rollout, encode_rollout, rollout_key, rollout_view
from gateway.rollout.idempotency import fingerprint, is_repeated, remembered
from gateway.rollout.overrides import OverrideRequest, overridden, require_reason, unanswerable
from gateway.rollout.plan import Plan
from gateway.rollout.policy import Move
from gateway.rollout.recorder import RolloutRecorder
from gateway.rollout.standing import Standing, cleared, decode_standing, encode_standing, obstacles, standing_key
from gateway.rollout.verbs import Verb, asked_move, lifts_cap
from gateway.routing.codec import decode_route, route_key
from gateway.routing.document import RouteDocument
from gateway.state.ledger import Ledger, rfc3339
from gateway.state.residency import decode_residency, encode_residency, residency_key, with_loaded
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock

__all__ = ["Ask", "Outcome", "RolloutControl", "RolloutRequest"]

T = TypeVar("T")

_ATTEMPTS = 20


class _Repository(Protocol):
    def models(self) -> dict[str, list[str]]:
        """Return the versions of every model on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRequest:
    """The body that asks for a rollout. ``override`` clears the version's quarantine and the model's cool-down."""

    model: str
    version: str
    reason: str
    plan: Plan = field(default_factory=Plan)
    override: bool = False

    def __post_init__(self) -> None:
        require_reason(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """How something is asked: by whom, in which request, whether only to see what it would do."""

    actor: Actor
    request_id: str = ""
    idempotency_key: str = ""
    dry_run: bool = False

    @property
    def key(self) -> str:
        """The idempotency key of what is to be done: of a dry run there is nothing that could be done twice."""
        return "" if self.dry_run else self.idempotency_key


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rollout after the request, or as it would be; ``violations`` are what would stand in the way."""

    rollout: RolloutDocument
    violations: tuple[str, ...] = ()
    is_dry_run: bool = False


class RolloutControl:
    """Start, show, pause, resume, abort, promote and override rollouts. Safe from any thread when the store is."""

    def __init__(
        self,
        ledger: Ledger,
        store: StateStore,
        clock: Clock,
        *,
        repository: _Repository,
        guard: Guard | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12],
        salt_source: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._ledger, self._store, self._clock, self._repository = ledger, store, clock, repository
        self._new_id, self._salt_source = new_id, salt_source
        self._recorder = RolloutRecorder(store, ledger, clock)
        self._guard = guard or Guard(store, clock)

    def all(self) -> list[RolloutDocument]:
        """Return the newest rollout of every model."""
        return [decode_rollout(document) for document in self._store.read_prefix(rollout_key(""))]

    def get(self, model: str) -> RolloutDocument:
        """Return a model's newest rollout; raise ``ResourceUnknown`` where there never was one."""
        document = self._store.read(rollout_key(model))
        if document is None:
            raise ResourceUnknown(f"a rollout of model {model!r}")
        return decode_rollout(document)

    def start(self, body: bytes, ask: Ask) -> Outcome:
        """Begin a rollout; the leader takes it from there.

        Raises
        ------
        DocumentInvalid, ModelUnknown, VersionUnknown, IdempotencyKeyReused
        RolloutRefused
            With every violation: another rollout, a canary that somebody set by hand, quarantine, cool-down.
        GovernanceUnmet
            The version lacks what its tier demands, and nothing else is in the way.
        """
        request = decode_document(body, RolloutRequest, source="rollout")
        versions = self._repository.models().get(request.model)
        if versions is None:
            raise ModelUnknown(request.model)
        if request.version not in versions:
            raise VersionUnknown(request.model, request.version)
        return _until_current(lambda: self._start(request, ask))

    def act(self, model: str, verb: Verb, reason: str, ask: Ask) -> Outcome:
        """Pause, resume, abort or promote a model's rollout.

        Raises
        ------
        ResourceUnknown, IdempotencyKeyReused
        RolloutRefused
            The rollout cannot do that where it is; a promotion while the model is stopped.
        GovernanceUnmet
            A promotion to more live traffic of a version that lacks what its tier demands.
        VersionNotWarm
            A worker does not have ready what would get all traffic there, or more: of a promotion the candidate, of an
            abort in the bake the version before.
        """
        return _until_current(lambda: self._act(model, verb, reason, ask))

    def override(self, model: str, body: bytes, known: Mapping[str, Any] | None, ask: Ask) -> Outcome:
        """Answer for a gate that has not passed, or for an incident, in the stage that a rollout is in.

        The other gates stay in force, and so does evidence against the candidate: an abort cannot be overridden.

        Parameters
        ----------
        known
            What the watch says of the rollout now, for the audit record; ``None`` while it is away.

        Raises
        ------
        DocumentInvalid, ResourceUnknown, IdempotencyKeyReused
        RolloutRefused
            The rollout is over, the gate is none of its stage, aborts, or is overridden already.
        GovernanceUnmet
            The candidate lacks what its tier demands before it takes live traffic.
        """
        request = decode_document(body, OverrideRequest, source="override")
        return _until_current(lambda: self._override(model, request, known or {}, ask))

    def _override(self, model: str, request: OverrideRequest, known: Mapping[str, Any], ask: Ask) -> Outcome:
        rollout = self.get(model)
        asked = fingerprint("override", request)
        if is_repeated(rollout.applied, ask.key, asked):
            return Outcome(rollout)
        violations = tuple(unanswerable(rollout, request.gate, known))
        clearance = self._clearance(rollout)
        if not ask.dry_run:
            _require(model, violations, clearance)
        elif violations or clearance.missing:
            return Outcome(rollout, (*violations, *clearance.missing), is_dry_run=True)
        changed = overridden(rollout, request, by=ask.actor.subject, now=rfc3339(self._clock.unix_s()))
        if ask.dry_run:
            return Outcome(changed, is_dry_run=True)
        after = replace(changed, applied=remembered(rollout.applied, ask.key, asked))
        self._recorder.note(
            rollout,
            after,
            "rollout.override",
            actor=ask.actor,
            reason=request.reason.strip(),
            request_id=ask.request_id,
            evidence={
                "gate": request.gate,
                "verdicts": known.get("verdicts", []),
                **evidence_of([clearance]),
            },
            guards=clearance.guards,
        )
        return Outcome(after)

    def _start(self, request: RolloutRequest, ask: Ask) -> Outcome:
        document = self._store.read(rollout_key(request.model))
        current = decode_rollout(document) if document else None
        if current is not None and is_repeated(current.applied, ask.key, fingerprint("start", request)):
            return Outcome(current)
        route = self._route(request.model)
        standing_document = self._store.read(standing_key(request.model))
        standing = decode_standing(standing_document)
        after_standing = cleared(standing, request.version) if request.override else standing
        violations = tuple(self._violations(request, current, route, after_standing))
        rollout = self._drafted(request, current, route, ask)
        clearance = self._clearance(rollout)
        if ask.dry_run:
            return Outcome(rollout, (*violations, *clearance.missing), is_dry_run=True)
        _require(request.model, violations, clearance)
        writes = [Write(rollout_key(request.model), current.revision if current else 0, encode_rollout(rollout))]
        if after_standing != standing:
            revision = standing_document.revision if standing_document else 0
            writes.append(Write(standing_key(request.model), revision, encode_standing(after_standing)))
        if rollout.is_pinned:
            writes.append(self._pinned(request.model, request.version))
        writes += clearance.guards
        self._ledger.change(
            writes,
            actor=ask.actor,
            action="rollout.start",
            resource=rollout_key(request.model),
            before=rollout_view(current) if current else None,
            after=rollout_view(rollout),
            reason=rollout.reason,
            request_id=ask.request_id,
            evidence={**({"override": asdict(standing)} if request.override else {}), **evidence_of([clearance])},
        )
        return Outcome(rollout)

    def _violations(
        self,
        request: RolloutRequest,
        current: RolloutDocument | None,
        route: RouteDocument | None,
        standing: Standing,
    ) -> Iterator[str]:
        if current is not None and current.is_active:
            yield f"version {current.candidate} is being rolled out ({current.state}); abort it first"
        if route is None:
            yield "the model has no route yet; set its stable version first"
        elif route.stable == request.version:
            yield f"version {request.version} is stable already"
        if route is not None and route.canary is not None and not (current is not None and current.is_active):
            yield f"the route has version {route.canary.version} as its canary; remove it first"
        yield from obstacles(standing, request.version, self._digest(request), self._clock.unix_s())

    def _drafted(
        self, request: RolloutRequest, current: RolloutDocument | None, route: RouteDocument | None, ask: Ask
    ) -> RolloutDocument:
        now = rfc3339(self._clock.unix_s())
        wishes = decode_residency(self._store.read(residency_key(request.model)))
        return RolloutDocument(
            id=self._new_id(),
            model=request.model,
            stable=route.stable if route else "",
            candidate=request.version,
            plan=request.plan,
            salt=self._salt_source(),
            reason=request.reason.strip(),
            is_pinned=request.version not in wishes.pinned,
            created_at=now,
            created_by=ask.actor.subject,
            updated_at=now,
            updated_by=ask.actor.subject,
            applied=remembered(current.applied if current else (), ask.key, fingerprint("start", request)),
            revision=(current.revision if current else 0) + 1,
        )

    def _act(self, model: str, verb: Verb, reason: str, ask: Ask) -> Outcome:
        rollout = self.get(model)
        asked = fingerprint(verb, reason)
        if is_repeated(rollout.applied, ask.key, asked):
            return Outcome(rollout)
        route = self._route(model)
        move, violations = asked_move(verb, rollout, route, reason)
        if move is None:
            if ask.dry_run:
                return Outcome(rollout, violations, is_dry_run=True)
            raise RolloutRefused(model, violations)
        clearance = self._clearance(rollout)
        move = replace(move, lifts_cap=lifts_cap(verb, move, rollout, clearance))
        is_raise = _is_raise(move, rollout, route)
        if ask.dry_run:
            lacking = clearance.missing if is_raise else ()
            cold = self._cold(verb, move, rollout, route)
            return Outcome(self._foreseen(move, rollout, ask), (*cold, *lacking), is_dry_run=True)
        self._require_warm(verb, move, rollout, route)
        if is_raise:
            clearance.require()
        after = self._recorder.carry_out(
            move,
            rollout,
            route,
            actor=ask.actor,
            reason=reason,
            request_id=ask.request_id,
            applied=remembered(rollout.applied, ask.key, asked),
            clearance=clearance,
        )
        return Outcome(after)

    def _clearance(self, rollout: RolloutDocument) -> Clearance:
        """Return whether a rollout's candidate may take live traffic; the approval of who started it counts nothing."""
        stable = rollout.stable or None
        return self._guard.look(rollout.model, rollout.candidate, stable=stable, starter=rollout.created_by)

    def _foreseen(self, move: Move, rollout: RolloutDocument, ask: Ask) -> RolloutDocument:
        now_s = self._clock.unix_s()
        return moved_rollout(
            move,
            rollout,
            rollout.since_revision,
            now_s=now_s,
            now=rfc3339(now_s),
            actor=ask.actor.subject,
            is_automatic=False,
        )

    def _cold(self, verb: Verb, move: Move, rollout: RolloutDocument, route: RouteDocument | None) -> tuple[str, ...]:
        try:
            self._require_warm(verb, move, rollout, route)
        except VersionNotWarm as error:
            return (str(error),)
        return ()

    def _require_warm(self, verb: Verb, move: Move, rollout: RolloutDocument, route: RouteDocument | None) -> None:
        """Raise ``VersionNotWarm`` where a version would get traffic that a worker does not have ready.

        From a version that crashes its workers one may go back to what has not loaded yet: they do not live until then.
        """
        model, fleet = rollout.model, self._fleet()
        if verb == "promote":
            fleet.require_warm(model, rollout.candidate)
        elif move.to == "rolling_back" and route is not None and route.stable == rollout.candidate:
            is_lost = fleet.progress(model, rollout.stable).state == "failed"
            if is_lost or not fleet.progress(model, rollout.candidate).crash:
                fleet.require_warm(model, rollout.stable)

    def _pinned(self, model: str, version: str) -> Write:
        document = self._store.read(residency_key(model))
        wishes = with_loaded(decode_residency(document), version)
        return Write(residency_key(model), document.revision if document else 0, encode_residency(wishes))

    def _digest(self, request: RolloutRequest) -> str:
        statuses = self._fleet().statuses(request.model, request.version).values()
        return next((status.digest for status in statuses if status.digest), "")

    def _fleet(self) -> Fleet:
        return Fleet.of(self._store.announcements())

    def _route(self, model: str) -> RouteDocument | None:
        document = self._store.read(route_key(model))
        return decode_route(document.body, document.revision) if document else None


def _require(model: str, violations: tuple[str, ...], clearance: Clearance) -> None:
    """Raise ``RolloutRefused`` with all that is in the way, ``GovernanceUnmet`` where only the tier's demands are."""
    if violations:
        raise RolloutRefused(model, (*violations, *clearance.missing))
    clearance.require()


def _is_raise(move: Move, rollout: RolloutDocument, route: RouteDocument | None) -> bool:
    after = moved_route(move, rollout, route) if route is not None else None
    return after is not None and bool(raised(route, after))


def _until_current(once: Callable[[], T]) -> T:
    """Repeat a change until nobody came between: what it may do is decided anew each time."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return once()
        except RevisionStale:
            continue
    return once()
