"""Release records in the OpenAPI document."""

from __future__ import annotations

from gateway import errors
from gateway.http.openapi_answers import answer
from gateway.http.openapi_guarded import CHANGING, stored
from gateway.http.openapi_parts import (
    INTEGER,
    STRING,
    Part,
    body_of,
    list_of,
    members,
    object_of,
    or_null,
    path_parameter,
    ref,
)

__all__ = ["RELEASES", "release_paths"]

_DIGEST: Part = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_HEX: Part = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ROWS: Part = {"type": "integer", "minimum": 0}
_OUTCOME: Part = {"enum": ["pass", "fail"]}
_TIER: Part = {"enum": ["minimal", "limited", "high"]}
_NAME: Part = {"type": "string", "maxLength": 300}
_GATE: dict[str, Part] = {
    "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,31}$"},
    "outcome": {"enum": ["pass", "fail", "skipped"]},
    "detail": {"type": "string", "maxLength": 1000},
}
_TOLD = answer("The record.", ref("Release"), "etag")

RELEASES: dict[str, Part] = {
    "ReleaseReport": object_of(
        "What `weir release check` found: its `report.json`, byte for byte. The outcome is `fail` where a gate fails, "
        "else `pass`.",
        optional=("schema_version", "against", "machine", "seed"),
        schema_version={"const": 1},
        model=_NAME,
        version=_NAME,
        digest=_DIGEST,
        tier=_TIER,
        against=or_null(object_of(version=_NAME, digest=_DIGEST)),
        policy_digest=_HEX,
        holdout=object_of(name=_NAME, digest=_DIGEST, rows=_ROWS),
        checked_at={"type": "string", "format": "date-time"},
        outcome=_OUTCOME,
        gates={
            "type": "array",
            "minItems": 1,
            "maxItems": 64,
            "items": members({**_GATE, "numbers": {"type": "object"}}, ("numbers",)),
        },
        machine={"type": "object"},
        seed=INTEGER,
    )
    | {"additionalProperties": False},
    "Release": object_of(
        "What is kept of a version's release report; `report_sha256` is of the bytes that were handed over.",
        model=STRING,
        version=STRING,
        digest=_DIGEST,
        tier=_TIER,
        against={"type": "string", "description": "Version that it was compared with; empty for none."},
        against_digest=STRING,
        policy_digest=_HEX,
        holdout_digest=_DIGEST,
        holdout_rows=_ROWS,
        checked_at=STRING,
        outcome=_OUTCOME,
        gates=list_of(members(_GATE)),
        report_sha256=_HEX,
        submitted_by=STRING,
        submitted_at=STRING,
        revision=INTEGER,
    ),
}


def release_paths() -> dict[str, Part]:
    """Return the path ``/admin/v1/models/{model}/versions/{version}/release``."""
    missing = (errors.ModelUnknown, errors.VersionUnknown, errors.ResourceUnknown, errors.DocumentInvalid)
    submit = stored(
        "submitRelease",
        "Keep what a release report says of a version, in the place of an earlier one",
        _TOLD,
        *CHANGING,
        errors.VersionUnknown,
        errors.VersionNotWarm,
        requestBody=body_of(ref("ReleaseReport")),
    )
    return {
        "/admin/v1/models/{model}/versions/{version}/release": {
            "parameters": [path_parameter("model"), path_parameter("version")],
            "get": stored("release", "The release record of a version", _TOLD, *missing),
            "post": submit,
        }
    }
