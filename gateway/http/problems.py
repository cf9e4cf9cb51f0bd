"""The one table from domain errors to HTTP, and the problem document (RFC 9457) that clients get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway import errors
from gateway.codec.documents import encode_document
from gateway.errors import (
    EncodingUnsupported,
    Fault,
    GovernanceUnmet,
    InputRejected,
    MethodUnsupported,
    QuotaExceeded,
    SignInThrottled,
    Unavailable,
    WeirError,
    shortened,
)

__all__ = ["MEDIA_TYPE", "TABLE", "Problem", "problem_bytes", "problem_of", "problem_response"]

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem: its status, the end of its type URI, and a title that never varies."""

    status: int
    slug: str
    title: str

    @property
    def type(self) -> str:
        """The stable URI by which clients tell problems apart; it names and does not locate."""
        return f"urn:weir:problem:{self.slug}"


TABLE: dict[type[WeirError], Problem] = {
    errors.BodyMalformed: Problem(400, "body-malformed", "The body cannot be read"),
    errors.BodyTooLarge: Problem(413, "body-too-large", "The body is too large"),
    errors.MediaTypeUnsupported: Problem(415, "media-type-unsupported", "The content type is not read here"),
    errors.EncodingUnsupported: Problem(415, "encoding-unsupported", "The content encoding is not read here"),
    errors.RequestMalformed: Problem(400, "request-malformed", "What came is no HTTP/1.1"),
    errors.HeadTooLarge: Problem(431, "head-too-large", "The headers are too large"),
    errors.HeaderInvalid: Problem(400, "header-invalid", "A header cannot be read"),
    errors.MethodUnsupported: Problem(405, "method-unsupported", "The method is not answered here"),
    errors.InputRejected: Problem(422, "input-rejected", "The input breaks the model's contract"),
    errors.DocumentInvalid: Problem(422, "document-invalid", "The document breaks its schema"),
    errors.IdempotencyKeyReused: Problem(
        422, "idempotency-key-reused", "The idempotency key belongs to another request"
    ),
    errors.ModelUnknown: Problem(404, "model-unknown", "No such model"),
    errors.VersionUnknown: Problem(404, "version-unknown", "No such version"),
    errors.ResourceUnknown: Problem(404, "resource-unknown", "No such resource"),
    errors.ModelNotReady: Problem(503, "model-not-ready", "The model is not ready"),
    errors.ModelStopped: Problem(503, "model-stopped", "The model is stopped"),
    errors.QueueFull: Problem(503, "queue-full", "The queue is full"),
    errors.Overloaded: Problem(503, "overloaded", "The worker takes no more now"),
    errors.QuotaExceeded: Problem(429, "quota-exceeded", "The quota is used up"),
    errors.DeadlineExceeded: Problem(504, "deadline-exceeded", "The deadline has passed"),
    errors.StreamsTaken: Problem(503, "streams-taken", "All event streams are taken"),
    errors.WatchUnavailable: Problem(503, "watch-unavailable", "The watch process is away"),
    errors.IssuerUnavailable: Problem(503, "issuer-unavailable", "The issuer of the token is away"),
    errors.StoreUnavailable: Problem(503, "store-unavailable", "The state store is away"),
    errors.ExecutionFailed: Problem(500, "execution-failed", "The model failed on this input"),
    errors.VersionRefused: Problem(409, "version-refused", "The version is refused"),
    errors.RevisionStale: Problem(412, "revision-stale", "The document has changed since it was read"),
    errors.PreconditionMissing: Problem(428, "precondition-missing", "The change names no revision"),
    errors.VersionNotWarm: Problem(409, "version-not-warm", "The version is not ready everywhere"),
    errors.VersionInUse: Problem(409, "version-in-use", "The version is in use"),
    errors.RolloutRefused: Problem(409, "rollout-refused", "The rollout may not do that"),
    errors.GovernanceUnmet: Problem(409, "governance-unmet", "The version lacks what its tier demands"),
    errors.ApprovalRefused: Problem(409, "approval-refused", "The approval may not be"),
    errors.NothingToRollBack: Problem(409, "nothing-to-roll-back", "There is nothing to roll back"),
    errors.CredentialsMissing: Problem(401, "credentials-missing", "Credentials are needed"),
    errors.CredentialsInvalid: Problem(401, "credentials-invalid", "The credentials are not valid"),
    errors.CredentialsExpired: Problem(401, "credentials-expired", "The credentials have expired"),
    errors.SessionEnded: Problem(401, "session-ended", "The session has ended"),
    errors.CsrfInvalid: Problem(403, "csrf-invalid", "The change does not come from the session's page"),
    errors.RoleMissing: Problem(403, "role-missing", "The role does not allow it"),
    errors.SignInThrottled: Problem(429, "sign-in-throttled", "Too many sign-ins have failed"),
}
UNKNOWN = Problem(500, "internal", "The gateway failed")


def problem_of(error: WeirError | None) -> Problem:
    """Return the entry of an error or of its nearest mapped ancestor; ``None`` is a failure of the gateway itself."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), UNKNOWN)


def problem_bytes(
    error: WeirError | None, request_id: str = "", instance: str = ""
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body of the answer that tells an error; of ``None`` nothing more is told."""
    problem = problem_of(error)
    body = encode_document(_document(error, problem, request_id, instance))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if isinstance(error, Unavailable | QuotaExceeded | SignInThrottled):
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, EncodingUnsupported):
        headers.append((b"accept-encoding", error.supported.encode()))
    if isinstance(error, MethodUnsupported):
        headers.append((b"allow", error.supported.encode()))
    if problem.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="weir"'))
    return problem.status, headers, body


def problem_response(error: WeirError, request_id: str = "", instance: str = "") -> Response:
    """Return the same answer as a Starlette response."""
    status, headers, body = problem_bytes(error, request_id, instance)
    response = Response(body, status)
    response.raw_headers = headers
    return response


def _document(error: WeirError | None, problem: Problem, request_id: str, instance: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": str(error or "") or problem.title,
    }
    optional = {"instance": shortened(instance), "request_id": request_id, "reason": getattr(error, "reason", "")}
    document.update({name: value for name, value in optional.items() if value})
    faults: tuple[Fault, ...] = getattr(error, "faults", ())
    if faults:
        document["errors"] = [_fault(fault) for fault in faults[:MOST_ERRORS]]
        document["total_errors"] = error.total if isinstance(error, InputRejected) else len(faults)
    if isinstance(error, GovernanceUnmet):
        document["missing"] = [{"what": what, "command": command} for what, command in error.missing]
    return document


def _fault(fault: Fault) -> dict[str, str]:
    told = {
        "pointer": shortened(fault.pointer),
        "kind": fault.kind,
        "expected": fault.expected,
        "found": shortened(fault.found),
    }
    optional = {"feature": fault.feature, "rule": fault.rule}
    return told | {name: shortened(value) for name, value in optional.items() if value is not None}
