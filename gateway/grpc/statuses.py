"""The one table from domain errors to gRPC: a status code, a message, and trailing metadata that machines read."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from gateway import errors
from gateway.errors import WeirError
from gateway.http.problems import problem_of
from gateway.http.v2 import error_text

__all__ = ["TABLE", "Metadata", "Refusal", "refusal", "status_of"]

Metadata = tuple[tuple[str, str], ...]
_MESSAGE_BYTES = 2048
"""A message travels in the trailing metadata, each byte beyond ASCII as three; clients accept 8 KiB of that."""

TABLE: dict[type[WeirError], grpc.StatusCode] = {
    errors.RequestInvalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MethodUnsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.ExecutionFailed: grpc.StatusCode.INTERNAL,
    errors.VersionRefused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.RevisionStale: grpc.StatusCode.ABORTED,
    errors.AccessDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.CredentialsMissing: grpc.StatusCode.UNAUTHENTICATED,
    errors.CredentialsInvalid: grpc.StatusCode.UNAUTHENTICATED,
    errors.SessionEnded: grpc.StatusCode.UNAUTHENTICATED,
    errors.SignInThrottled: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""An error that is not here has the status of its nearest ancestor that is."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How an RPC ends that is not answered."""

    code: grpc.StatusCode
    message: str
    metadata: Metadata


def status_of(error: WeirError) -> grpc.StatusCode:
    """Return the status of an error; ``WeirError()`` itself is a failure of the gateway."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), grpc.StatusCode.INTERNAL)


def refusal(error: WeirError) -> Refusal:
    """Return how an RPC tells an error: the problem's type, and where they are known its reason and when to retry."""
    facts = {
        "weir-problem": problem_of(error).type,
        "weir-reason": getattr(error, "reason", ""),
        "retry-after": str(getattr(error, "retry_after_s", "")),
    }
    return Refusal(status_of(error), _shortened(error_text(error)), tuple((k, v) for k, v in facts.items() if v))


def _shortened(text: str) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= _MESSAGE_BYTES:
        return encoded.decode("utf-8")
    return encoded[: _MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "..."
