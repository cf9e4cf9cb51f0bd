"""The control service: what operators may ask for, done against the state store.

Every method blocks; callers on an event loop run them in a thread of their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol, TypeVar

from gateway.access.token_control import TokenControl
from gateway.baseline.operations import BaselineControl, RefusalOfText
from gateway.catalog.residency import Residency
from gateway.engine.constant import ConstantRefused, constant_row
from gateway.engine.version import ServableVersion
from gateway.errors import (
    DocumentInvalid,
    Fault,
    ModelUnknown,
    PreconditionMissing,
    ResourceUnknown,
    RevisionStale,
    VersionInUse,
    VersionNotWarm,
    VersionUnknown,
)
from gateway.fleet import Fleet, LoadProgress
from gateway.governance.guard import Clearance, Guard, evidence_of, guards_of
from gateway.governance.operations import ApprovalControl
from gateway.governance.policy import Policy
from gateway.governance.traffic import raised
from gateway.release.operations import ReleaseControl
from gateway.rollout.operations import RolloutControl
from gateway.routing.change import RouteRequest, parse_route_request, propose, resumed, roll_back, stopped
from gateway.routing.codec import encode_route, route_key, route_view
from gateway.routing.document import RouteDocument
from gateway.routing.overview import models_view
from gateway.seeding import seed_routes
from gateway.snapshot import Snapshot, read_snapshot, route_in
from gateway.state.acknowledgements import Acknowledgement, acknowledge
from gateway.state.ledger import Ledger, rfc3339
from gateway.state.newest_records import newest_records
from gateway.state.pages import mark_false
from gateway.state.residency import decode_residency, encode_residency, residency_key, with_loaded, with_unloaded
from gateway.state.store import AuditRecord, Document, StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock
from monitors.records import Page, StreamInfo

__all__ = ["Control", "Repository"]

"""Who acts when nobody asked: the first start, the guards."""

ATTEMPTS = 20
ROLE_WORDS = {
    "previous": "the previous stable version",
    "shadow": "a shadow",
    "fallback": "what answers while the model is stopped",
}
T = TypeVar("T")


class Repository(Protocol):
    """The folder of models, as far as the control service looks at it."""

    def models(self) -> dict[str, list[str]]:
        """Return the versions of every model on disk."""

    def card(self, model: str, version: str) -> str:
        """Return the model card of a version; empty where it has none."""


class Control:
    """Read and change routes and residency; every change is compare-and-set and leaves its audit record.

    Safe from any thread when the store is. Nothing is cached: each call reads the store.

    Parameters
    ----------
    loaded
        Finds a version that is loaded in this process; answers and baselines are held to its contract.
    refusal_of_text
        What the evidence of an accepted baseline is held to; for those that accept none, nothing.
    policy
        What versions must have before they take live traffic; nothing without.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: StateStore,
        clock: Clock,
        *,
        repository: Repository,
        salt_source: Callable[[], str] = lambda: secrets.token_hex(16),
        loaded: Callable[[str, str], ServableVersion | None] = lambda _model, _version: None,
        refusal_of_text: RefusalOfText = lambda _text, _info: "",
        policy: Policy | None = None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._repository = repository
        self._salt_source, self._loaded = salt_source, loaded
        self.baselines = BaselineControl(
            ledger, store, clock, repository=repository, refusal_of_text=refusal_of_text, info_of=self._info_of
        )
        self.tokens = TokenControl(ledger, store, clock)
        self.releases = ReleaseControl(ledger, store, clock, repository=repository)
        self._guard = Guard(store, clock, policy)
        self.rollouts = RolloutControl(
            ledger, store, clock, repository=repository, guard=self._guard, salt_source=salt_source
        )
        self.approvals = ApprovalControl(ledger, store, clock, self._guard, repository=repository)

    def models(self) -> list[dict[str, Any]]:
        """Return every model with its route and, for each version, its role, its states and what it lacks."""
        routes = {doc.model: doc for doc in self._routes()}
        on_disk = self._repository.models()
        stable = {model: routes[model].stable if model in routes else None for model in on_disk}
        asked = [(model, one, stable[model]) for model, versions in on_disk.items() for one in versions]
        missing = self._guard.missing([one for one in asked if one[1] != one[2]])
        return models_view(on_disk, routes, self._fleet(), missing)

    def route(self, model: str) -> RouteDocument:
        """Return a model's route.

        Raises
        ------
        ModelUnknown, ResourceUnknown
            No such model; a model that nobody has given a route.
        DocumentInvalid
            The stored route cannot be read; says at which revision to replace it.
        """
        doc = self._route(model)
        if doc is None:
            self._require_model(model)
            raise ResourceUnknown(f"a route for model {model!r}")
        return doc

    def put_route(
        self, model: str, body: bytes, if_match: int | None, actor: Actor, request_id: str = ""
    ) -> RouteDocument:
        """Replace a model's route by what ``body`` asks for, one that cannot be read included.

        Parameters
        ----------
        if_match
            Revision that the change is based on; 0 for a model without a route.

        Raises
        ------
        PreconditionMissing, RevisionStale
            No revision, or not the present one.
        DocumentInvalid
            The body breaks its rules.
        VersionNotWarm
            A named version is not ready where its role needs it.
        GovernanceUnmet
            A version would get more live traffic and lacks what its tier demands.
        """
        stored = self._store.read(route_key(model))
        if stored is None:
            self._require_model(model)
        if if_match is None:
            raise PreconditionMissing(route_key(model))
        request = parse_route_request(body)
        for _ in range(ATTEMPTS - 1):
            try:
                return self._put_route(model, request, if_match, actor, request_id)
            except RevisionStale as stale:
                if stale.document == route_key(model):
                    raise
        return self._put_route(model, request, if_match, actor, request_id)

    def _put_route(
        self, model: str, request: RouteRequest, if_match: int, actor: Actor, request_id: str
    ) -> RouteDocument:
        stored = self._store.read(route_key(model))
        found = stored.revision if stored else 0
        if if_match != found:
            raise RevisionStale(route_key(model), if_match, found)
        current = _readable(stored, model)
        base = current or RouteDocument(model, found, stable=request.stable, salt="")
        after = propose(base, request, now=self._now(), actor=actor.subject, salt_source=self._salt_source)
        self._require_warm(after)
        clearances = self._cleared(current, after, actor)
        return self._save(current, after, actor, "route.set", request_id, revision=found, clearances=clearances)

    def roll_back(
        self, model: str, actor: Actor, reason: str = "", request_id: str = "", *, if_match: int | None = None
    ) -> RouteDocument:
        """Remove the canary or, without one, return to the previous stable version.

        Parameters
        ----------
        if_match
            The only revision that is rolled back; any without it, so that two who ask may go back two steps.

        Raises
        ------
        RevisionStale
            The route has another revision than ``if_match``.
        NothingToRollBack
            There is neither.
        VersionNotWarm
            The previous stable version is not ready on every worker.
        """

        def once() -> RouteDocument:
            current = self.route(model)
            if if_match not in (None, current.revision):
                raise RevisionStale(route_key(model), if_match, current.revision)
            after = roll_back(current, now=self._now(), actor=actor.subject, reason=reason)
            if after.stable != current.stable:
                self._fleet().require_warm(model, after.stable)
            return self._save(current, after, actor, "route.rollback", request_id, revision=current.revision)

        return _until_current(once)

    def stop(
        self, model: str, version: str | None, answer: object, actor: Actor, reason: str = "", request_id: str = ""
    ) -> RouteDocument:
        """Put a model into its safe state, whatever the present revision; its route waits for :meth:`resume`.

        Parameters
        ----------
        version
            The only one that answers from now on; without, every request is refused.
        answer
            What every row is answered with, without a model being asked; see :func:`constant_row`. The answer is one
            of ``version``'s, without it of the stable version's. ``None`` for none.

        Raises
        ------
        DocumentInvalid
            The version could not give that answer.
        VersionNotWarm
            The version is not ready on every worker. To refuse everything needs nothing.
        """

        def once() -> RouteDocument:
            current = self.route(model)
            whose = current.stable if version is None and answer is not None else version
            if whose is not None:
                self._require_version(model, whose)
                self._fleet().require_warm(model, whose)
            row = None if whose is None or answer is None else self._constant(model, whose, answer)
            after = stopped(current, whose, row, now=self._now(), actor=actor.subject, reason=reason)
            return self._save(current, after, actor, "route.stop", request_id, revision=current.revision)

        return _until_current(once)

    def resume(self, model: str, actor: Actor, reason: str = "", request_id: str = "") -> RouteDocument:
        """Put a model's route into force again, as it is now; of a model that is not stopped nothing is changed."""

        def once() -> RouteDocument:
            current = self.route(model)
            if current.stop is None:
                return current
            now_s = self._clock.unix_s()
            after = resumed(current, now_s=now_s, now=rfc3339(now_s), actor=actor.subject, reason=reason)
            return self._save(current, after, actor, "route.resume", request_id, revision=current.revision)

        return _until_current(once)

    def load(self, model: str, version: str, actor: Actor, reason: str = "", request_id: str = "") -> Residency:
        """Ask every worker to load a version and keep it; :meth:`progress` says when they have."""
        self._require_version(model, version)
        change = partial(with_loaded, version=version)
        return self._wish(model, change, actor, "version.load", reason, request_id)

    def unload(self, model: str, version: str, actor: Actor, reason: str = "", request_id: str = "") -> Residency:
        """Ask every worker to let a version go.

        Raises
        ------
        VersionInUse
            The model's route names it, as the version to roll back to included.
        """
        self._require_version(model, version)
        route = self._route(model)
        role = route.versions().get(version) if route else None
        if role:
            raise VersionInUse(model, version, ROLE_WORDS.get(role, role))
        change = partial(with_unloaded, version=version)
        return self._wish(model, change, actor, "version.unload", reason, request_id)

    def progress(self, model: str, version: str) -> LoadProgress:
        """Return how far the workers are with loading a version."""
        return self._fleet().progress(model, version)

    def mark_false(self, alert_id: str, actor: Actor, reason: str = "", request_id: str = "") -> Page:
        """Say that an alert woke somebody for nothing.

        Raises
        ------
        ResourceUnknown
            No page of that alert is kept.
        RevisionStale
            Others changed it again and again meanwhile.
        """
        mark = partial(mark_false, self._store, self._ledger, alert_id, actor=actor, reason=reason)
        return _until_current(lambda: mark(request_id=request_id, now_s=self._clock.unix_s()))

    def acknowledge(self, alert_id: str, actor: Actor, reason: str = "", request_id: str = "") -> Acknowledgement:
        """Say that somebody is at an open alert.

        Raises
        ------
        ResourceUnknown
            No alert of that id is open.
        RevisionStale
            Others changed it again and again meanwhile.
        """
        say = partial(acknowledge, self._store, self._ledger, alert_id, actor=actor, reason=reason)
        return _until_current(lambda: say(request_id=request_id, now_s=self._clock.unix_s()))

    def card(self, model: str, version: str) -> str:
        """Return the model card of a version on disk; empty where it has none.

        Raises
        ------
        ModelUnknown, VersionUnknown, VersionRefused
        """
        return self._repository.card(model, version)

    def newest_audit(self, count: int, resource: str | None = None) -> Sequence[AuditRecord]:
        """Return the newest audit records, oldest first; the cost grows with the logarithm of the log."""
        if resource is None:
            return self._store.audit(max(0, self._store.head().sequence - count), count)
        return newest_records(lambda after: self._store.audit(after, count, resource), count)

    def audit(self, after: int = 0, limit: int = 100, resource: str | None = None) -> list[AuditRecord]:
        """Return audit records above a sequence, oldest first."""
        return self._store.audit(after, limit, resource)

    def seed_routes(
        self, versions_by_model: Mapping[str, Sequence[str]], chosen: Mapping[str, str]
    ) -> list[RouteDocument]:
        """Give every model without a route its first one: see :func:`gateway.seeding.seed_routes`."""
        seeded = seed_routes(
            self._ledger, self._store, self._clock, versions_by_model, chosen, salt_source=self._salt_source
        )
        return [self.route(model) for model in seeded]

    def _save(
        self,
        current: RouteDocument | None,
        after: RouteDocument,
        actor: Actor,
        action: str,
        request_id: str,
        *,
        revision: int,
        clearances: Sequence[Clearance] = (),
    ) -> RouteDocument:
        key = route_key(after.model)
        self._ledger.change(
            [Write(key, revision, encode_route(after)), *guards_of(clearances)],
            actor=actor,
            action=action,
            resource=key,
            before=route_view(current) if current else None,
            after=route_view(after),
            reason=after.reason,
            request_id=request_id,
            evidence={"digests": self._digests(after), **evidence_of(clearances)},
        )
        return after

    def _cleared(self, current: RouteDocument | None, after: RouteDocument, actor: Actor) -> list[Clearance]:
        """Return the clearances of the versions that get more live traffic; raise ``GovernanceUnmet`` for a lack."""
        stable = current.stable if current else None
        found = [
            self._guard.look(after.model, version, stable=stable, starter=actor.subject)
            for version in raised(current, after)
        ]
        for clearance in found:
            clearance.require()
        return found

    def _digests(self, route: RouteDocument) -> dict[str, str]:
        """Return the digests of a route's versions as far as workers tell them; no change ever waits for them."""
        try:
            return self._fleet().digests(route.model, route.versions())
        except DocumentInvalid:
            return {}

    def _wish(
        self,
        model: str,
        change: Callable[[Residency], Residency],
        actor: Actor,
        action: str,
        reason: str,
        request_id: str,
    ) -> Residency:
        key = residency_key(model)

        def once() -> Residency:
            document = self._store.read(key)
            before = decode_residency(document)
            after = change(before)
            self._ledger.change(
                [Write(key, document.revision if document else 0, encode_residency(after))],
                actor=actor,
                action=action,
                resource=key,
                before=asdict(before) if document else None,
                after=asdict(after),
                reason=reason,
                request_id=request_id,
            )
            return after

        return _until_current(once)

    def _constant(self, model: str, version: str, answer: object) -> dict[str, Any]:
        """Return an answer as a row of a version's outputs, if the version could give it."""
        servable = self._loaded(model, version)
        if servable is None:
            raise VersionNotWarm(model, version, "the worker that was asked has just let it go; ask again")
        try:
            return constant_row(servable, answer)
        except ConstantRefused as refused:
            fault = Fault(f"/answer{refused.pointer}", "value", refused.expected, refused.found)
            raise DocumentInvalid("stop", [fault]) from refused

    def _require_warm(self, route: RouteDocument) -> None:
        fleet = self._fleet()
        for version, role in route.versions().items():
            if role != "previous":
                fleet.require_warm(route.model, version)

    def _info_of(self, model: str, version: str) -> StreamInfo | None:
        servable = self._loaded(model, version)
        return None if servable is None else servable.info

    def _require_model(self, model: str) -> None:
        if model not in self._repository.models():
            raise ModelUnknown(model)

    def _require_version(self, model: str, version: str) -> None:
        versions = self._repository.models().get(model)
        if versions is None:
            raise ModelUnknown(model)
        if version not in versions:
            raise VersionUnknown(model, version)

    def _route(self, model: str) -> RouteDocument | None:
        stored = self._store.read(route_key(model))
        try:
            return route_in(stored, model) if stored else None
        except DocumentInvalid as error:
            at = stored.revision if stored else 0
            wanted = f'a route that can be read; replace it whole with If-Match "{at}" (weir route set --if-match {at})'
            raise DocumentInvalid(route_key(model), [Fault("", "value", wanted, str(error))]) from error

    def _routes(self) -> list[RouteDocument]:
        """Return the routes that can be read."""
        return list(read_snapshot(self._store, 0, Snapshot()).routes.values())

    def _fleet(self) -> Fleet:
        return Fleet.of(self._store.announcements())

    def _now(self) -> str:
        return rfc3339(self._clock.unix_s())


def _readable(stored: Document | None, model: str) -> RouteDocument | None:
    try:
        return route_in(stored, model) if stored else None
    except DocumentInvalid:
        return None


def _until_current(once: Callable[[], T]) -> T:
    """Repeat a change that does not care which revision it changes until nobody came between."""
    for _ in range(ATTEMPTS - 1):
        try:
            return once()
        except RevisionStale:
            continue
    return once()
