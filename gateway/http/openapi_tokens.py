"""Tokens in the OpenAPI document."""

from __future__ import annotations

from gateway import errors
from gateway.access.roles import ROLES
from gateway.access.token_control import LONGEST_EXPIRY_S
from gateway.http.openapi_answers import answer
from gateway.http.openapi_guarded import READING, all_of, stored
from gateway.http.openapi_parts import STRING, Part, body_of, list_of, members, object_of, or_null, path_parameter, ref

__all__ = ["TOKENS", "token_paths"]

_ROLE: Part = {"enum": list(ROLES)}
_BEHIND: Part = {**list_of(STRING), "description": "Workers that do not know of it yet: mostly none."}
_KEPT: dict[str, Part] = {
    "id": STRING,
    "name": STRING,
    "role": _ROLE,
    "created_at": STRING,
    "created_by": STRING,
    "expires_at": or_null(STRING),
    "is_expired": {"type": "boolean"},
}
TOKENS: dict[str, Part] = {
    "TokenRequest": object_of(
        "Without `expires_in_s` the token never expires.",
        optional=("expires_in_s", "reason"),
        name={"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._@ -]{0,62}[A-Za-z0-9])?$"},
        role=_ROLE,
        expires_in_s=or_null({"type": "integer", "minimum": 1, "maximum": LONGEST_EXPIRY_S}),
        reason={"type": "string", "maxLength": 500},
    )
    | {"additionalProperties": False},
    "Token": {"description": "What is kept of a token.", **members(_KEPT)},
    "NewToken": {
        "description": "`token` is what to send as `Bearer`; it is told here and never again.",
        **members({"token": STRING, **_KEPT, "behind": _BEHIND}),
    },
    "RevokedToken": object_of("The token of that id is worth nothing any more.", id=STRING, behind=_BEHIND),
}


def token_paths() -> dict[str, Part]:
    """Return the paths under ``/admin/v1/tokens``."""
    made, body = answer("The token.", ref("NewToken")), body_of(ref("TokenRequest"))
    create = stored("createToken", "Make a token", made, *READING, requestBody=body)
    create["responses"] = {("201" if code == "200" else code): part for code, part in create["responses"].items()}
    gone = answer("It is revoked, and the sessions that were begun with it have ended.", ref("RevokedToken"))
    reason: Part = {
        "name": "reason",
        "in": "query",
        "description": "Why; goes into the audit log.",
        "schema": {"type": "string", "maxLength": 500},
    }
    kinds = (errors.CsrfInvalid, errors.DocumentInvalid, errors.ResourceUnknown)
    revoke = stored("revokeToken", "Revoke a token", gone, *kinds, parameters=[reason])
    return {
        "/admin/v1/tokens": {
            "get": stored("tokens", "Every token that has not been revoked", all_of("Token", "tokens")),
            "post": create,
        },
        "/admin/v1/tokens/{token}": {"parameters": [path_parameter("token")], "delete": revoke},
    }
