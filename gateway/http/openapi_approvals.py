"""Approvals in the OpenAPI document."""

from __future__ import annotations

from gateway import errors
from gateway.governance.policy import TIERS
from gateway.http.openapi_answers import answer
from gateway.http.openapi_guarded import CHANGING, stored
from gateway.http.openapi_parts import (
    INTEGER,
    STRING,
    Part,
    body_of,
    list_of,
    object_of,
    or_null,
    path_parameter,
    ref,
)
from gateway.http.openapi_rollouts import ASKED

__all__ = ["APPROVALS", "approval_paths"]

_BOOLEAN: Part = {"type": "boolean"}
_TEXT: Part = {"type": "string", "minLength": 1, "maxLength": 500}
_TOLD = answer("How the version stands afterwards; with `dry_run` as it would.", ref("ApprovalOutcome"))
_DIGEST: Part = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
APPROVALS: dict[str, Part] = {
    "ApprovalRequest": object_of(
        "With `digest`, it is refused where the version is not what was looked at.",
        optional=("comment", "digest"),
        comment={"type": "string", "maxLength": 500},
        digest=or_null(_DIGEST),
    )
    | {"additionalProperties": False},
    "BreakGlassRequest": object_of(
        "Why, and the ticket under which it is followed up.",
        reason=_TEXT,
        ticket={"type": "string", "minLength": 1, "maxLength": 100},
    )
    | {"additionalProperties": False},
    "ReviewRequest": object_of("What the reviewer found.", comment=_TEXT) | {"additionalProperties": False},
    "Approvals": object_of(
        "How a version stands, by its digest. Without a policy `tier` and `policy_digest` are `null`.",
        model=STRING,
        version=STRING,
        digest=STRING,
        tier=or_null({"enum": list(TIERS)}),
        policy_digest=or_null(STRING),
        may_take_traffic=_BOOLEAN,
        approvals_needed=INTEGER,
        approved_by=list_of(STRING),
        release_report_sha256=STRING,
        missing=list_of(object_of(what=STRING, command=STRING)),
        remark=STRING,
        approvals=list_of(
            object_of(
                subject=STRING,
                role=STRING,
                at=STRING,
                expires_at=STRING,
                is_expired=_BOOLEAN,
                comment=STRING,
                release_report_sha256=STRING,
            )
        ),
        break_glass=list_of(
            object_of(
                subject=STRING,
                role=STRING,
                reason=STRING,
                ticket=STRING,
                at=STRING,
                expires_at=STRING,
                is_in_force=_BOOLEAN,
                reviewed_by=STRING,
                reviewed_at=or_null(STRING),
                review=STRING,
            )
        ),
    ),
    "ApprovalOutcome": object_of(
        "`violations` are what would stand in the way of a dry run.",
        approvals=ref("Approvals"),
        violations=list_of(STRING),
        dry_run=_BOOLEAN,
    ),
}


def approval_paths() -> dict[str, Part]:
    """Return the paths of approvals and break-glass."""
    one = "/admin/v1/models/{model}/versions/{version}"
    of_version = [path_parameter("model"), path_parameter("version")]
    get = stored(
        "approvals",
        "Whether a version may take live traffic, and who said so",
        answer("How it stands.", ref("Approvals")),
        errors.ModelUnknown,
        errors.VersionUnknown,
    )
    give = _post("approve", "Approve a version, by its digest", "ApprovalRequest")
    glass = _post("breakGlass", "Do without what is missing, for a few hours and with an alert", "BreakGlassRequest")
    review = _post("reviewBreakGlass", "Review break-glass grants of others", "ReviewRequest")
    return {
        f"{one}/approvals": {"parameters": of_version, "get": get, "post": give, "delete": _delete()},
        f"{one}/break-glass": {"parameters": of_version, "post": glass},
        f"{one}/break-glass/review": {"parameters": of_version, "post": review},
    }


def _post(name: str, summary: str, body: str) -> Part:
    kinds = (*CHANGING, errors.VersionUnknown, errors.IdempotencyKeyReused, errors.ApprovalRefused)
    return stored(name, summary, _TOLD, *kinds, parameters=ASKED, requestBody=body_of(ref(body)))


def _delete() -> Part:
    reason: Part = {
        "name": "reason",
        "in": "query",
        "description": "Why; goes into the audit log.",
        "schema": {"type": "string", "maxLength": 500},
    }
    kinds = (
        errors.CsrfInvalid,
        errors.DocumentInvalid,
        errors.ModelUnknown,
        errors.VersionUnknown,
        errors.ResourceUnknown,
        errors.RevisionStale,
        errors.IdempotencyKeyReused,
        errors.ApprovalRefused,
    )
    summary = "Take one's own approval back"
    return stored("withdrawApproval", summary, _TOLD, *kinds, parameters=[*ASKED, reason])
