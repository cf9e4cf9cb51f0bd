"""What people may ask of approvals and break-glass grants, done against the state store: compare-and-set and audited.

Every method blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gateway.codec.documents import decode_document
from gateway.errors import (
    ApprovalRefused,
    DocumentInvalid,
    Fault,
    ModelUnknown,
    ResourceUnknown,
    RevisionStale,
    VersionUnknown,
)
from gateway.governance.approvals import (
    MOST_GRANTS,
    Approval,
    ApprovalDocument,
    BreakGlass,
    approval_key,
    approvals_view,
    decode_approvals,
    encode_approvals,
    given,
    granted,
    is_same,
    reviewed,
    withdrawn,
)
from gateway.governance.guard import Clearance, Guard
from gateway.governance.policy import Policy
from gateway.governance.standing import barred_from_approving, standing
from gateway.rollout.document import decode_rollout, rollout_key
from gateway.rollout.idempotency import fingerprint, is_repeated, remembered
from gateway.rollout.operations import Ask
from gateway.routing.codec import decode_route, route_key
from gateway.state.ledger import Ledger
from gateway.state.store import StateStore, Write
from monitors.ports import Clock

__all__ = ["ApprovalControl", "ApprovalOutcome"]

_ATTEMPTS = 20
_LONGEST_TEXT = 500
_LONGEST_TICKET = 100
_DAY_S, _HOUR_S = 86_400.0, 3_600.0


class _Repository(Protocol):
    def models(self) -> dict[str, list[str]]:
        """Return the versions of every model on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRequest:
    """The body of an approval. With ``digest``, it is refused where the version is not what the approver looked at."""

    comment: str = ""
    digest: str | None = None

    def faults(self) -> Iterator[Fault]:
        """Give what is wrong with the values."""
        yield from _too_long("comment", self.comment, least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassRequest:
    """The body of a break-glass grant: why, and the ticket under which it is followed up."""

    reason: str
    ticket: str

    def faults(self) -> Iterator[Fault]:
        """Give what is wrong with the values."""
        yield from _too_long("reason", self.reason)
        yield from _too_long("ticket", self.ticket, most=_LONGEST_TICKET)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """The body of a review: what the reviewer found."""

    comment: str

    def faults(self) -> Iterator[Fault]:
        """Give what is wrong with the values."""
        yield from _too_long("comment", self.comment)


@dataclass(frozen=True, slots=True)
class ApprovalOutcome:
    """How a version stands after a request, or would; ``violations`` are what would stand in the way."""

    view: dict[str, Any]
    violations: tuple[str, ...] = ()
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """How a version stands, what was said of it, and who started the rollout that is under way with it."""

    clearance: Clearance
    document: ApprovalDocument
    starter: str


class ApprovalControl:
    """Show, give and withdraw approvals; break the glass, and review that. Safe from any thread when the store is."""

    def __init__(
        self, ledger: Ledger, store: StateStore, clock: Clock, guard: Guard, *, repository: _Repository
    ) -> None:
        self._ledger, self._store, self._clock = ledger, store, clock
        self._guard, self._repository = guard, repository

    def get(self, model: str, version: str) -> dict[str, Any]:
        """Return how a version stands, with every approval and grant that is kept of its digest.

        Raises
        ------
        ModelUnknown, VersionUnknown
        """
        self._require(model, version)
        case = self._case(model, version)
        return self._view(case)

    def give(self, model: str, version: str, body: bytes, ask: Ask) -> ApprovalOutcome:
        """Approve a version, or renew one's approval of it.

        Raises
        ------
        DocumentInvalid, ModelUnknown, VersionUnknown, IdempotencyKeyReused
        ApprovalRefused
            With every violation: one's own version, no release report where the tier demands one, another digest.
        """
        asked = _read(body, ApproveRequest, "approval")

        def change(case: _Case) -> ApprovalDocument:
            now_s, found = self._clock.unix_s(), case.clearance.standing
            approval = Approval(
                subject=ask.actor.subject,
                role=ask.actor.role,
                at=now_s,
                expires_at=now_s + self._policy.approval_days * _DAY_S,
                comment=asked.comment.strip(),
                release_report_sha256=found.report_sha256 if found else "",
            )
            return given(case.document, approval)

        def violations(case: _Case) -> Iterator[str]:
            yield from _ungoverned(case)
            yield from _of_consent(case, ask.actor.subject, asked.digest)

        return self._do("approval.give", model, version, asked, ask, violations, change, asked.comment)

    def withdraw(self, model: str, version: str, ask: Ask, reason: str = "") -> ApprovalOutcome:
        """Take one's own approval back.

        Raises
        ------
        ModelUnknown, VersionUnknown
        ResourceUnknown
            The subject has approved nothing that is kept.
        """

        def change(case: _Case) -> ApprovalDocument:
            if not any(is_same(one.subject, ask.actor.subject) for one in case.document.approvals):
                raise ResourceUnknown(f"an approval of {model} version {version} by {ask.actor.subject!r}")
            return withdrawn(case.document, ask.actor.subject)

        return self._do("approval.withdraw", model, version, reason, ask, _nothing, change, reason)

    def break_glass(self, model: str, version: str, body: bytes, ask: Ask) -> ApprovalOutcome:
        """Let a version do without what is missing, for the hours that the policy allows; an alert tells it.

        Raises
        ------
        DocumentInvalid, ModelUnknown, VersionUnknown, IdempotencyKeyReused
        ApprovalRefused
            Nothing is missing, a grant is in force, or too many wait for their review.
        """
        asked = _read(body, BreakGlassRequest, "break-glass")

        def change(case: _Case) -> ApprovalDocument:
            now_s = self._clock.unix_s()
            grant = BreakGlass(
                subject=ask.actor.subject,
                role=ask.actor.role,
                reason=asked.reason.strip(),
                ticket=asked.ticket.strip(),
                at=now_s,
                expires_at=now_s + self._policy.break_glass_hours * _HOUR_S,
            )
            return granted(case.document, grant)

        def violations(case: _Case) -> Iterator[str]:
            yield from _ungoverned(case)
            yield from _of_grant(case, self._clock.unix_s())

        return self._do("approval.break_glass", model, version, asked, ask, violations, change, asked.reason)

    def review(self, model: str, version: str, body: bytes, ask: Ask) -> ApprovalOutcome:
        """Say that the grants of a version were looked at by another than who took them.

        Raises
        ------
        DocumentInvalid, ModelUnknown, VersionUnknown, IdempotencyKeyReused
        ApprovalRefused
            There is nothing to review, or only grants of the reviewer's own.
        """
        asked = _read(body, ReviewRequest, "review")

        def change(case: _Case) -> ApprovalDocument:
            comment = asked.comment.strip()
            return reviewed(case.document, by=ask.actor.subject, now_s=self._clock.unix_s(), comment=comment)

        def violations(case: _Case) -> Iterator[str]:
            yield from _of_review(case, ask.actor.subject)

        return self._do("approval.review", model, version, asked, ask, violations, change, asked.comment)

    def _do(
        self,
        action: str,
        model: str,
        version: str,
        asked: object,
        ask: Ask,
        violations: Callable[[_Case], Iterator[str]],
        change: Callable[[_Case], ApprovalDocument],
        reason: str,
    ) -> ApprovalOutcome:
        """Carry a request out once, or foresee it; begin anew whenever somebody came between."""
        self._require(model, version)
        for attempt in range(_ATTEMPTS):
            try:
                return self._once(action, model, version, fingerprint(action, asked), ask, violations, change, reason)
            except RevisionStale:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def _once(
        self,
        action: str,
        model: str,
        version: str,
        mark: str,
        ask: Ask,
        violations: Callable[[_Case], Iterator[str]],
        change: Callable[[_Case], ApprovalDocument],
        reason: str,
    ) -> ApprovalOutcome:
        case = self._case(model, version)
        if is_repeated(case.document.applied, ask.key, mark):
            return ApprovalOutcome(self._view(case))
        if found := tuple(_unknown(case)) or tuple(violations(case)):
            if ask.dry_run:
                return ApprovalOutcome(self._view(case), found, is_dry_run=True)
            raise ApprovalRefused(model, version, found)
        after = change(case)
        if not ask.dry_run:
            after = replace(after, applied=remembered(case.document.applied, ask.key, mark))
            self._write(action, case.document, after, ask, reason)
        return ApprovalOutcome(self._view(self._with(case, after)), is_dry_run=ask.dry_run)

    def _write(self, action: str, before: ApprovalDocument, after: ApprovalDocument, ask: Ask, reason: str) -> None:
        now_s, key = self._clock.unix_s(), approval_key(after.model, after.digest)
        self._ledger.change(
            [Write(key, before.revision, encode_approvals(after))],
            actor=ask.actor,
            action=action,
            resource=key,
            before=approvals_view(before, now_s) if before.revision else None,
            after=approvals_view(after, now_s),
            reason=reason.strip(),
            request_id=ask.request_id,
            evidence={"policy_digest": self._guard.policy.digest if self._guard.policy else ""},
        )

    def _case(self, model: str, version: str) -> _Case:
        starter = self._starter(model, version)
        clearance = self._guard.look(model, version, stable=self._stable(model), starter=starter)
        declared = self._guard.declared(model, version)
        blank = ApprovalDocument(model=model, version=version, digest=declared.digest if declared else "")
        stored = self._store.read(approval_key(model, blank.digest))
        return _Case(clearance, decode_approvals(stored) if stored else blank, starter)

    def _with(self, case: _Case, after: ApprovalDocument) -> _Case:
        """Return the case with another document, judged anew."""
        clearance, now_s, policy = case.clearance, self._clock.unix_s(), self._guard.policy
        if policy is None or clearance.candidate is None or clearance.standing is None:
            return replace(case, document=after)
        tier, report = clearance.standing.tier, clearance.report
        found = standing(policy, tier, clearance.candidate, report, after, now_s=now_s, starter=case.starter)
        found = replace(found, remark=clearance.standing.remark)
        return replace(case, clearance=replace(clearance, standing=found), document=after)

    def _view(self, case: _Case) -> dict[str, Any]:
        """Return how a version stands, as it is shown."""
        clearance, found = case.clearance, case.clearance.standing
        return {
            **approvals_view(case.document, self._clock.unix_s()),
            "tier": found.tier if found else None,
            "policy_digest": found.policy_digest if found else None,
            "may_take_traffic": clearance.is_met,
            "approvals_needed": clearance.rules.approvals,
            "approved_by": list(found.by) if found else [],
            "release_report_sha256": found.report_sha256 if found else "",
            "missing": [{"what": one.what, "command": one.command} for one in found.missing] if found else [],
            "remark": found.remark if found else "",
        }

    def _stable(self, model: str) -> str | None:
        stored = self._store.read(route_key(model))
        return decode_route(stored.body, stored.revision).stable if stored else None

    def _starter(self, model: str, version: str) -> str:
        """Return who started the rollout that is under way with the version, if one is."""
        stored = self._store.read(rollout_key(model))
        rollout = decode_rollout(stored) if stored else None
        is_its = rollout is not None and rollout.is_active and rollout.candidate == version
        return rollout.created_by if rollout is not None and is_its else ""

    @property
    def _policy(self) -> Policy:
        """The policy in force; what is asked without one was refused before."""
        return self._guard.policy or Policy()

    def _require(self, model: str, version: str) -> None:
        """Raise for a version that is neither on disk nor was ever loaded: what was said of it outlives its folder."""
        if self._guard.declared(model, version) is not None:
            return
        versions = self._repository.models().get(model)
        if versions is None:
            raise ModelUnknown(model)
        if version not in versions:
            raise VersionUnknown(model, version)


def _unknown(case: _Case) -> Iterator[str]:
    """Yield why nothing can be said of a version at all."""
    if not case.document.digest:
        model, version = case.document.model, case.document.version
        yield f"it has not been loaded yet, so that its digest is not known: weir load {model} {version}"


def _ungoverned(case: _Case) -> Iterator[str]:
    if case.clearance.standing is None:
        yield "no policy is in force, so nothing needs an approval; governance.policy in the settings names one"


def _of_consent(case: _Case, subject: str, digest: str | None) -> Iterator[str]:
    candidate, found = case.clearance.candidate, case.clearance.standing
    if candidate is None or found is None:
        return
    if digest is not None and digest != candidate.digest:
        yield f"its digest is {candidate.digest}, not {digest}: it is not what you looked at"
    barred = barred_from_approving(candidate, case.clearance.report, case.starter)
    if why := barred.get(subject.strip().casefold()):
        yield f"{subject} {why}, and nobody approves their own"
    if case.clearance.rules.release_report == "required" and not found.report_sha256:
        yield from (f"it lacks {one}" for one in found.missing[:1])


def _of_grant(case: _Case, now_s: float) -> Iterator[str]:
    found = case.clearance.standing
    if found is not None and not found.missing:
        yield "it has all that its tier demands; there is nothing to go around"
    if grant := case.document.grant_in_force(now_s):
        yield f"a grant by {grant.subject} is in force already"
    if len(case.document.unreviewed()) >= MOST_GRANTS:
        yield f"{MOST_GRANTS} grants wait for their review: weir approval review"


def _of_review(case: _Case, subject: str) -> Iterator[str]:
    waiting = case.document.unreviewed()
    if not waiting:
        yield "no break-glass grant waits for a review"
    elif all(is_same(grant.subject, subject) for grant in waiting):
        yield f"the grants that wait for a review are by {subject}, and nobody reviews their own"


def _nothing(case: _Case) -> Iterator[str]:
    yield from ()


def _read(body: bytes, kind: type[Any], source: str) -> Any:
    read = decode_document(body, kind, source=source)
    if faults := list(read.faults()):
        raise DocumentInvalid(source, faults)
    return read


def _too_long(name: str, text: str, *, least: int = 1, most: int = _LONGEST_TEXT) -> Iterator[Fault]:
    if not least <= len(text.strip()) <= most:
        yield Fault(f"/{name}", "value", f"{least} to {most} characters", f"{len(text.strip())} characters")
