"""Baselines in the OpenAPI document."""

from __future__ import annotations

from gateway import errors
from gateway.http.openapi_answers import answer
from gateway.http.openapi_guarded import CHANGING, reason_body, stored
from gateway.http.openapi_parts import INTEGER, NUMBER, STRING, Part, body_of, object_of, path_parameter, ref

__all__ = ["BASELINES", "baseline_paths"]

_TOLD = answer("The baseline.", ref("Baseline"), "etag")
_RATE: Part = {"type": "number", "minimum": 0, "maximum": 1}
_FACTOR: Part = {"type": "number", "minimum": 1, "maximum": 1000}
_ROWS: Part = {"type": "integer", "minimum": 1}
_PROMISE: Part = {"type": ["number", "null"], "exclusiveMinimum": 0}
_IF_MATCH: Part = {
    "name": "if-match",
    "in": "header",
    "description": 'Revision that is replaced, such as `"7"`; `"0"` for a model without a baseline. 428 without.',
    "schema": {"type": "string", "pattern": '^"(0|[1-9][0-9]{0,17})"$'},
}
BASELINES: dict[str, Part] = {
    "BaselineRequest": object_of(
        "Rows that were normal, as an evidence model, with what replays foretell; `weir baseline accept` makes it.",
        optional=("begin", "end", "factor", "pages_per_week"),
        version=STRING,
        digest=STRING,
        source=STRING,
        begin=STRING,
        end=STRING,
        rows=_ROWS,
        factor=_FACTOR,
        pages_per_week=_PROMISE,
        predicted=_RATE,
        upper=_RATE,
        evidence={"type": "string", "minLength": 2},
        reason={"type": "string", "minLength": 1, "maxLength": 500},
    )
    | {"additionalProperties": False},
    "Baseline": object_of(
        "What drift of a version is measured against; the evidence itself is not shown.",
        model=STRING,
        revision=INTEGER,
        version=STRING,
        digest=STRING,
        source=STRING,
        begin=STRING,
        end=STRING,
        rows=_ROWS,
        factor=_FACTOR,
        pages_per_week=_PROMISE,
        predicted=NUMBER,
        upper=NUMBER,
        reason=STRING,
        evidence_bytes=INTEGER,
        evidence_sha256=STRING,
        accepted_at=STRING,
        accepted_by=STRING,
    ),
}


def baseline_paths() -> dict[str, Part]:
    """Return the paths under ``/admin/v1/models/{model}/baseline``."""
    one, of_model = "/admin/v1/models/{model}/baseline", [path_parameter("model")]
    missing = (errors.ModelUnknown, errors.ResourceUnknown)
    kinds = (*CHANGING, errors.VersionUnknown, errors.PreconditionMissing)
    body = body_of(ref("BaselineRequest"))
    accept = stored("acceptBaseline", "Accept rows as normal", _TOLD, *kinds, parameters=[_IF_MATCH], requestBody=body)
    reset = stored(
        "resetBaseline",
        "Hold the versions against their tables again; answers what the baseline was",
        _TOLD,
        *CHANGING,
        errors.ResourceUnknown,
        requestBody=reason_body(),
    )
    get = stored("baseline", "A model's accepted baseline", _TOLD, *missing)
    return {
        one: {"parameters": of_model, "get": get, "put": accept},
        f"{one}/reset": {"parameters": of_model, "post": reset},
    }
