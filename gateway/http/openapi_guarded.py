"""Operations of the admin API in the OpenAPI document: every one needs a token and may miss the store."""

from __future__ import annotations

from typing import Any

from gateway import errors
from gateway.errors import WeirError
from gateway.http.credentials import COOKIE, CSRF_HEADER
from gateway.http.openapi_answers import answer, problems
from gateway.http.openapi_parts import Part, body_of, members, operation, ref

__all__ = ["CHANGING", "DENIED", "READING", "SECURITY_SCHEMES", "WATCHED", "all_of", "guarded", "reason_body", "stored"]

SECURITY_SCHEMES: Part = {
    "adminToken": {"type": "http", "scheme": "bearer"},
    "consoleSession": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Set by `POST /admin/v1/session`. A port that the address names follows the name, after `-`. "
        f"Changes must carry the session's csrf as `{CSRF_HEADER}`.",
    },
}
DENIED = (errors.CredentialsMissing, errors.CredentialsInvalid, errors.SignInThrottled, errors.SessionEnded)
WATCHED = (errors.WatchUnavailable,)
READING = (
    errors.CsrfInvalid,
    errors.BodyMalformed,
    errors.BodyTooLarge,
    errors.EncodingUnsupported,
    errors.DocumentInvalid,
)
CHANGING = (*READING, errors.ModelUnknown, errors.RevisionStale)


def stored(name: str, summary: str, told: Part, *kinds: type[WeirError], **parts: Any) -> Part:
    """Return an operation that reads or changes the store."""
    return guarded(name, summary, told, (errors.StoreUnavailable, *kinds), **parts)


def guarded(name: str, summary: str, told: Part, kinds: tuple[type[WeirError], ...], **parts: Any) -> Part:
    """Return an operation that needs a token or a session."""
    responses = {"200": told, **problems(*DENIED, *kinds)}
    return operation("admin", name, summary, responses, security=[{"adminToken": []}, {"consoleSession": []}], **parts)


def all_of(schema: str, member: str) -> Part:
    """Return the answer that lists everything of one kind."""
    return answer("All of them.", members({member: {"type": "array", "items": ref(schema)}}))


def reason_body() -> Part:
    """Return the body that says why, which may be left out."""
    return body_of(ref("Reason"), required=False)
