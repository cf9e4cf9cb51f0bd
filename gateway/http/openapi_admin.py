"""The admin API's part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from gateway import errors
from gateway.errors import WeirError
from gateway.http.openapi_answers import answer, problems
from gateway.http.openapi_parts import Part, body_of, members, operation, path_parameter, ref

__all__ = ["DENIED", "READING", "SECURITY_SCHEMES", "admin_paths"]

SECURITY_SCHEMES: Part = {"adminToken": {"type": "http", "scheme": "bearer"}}
DENIED = (errors.CredentialsMissing, errors.CredentialsInvalid, errors.SignInThrottled)
WATCHED = (errors.WatchUnavailable,)
READING = (errors.BodyMalformed, errors.BodyTooLarge, errors.EncodingUnsupported, errors.DocumentInvalid)
CHANGING = (*READING, errors.ModelUnknown, errors.RevisionStale)
ROUTE = answer("The route.", ref("Route"), "etag")
IF_MATCH: Part = {
    "name": "if-match",
    "in": "header",
    "description": 'Revision that is replaced, such as `"7"`; `"0"` for a model without a route. 428 without.',
    "schema": {"type": "string", "pattern": '^"(0|[1-9][0-9]{0,17})"$'},
}
QUERY: dict[str, Part] = {
    "after": {"type": "integer", "minimum": 0, "maximum": 2**53, "default": 0},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "resource": {"type": "string", "description": "Such as `route/fraud`."},
}


def admin_paths() -> dict[str, Part]:
    """Return the paths under ``/admin/v1``."""
    model = "/admin/v1/models/{model}"
    of_model, of_version = [path_parameter("model")], [path_parameter("model"), path_parameter("version")]
    return {
        "/admin/v1/models": {
            "get": _stored("models", "Every model: route, versions, workers", _all("Model", "models"))
        },
        f"{model}/route": {"parameters": of_model, "get": _get_route(), "put": _put_route()},
        f"{model}/rollback": {"parameters": of_model, "post": _roll_back()},
        f"{model}/versions/{{version}}/load": {"parameters": of_version, "post": _load()},
        f"{model}/versions/{{version}}/unload": {"parameters": of_version, "post": _unload()},
        f"{model}/drift": {"parameters": of_model, "get": _drift()},
        "/admin/v1/alerts": {"get": _alerts()},
        "/admin/v1/audit": {"get": _audit()},
    }


def _get_route() -> Part:
    return _stored("getRoute", "A model's route", ROUTE, errors.ModelUnknown, errors.ResourceUnknown)


def _put_route() -> Part:
    kinds = (*CHANGING, errors.VersionNotWarm, errors.PreconditionMissing)
    body = body_of(ref("RouteRequest"))
    return _stored("putRoute", "Replace a model's route", ROUTE, *kinds, parameters=[IF_MATCH], requestBody=body)


def _roll_back() -> Part:
    summary = "Remove the canary or, without one, return to the previous stable version"
    kinds = (*CHANGING, errors.ResourceUnknown, errors.VersionNotWarm, errors.NothingToRollBack)
    return _stored("rollBack", summary, ROUTE, *kinds, requestBody=_reason())


def _load() -> Part:
    progress = ref("LoadProgress")
    kinds = (*CHANGING, errors.VersionUnknown, errors.VersionRefused)
    told = _stored("load", "Load a version on every worker", answer("Ready.", progress), *kinds, requestBody=_reason())
    told["responses"]["202"] = answer("Still loading after half a minute.", progress)
    return told


def _unload() -> Part:
    kinds = (*CHANGING, errors.VersionUnknown, errors.VersionInUse)
    wishes = answer("What is wished now.", ref("Residency"))
    return _stored("unload", "Let a version go that no route names", wishes, *kinds, requestBody=_reason())


def _drift() -> Part:
    kinds = (*WATCHED, errors.ModelUnknown)
    return _guarded("drift", "How a model's traffic has moved", answer("The report.", ref("DriftReport")), kinds)


def _alerts() -> Part:
    return _guarded("alerts", "Open alerts, then those resolved not long ago", _all("Alert", "alerts"), WATCHED)


def _audit() -> Part:
    query = [{"name": name, "in": "query", "schema": schema} for name, schema in QUERY.items()]
    records = _all("AuditRecord", "records")
    return _stored("audit", "Records above a sequence, oldest first", records, errors.DocumentInvalid, parameters=query)


def _stored(name: str, summary: str, told: Part, *kinds: type[WeirError], **parts: Any) -> Part:
    return _guarded(name, summary, told, (errors.StoreUnavailable, *kinds), **parts)


def _guarded(name: str, summary: str, told: Part, kinds: tuple[type[WeirError], ...], **parts: Any) -> Part:
    responses = {"200": told, **problems(*DENIED, *kinds)}
    return operation("admin", name, summary, responses, security=[{"adminToken": []}], **parts)


def _all(schema: str, member: str) -> Part:
    return answer("All of them.", members({member: {"type": "array", "items": ref(schema)}}))


def _reason() -> Part:
    return body_of(ref("Reason"), required=False)
