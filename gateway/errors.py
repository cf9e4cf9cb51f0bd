"""Domain errors. They carry facts and know no HTTP; ``gateway.http.problems`` maps every one to a status and a type.

::

    WeirError
    ├── RequestInvalid             what the client sent cannot be used
    │   ├── BodyMalformed              not JSON, or not the protocol's document
    │   ├── BodyTooLarge               more bytes, rows or depth than allowed
    │   ├── RequestMalformed           what came is no HTTP/1.1
    │   ├── HeadTooLarge               more bytes in front of the body than allowed
    │   ├── MediaTypeUnsupported       a content type that no codec reads
    │   ├── EncodingUnsupported        a content encoding that is not unpacked here
    │   ├── HeaderInvalid              a header whose value cannot be read
    │   ├── MethodUnsupported          a method that the path does not answer
    │   ├── InputRejected              rows that break the contract; every fault by JSON pointer
    │   ├── DocumentInvalid            an admin body, a manifest or a settings file that breaks its schema
    │   └── IdempotencyKeyReused       another request was carried out under this key
    ├── NotFound
    │   ├── ModelUnknown
    │   ├── VersionUnknown
    │   └── ResourceUnknown            any other name under the admin API
    ├── Unavailable                the request was fine; it cannot be answered now
    │   ├── ModelNotReady              no loaded version may answer
    │   ├── ModelStopped               its operators have put it into a safe state
    │   ├── QueueFull                  the bounded queue is full
    │   ├── Overloaded                 the worker takes no more now, or cannot make the client's deadline
    │   ├── DeadlineExceeded           the answer would come, or came, too late
    │   ├── StreamsTaken               as many event streams as one worker keeps are open
    │   ├── WatchUnavailable           the watch process is away
    │   ├── IssuerUnavailable          the issuer of a token has not said yet which keys it has
    │   └── StoreUnavailable           the state store is away
    ├── QuotaExceeded              this client asked for more than it may
    ├── ExecutionFailed            the model raised on this input
    ├── VersionRefused             a bundle that must not be loaded
    ├── Conflict                   the world is not as the caller thought
    │   ├── RevisionStale              If-Match names another revision
    │   ├── PreconditionMissing        a change without If-Match
    │   ├── VersionNotWarm             a route would name a version that not every worker has ready
    │   ├── VersionInUse               a routed version cannot be unloaded
    │   ├── RolloutRefused             a rollout that may not begin, or not go on like this
    │   ├── GovernanceUnmet            a version lacks what its tier demands before it takes live traffic
    │   ├── ApprovalRefused            a consent, or a way around it, that may not be given
    │   └── NothingToRollBack
    └── AccessDenied
        ├── CredentialsMissing
        ├── CredentialsInvalid
        │   └── CredentialsExpired         they were valid until a while ago
        ├── SignInThrottled            and too many before them were not
        ├── SessionEnded               a console's session that has expired or signed out
        ├── CsrfInvalid                a session's change without the word that only its page knows
        └── RoleMissing                valid credentials whose roles do not cover what was asked for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "SHED_REASONS",
    "AccessDenied",
    "ApprovalRefused",
    "BodyMalformed",
    "BodyTooLarge",
    "Conflict",
    "CredentialsExpired",
    "CredentialsInvalid",
    "CredentialsMissing",
    "CsrfInvalid",
    "DeadlineExceeded",
    "DocumentInvalid",
    "EncodingUnsupported",
    "ExecutionFailed",
    "Fault",
    "GovernanceUnmet",
    "HeadTooLarge",
    "HeaderInvalid",
    "IdempotencyKeyReused",
    "InputRejected",
    "IssuerUnavailable",
    "MediaTypeUnsupported",
    "MethodUnsupported",
    "ModelNotReady",
    "ModelStopped",
    "ModelUnknown",
    "NotFound",
    "NothingToRollBack",
    "OverloadReason",
    "Overloaded",
    "PreconditionMissing",
    "QueueFull",
    "QuotaExceeded",
    "RequestInvalid",
    "RequestMalformed",
    "ResourceUnknown",
    "RevisionStale",
    "RoleMissing",
    "RolloutRefused",
    "SessionEnded",
    "ShedReason",
    "StoreUnavailable",
    "StreamsTaken",
    "Unavailable",
    "VersionInUse",
    "VersionNotWarm",
    "VersionRefused",
    "VersionUnknown",
    "WatchUnavailable",
    "WeirError",
    "shortened",
]

LONGEST_NAME = 300
"""Characters of a name that a client chose, where an answer repeats it."""

OverloadReason = Literal["concurrency_limit", "deadline_unreachable", "draining"]
ShedReason = Literal["concurrency_limit", "deadline_unreachable", "draining", "queue_full", "deadline_passed"]
SHED_REASONS: tuple[ShedReason, ...] = get_args(ShedReason)
"""Why a request that was fine was given up before a model saw it; told to clients and counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document: where, what was expected, what was found.

    ``pointer`` is a JSON Pointer (RFC 6901). ``kind`` is one of ``missing``, ``wrong_type``, ``unknown``,
    ``out_of_range``, ``unseen``, ``rule``, ``shape``, ``syntax``, ``value``. ``rule`` names the data-quality rule that
    a row breaks; ``feature`` is then the one whose place the pointer tells.
    """

    pointer: str
    kind: str
    expected: str
    found: str
    feature: str | None = None
    rule: str | None = None

    def __str__(self) -> str:
        told = f"{self.pointer or '/'}: expected {self.expected}, found {self.found}"
        return told if self.rule is None else f"{told} (rule {self.rule!r})"


class WeirError(Exception):
    """Root of all errors that Weir raises on purpose."""


class RequestInvalid(WeirError):
    """What the client sent cannot be used; sending it again will not help."""


class BodyMalformed(RequestInvalid):
    """The body is not the document that the endpoint reads."""

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


class BodyTooLarge(RequestInvalid):
    """The body has more bytes, rows or levels than allowed."""

    def __init__(self, what: str, limit: int, found: int | None = None) -> None:
        had = "" if found is None else f"; this one has {found}"
        super().__init__(f"at most {limit} {what} are accepted{had}")
        self.what, self.limit, self.found = what, limit, found


class MediaTypeUnsupported(RequestInvalid):
    """The content type is not one that the endpoint reads."""

    def __init__(self, found: str, supported: str) -> None:
        super().__init__(f"content type {shortened(found)!r} is not read here; send {supported}")
        self.found, self.supported = found, supported


class EncodingUnsupported(RequestInvalid):
    """The body is packed in a way that is not read here. ``supported`` lists those that are."""

    def __init__(self, found: str, supported: str) -> None:
        super().__init__(f"content encoding {shortened(found)!r} is not read here; use one of {supported}, or none")
        self.found, self.supported = found, supported


class RequestMalformed(RequestInvalid):
    """What came over the connection is no request of HTTP/1.1."""


class HeadTooLarge(RequestInvalid):
    """The request target and the headers are more than a request may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"request target and headers may take at most {limit} bytes, with 32 counted for each header")
        self.limit = limit


class HeaderInvalid(RequestInvalid):
    """A header says something that cannot be read."""

    def __init__(self, name: str, expected: str, found: bytes) -> None:
        super().__init__(f"{name}: expected {expected}, found {found[:64]!r}")
        self.name, self.expected, self.found = name, expected, found[:64]


class MethodUnsupported(RequestInvalid):
    """The path exists, the method is not one it answers."""

    def __init__(self, found: str, supported: str) -> None:
        super().__init__(f"method {found} is not answered here; use {supported}")
        self.found, self.supported = found, supported


class InputRejected(RequestInvalid):
    """Rows that break the contract of the version.

    ``faults`` names up to 64 of them, ``total`` counts all, ``counts`` does so by (feature, kind), of kind ``rule`` by
    the rule's name; ``rows`` is how many the request had, good ones included.
    """

    def __init__(
        self,
        model: str,
        version: str,
        faults: Sequence[Fault],
        total: int | None = None,
        counts: Mapping[tuple[str, str], int] | None = None,
        *,
        rows: int = 0,
    ) -> None:
        self.model, self.version, self.faults, self.rows = model, version, tuple(faults), rows
        self.counts = dict(counts or {})
        self.total = len(self.faults) if total is None else total
        noun = "fault" if self.total == 1 else "faults"
        super().__init__(f"{self.total} {noun} against the contract of {model} version {version}")


class DocumentInvalid(RequestInvalid):
    """A document breaks its schema. ``source`` is a file name or what the document is."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source, self.faults = source, tuple(faults)
        super().__init__(f"{source}: " + "; ".join(str(fault) for fault in self.faults))


class IdempotencyKeyReused(RequestInvalid):
    """Another request was carried out under the idempotency key that this one carries; this one was not."""

    def __init__(self, key: str) -> None:
        super().__init__(f"idempotency key {key!r} belongs to another request; send this one under a new key")
        self.key = key


class NotFound(WeirError):
    """A name that nothing answers to."""


class ModelUnknown(NotFound):
    """No model of this name is served."""

    def __init__(self, model: str) -> None:
        super().__init__(f"no model named {shortened(model)!r} is served here")
        self.model = model


class VersionUnknown(NotFound):
    """The model has no such version."""

    def __init__(self, model: str, version: str) -> None:
        super().__init__(f"model {shortened(model)!r} has no version {shortened(version)!r} here")
        self.model, self.version = model, version


class ResourceUnknown(NotFound):
    """A path or a name of the admin API that does not exist."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{shortened(what)} does not exist")
        self.what = what


class Unavailable(WeirError):
    """The request was fine; it cannot be answered now. ``reason`` comes from a closed set, for metrics and clients."""

    reason = "unavailable"
    retry_after_s = 1


class ModelNotReady(Unavailable):
    """No loaded version may answer for this model."""

    reason = "model_not_ready"

    def __init__(self, model: str, version: str | None = None, why: str = "it is not loaded") -> None:
        name = model if version is None else f"{model} version {version}"
        super().__init__(f"{name} cannot answer now: {why}")
        self.model, self.version = model, version


class ModelStopped(Unavailable):
    """Operators have put the model into a safe state in which this request is not answered."""

    reason = "model_stopped"
    retry_after_s = 30

    def __init__(self, model: str, version: str | None = None) -> None:
        name = model if version is None else f"{model} version {version}"
        super().__init__(f"{name} does not answer: {model} was stopped by its operators")
        self.model, self.version = model, version


class QueueFull(Unavailable):
    """The bounded queue of a version is full."""

    reason = "queue_full"

    def __init__(self, model: str, limit: int) -> None:
        super().__init__(f"the queue of {model} holds its limit of {limit} rows")
        self.model, self.limit = model, limit


class Overloaded(Unavailable):
    """The worker takes no more requests of this priority now, or would answer this one after its deadline."""

    def __init__(self, reason: OverloadReason, retry_after_s: int = 1) -> None:
        super().__init__(_OVERLOADS[reason])
        self.reason: OverloadReason = reason
        self.retry_after_s = retry_after_s


_OVERLOADS: dict[OverloadReason, str] = {
    "concurrency_limit": "more requests are in flight here than can be answered in good time",
    "deadline_unreachable": "the answer would come after the request's deadline",
    "draining": "this worker is about to stop",
}


class DeadlineExceeded(Unavailable):
    """The answer was not ready when the deadline passed; where ``has_started`` is false, no model saw the request."""

    reason = "deadline"

    def __init__(self, model: str, deadline_s: float, *, has_started: bool = True) -> None:
        did = "did not answer" if has_started else "was not asked"
        super().__init__(f"{model} {did} within {deadline_s:g} s")
        self.model, self.deadline_s, self.has_started = model, deadline_s, has_started
        if not has_started:
            self.reason = "deadline_passed"


class WatchUnavailable(Unavailable):
    """The watch process does not answer; serving goes on without it."""

    reason = "watch_unavailable"

    def __init__(self) -> None:
        super().__init__("the watch process does not answer; serving is not affected, try again in a moment")


class IssuerUnavailable(Unavailable):
    """The issuer of a token does not say which keys it has; the gateway's own tokens are checked without it."""

    reason = "issuer_unavailable"
    retry_after_s = 5

    def __init__(self, detail: str = "the issuer has not said yet which keys it has; other tokens are checked") -> None:
        super().__init__(detail)


class StoreUnavailable(Unavailable):
    """The state store does not answer; serving goes on with the last known routes."""

    reason = "store_unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(f"the state store does not answer: {detail}")


class StreamsTaken(Unavailable):
    """As many event streams as one worker keeps are open."""

    reason = "streams_taken"
    retry_after_s = 5

    def __init__(self, most: int) -> None:
        super().__init__(f"this worker keeps {most} event streams open and has them all; read the overview instead")
        self.most = most


class QuotaExceeded(WeirError):
    """This client asked for more than it may; others are served."""

    reason = "quota"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"the quota of this client is used up; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class ExecutionFailed(WeirError):
    """The model raised on this input. ``detail`` is the runtime's own first line."""

    def __init__(self, model: str, version: str, detail: str) -> None:
        super().__init__(f"{model} version {version} failed on this input: {detail}")
        self.model, self.version, self.detail = model, version, detail


class VersionRefused(WeirError):
    """A bundle that must not be loaded: bytes changed, a file missing or outside, a golden row that disagrees."""

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"{model} version {version} is refused: {why}")
        self.model, self.version, self.why = model, version, why


class Conflict(WeirError):
    """The world is not as the caller thought."""


class RevisionStale(Conflict):
    """The document has another revision than the caller's."""

    def __init__(self, document: str, expected: int, found: int) -> None:
        super().__init__(f"{document} is at revision {found}, not {expected}; read it again and repeat the change")
        self.document, self.expected, self.found = document, expected, found


class PreconditionMissing(Conflict):
    """A change must say which revision it changes."""

    def __init__(self, document: str) -> None:
        super().__init__(f"send If-Match with the revision of {document} that this change is based on")
        self.document = document


class VersionNotWarm(Conflict):
    """A route would name a version that not every live worker has ready."""

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(f"{model} version {version} is not warm on every live worker: {why}")
        self.model, self.version, self.why = model, version, why


class VersionInUse(Conflict):
    """A routed version cannot be unloaded."""

    def __init__(self, model: str, version: str, role: str) -> None:
        super().__init__(f"{model} version {version} is {role}; route traffic away from it first")
        self.model, self.version, self.role = model, version, role


class RolloutRefused(Conflict):
    """A rollout may not begin now, or cannot do what was asked where it is. ``violations`` says why, one by one."""

    def __init__(self, model: str, violations: Sequence[str]) -> None:
        super().__init__(f"rollout of {model}: {'; '.join(violations)}")
        self.model, self.violations = model, tuple(violations)


class GovernanceUnmet(Conflict):
    """A change would give live traffic to a version that lacks what its tier demands.

    ``missing`` says what, each with the command that gets it.
    """

    def __init__(self, model: str, version: str, tier: str, missing: Sequence[tuple[str, str]]) -> None:
        told = "; ".join(f"{what} ({command})" for what, command in missing)
        super().__init__(
            f"{model} version {version} is of tier {tier} and may not take live traffic yet. Missing: {told}"
        )
        self.model, self.version, self.tier, self.missing = model, version, tier, tuple(missing)


class ApprovalRefused(Conflict):
    """A consent, a withdrawal, a break-glass grant or its review cannot be. ``violations`` says why, one by one."""

    def __init__(self, model: str, version: str, violations: Sequence[str]) -> None:
        super().__init__(f"{model} version {version}: {'; '.join(violations)}")
        self.model, self.version, self.violations = model, version, tuple(violations)


class NothingToRollBack(Conflict):
    """There is neither a canary to remove nor a previous stable version to return to."""

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} has no canary and no previous stable version")
        self.model = model


class AccessDenied(WeirError):
    """The caller may not do this."""


class CredentialsMissing(AccessDenied):
    """No credentials came with a request that needs them."""

    def __init__(self) -> None:
        super().__init__("send a token as 'Authorization: Bearer TOKEN'")


class CredentialsInvalid(AccessDenied):
    """The credentials are not valid."""

    def __init__(self, why: str = "the token is not valid here") -> None:
        super().__init__(why)


class CredentialsExpired(CredentialsInvalid):
    """The credentials were valid until a while ago."""

    def __init__(self, what: str, expired_at: str) -> None:
        super().__init__(f"{what} expired at {expired_at}; ask an admin for another")
        self.expired_at = expired_at


class SignInThrottled(AccessDenied):
    """The credentials are not valid, and too many from this address were not."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many sign-ins from this address have failed; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class SessionEnded(AccessDenied):
    """The cookie names no session that still lasts."""

    def __init__(self) -> None:
        super().__init__("the session has ended; sign in again")


class CsrfInvalid(AccessDenied):
    """A change came with a session's cookie and without what only the session's own page knows."""

    def __init__(self, header: str) -> None:
        super().__init__(f"send the session's csrf word as {header}: GET /admin/v1/session tells it")
        self.header = header


class RoleMissing(AccessDenied):
    """The credentials are valid, and their roles do not cover what was asked for."""

    def __init__(self, needed: str, held: Sequence[str], subject: str) -> None:
        has = f"the role {', '.join(held)}" if held else "no role"
        super().__init__(f"this needs the role {needed}, and {shortened(subject)} has {has}")
        self.needed, self.held = needed, tuple(held)


def shortened(name: str) -> str:
    """Return a name that a client chose, at a length that an answer can bear."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
