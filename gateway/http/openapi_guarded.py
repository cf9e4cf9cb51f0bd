"""Operations of the admin API in the OpenAPI document: every one needs a role and may miss the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.errors import WeirError
from gateway.http.credentials import COOKIE, CSRF_HEADER
from gateway.http.openapi_answers import answer, problems
from gateway.http.openapi_parts import Part, body_of, members, operation, ref
from gateway.http.permissions import PERMISSIONS

__all__ = [
    "CHANGING",
    "DENIED",
    "READING",
    "SECURITY_SCHEMES",
    "WATCHED",
    "all_of",
    "guarded",
    "reason_body",
    "stored",
    "with_roles",
]

SECURITY_SCHEMES: Part = {
    "bearerToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The configured token, whose role is admin, or one that `POST /admin/v1/tokens` made. What an "
        "operation lists with it is the role that it needs; operator and approver cover viewer, admin covers all.",
    },
    "consoleSession": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "Set by `POST /admin/v1/session`, with the roles of the token. A port that the address names "
        "follows the name, after `-`. "
        f"Changes must carry the session's csrf as `{CSRF_HEADER}`.",
    },
}
DENIED = (
    errors.CredentialsMissing,
    errors.CredentialsInvalid,
    errors.CredentialsExpired,
    errors.SignInThrottled,
    errors.SessionEnded,
    errors.RoleMissing,
    errors.IssuerUnavailable,
)
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
    """Return an operation that needs a token or a session; :func:`with_roles` says of which role."""
    responses = {"200": told, **problems(*DENIED, *kinds)}
    return operation("admin", name, summary, responses, **parts)


def with_roles(paths: Mapping[str, Part]) -> Mapping[str, Part]:
    """Say of every guarded operation which role it needs; a session opens the admin API and nothing else."""
    for name, role in PERMISSIONS.items():
        method, _, path = name.partition(" ")
        schemes = ["bearerToken", "consoleSession"] if path.startswith("/admin/") else ["bearerToken"]
        paths[path][method.lower()]["security"] = [{scheme: [role]} for scheme in schemes]
    return paths


def all_of(schema: str, member: str) -> Part:
    """Return the answer that lists everything of one kind."""
    return answer("All of them.", members({member: {"type": "array", "items": ref(schema)}}))


def reason_body() -> Part:
    """Return the body that says why, which may be left out."""
    return body_of(ref("Reason"), required=False)
