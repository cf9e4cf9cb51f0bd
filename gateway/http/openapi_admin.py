"""The admin API's part of the OpenAPI document."""

from __future__ import annotations

from gateway import errors
from gateway.http.openapi_answers import answer
from gateway.http.openapi_approvals import approval_paths
from gateway.http.openapi_baselines import baseline_paths
from gateway.http.openapi_console import live_paths
from gateway.http.openapi_guarded import CHANGING, READING, WATCHED, all_of, guarded, reason_body, stored
from gateway.http.openapi_parts import Part, body_of, path_parameter, ref
from gateway.http.openapi_releases import release_paths
from gateway.http.openapi_rollouts import rollout_paths
from gateway.http.openapi_tokens import token_paths

__all__ = ["admin_paths"]

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
    "last": {
        "type": "integer",
        "minimum": 0,
        "maximum": 1000,
        "default": 0,
        "description": "The newest so many instead; `after` and `limit` then mean nothing.",
    },
}


def admin_paths() -> dict[str, Part]:
    """Return the paths under ``/admin/v1``."""
    model = "/admin/v1/models/{model}"
    of_model, of_version = [path_parameter("model")], [path_parameter("model"), path_parameter("version")]
    return {
        "/admin/v1/models": {
            "get": stored("models", "Every model: route, versions, workers", all_of("Model", "models"))
        },
        f"{model}/route": {"parameters": of_model, "get": _get_route(), "put": _put_route()},
        f"{model}/rollback": {"parameters": of_model, "post": _roll_back()},
        f"{model}/stop": {"parameters": of_model, "post": _stop()},
        f"{model}/resume": {"parameters": of_model, "post": _resume()},
        f"{model}/versions/{{version}}/load": {"parameters": of_version, "post": _load()},
        f"{model}/versions/{{version}}/unload": {"parameters": of_version, "post": _unload()},
        f"{model}/versions/{{version}}/card": {"parameters": of_version, "get": _card()},
        f"{model}/drift": {"parameters": of_model, "get": _drift()},
        f"{model}/drift/history": {"parameters": of_model, "get": _history()},
        "/admin/v1/alerts": {"get": _alerts()},
        "/admin/v1/alerts/{alert}/acknowledge": {"parameters": [path_parameter("alert")], "post": _acknowledge()},
        "/admin/v1/alerts/{alert}/false": {"parameters": [path_parameter("alert")], "post": _mark_false()},
        "/admin/v1/audit": {"get": _audit()},
        **live_paths(),
        **approval_paths(),
        **baseline_paths(),
        **release_paths(),
        **rollout_paths(),
        **token_paths(),
    }


def _get_route() -> Part:
    return stored("getRoute", "A model's route", ROUTE, errors.ModelUnknown, errors.ResourceUnknown)


def _put_route() -> Part:
    kinds = (*CHANGING, errors.VersionNotWarm, errors.GovernanceUnmet, errors.PreconditionMissing)
    body = body_of(ref("RouteRequest"))
    return stored("putRoute", "Replace a model's route", ROUTE, *kinds, parameters=[IF_MATCH], requestBody=body)


def _roll_back() -> Part:
    summary = "Remove the canary or, without one, return to the previous stable version"
    kinds = (*CHANGING, errors.ResourceUnknown, errors.VersionNotWarm, errors.NothingToRollBack)
    meant = IF_MATCH | {"description": 'The only revision that is rolled back, such as `"7"`; any without.'}
    return stored("rollBack", summary, ROUTE, *kinds, parameters=[meant], requestBody=reason_body())


def _stop() -> Part:
    kinds = (*CHANGING, errors.ResourceUnknown, errors.VersionUnknown, errors.VersionNotWarm)
    body = body_of(ref("StopRequest"), required=False)
    return stored("stop", "Put a model into its safe state", ROUTE, *kinds, requestBody=body)


def _resume() -> Part:
    kinds = (*CHANGING, errors.ResourceUnknown)
    return stored("resume", "Put a model's route into force again", ROUTE, *kinds, requestBody=reason_body())


def _load() -> Part:
    progress = ref("LoadProgress")
    kinds = (*CHANGING, errors.VersionUnknown, errors.VersionRefused)
    told = stored(
        "load", "Load a version on every worker", answer("Ready.", progress), *kinds, requestBody=reason_body()
    )
    told["responses"]["202"] = answer("Still loading after half a minute.", progress)
    return told


def _unload() -> Part:
    kinds = (*CHANGING, errors.VersionUnknown, errors.VersionInUse)
    wishes = answer("What is wished now.", ref("Residency"))
    return stored("unload", "Let a version go that no route names", wishes, *kinds, requestBody=reason_body())


def _drift() -> Part:
    kinds = (*WATCHED, errors.ModelUnknown)
    return guarded("drift", "How a model's traffic has moved", answer("The report.", ref("DriftReport")), kinds)


def _history() -> Part:
    kinds = (*WATCHED, errors.ModelUnknown)
    told = answer("The last windows, and a day in stretches of ten minutes.", ref("DriftHistory"))
    return guarded("driftHistory", "How far a model's traffic has moved over the last hours", told, kinds)


def _card() -> Part:
    kinds = (errors.ModelUnknown, errors.VersionUnknown, errors.VersionRefused, errors.DocumentInvalid)
    told = answer("The card as it was written; empty where there is none.", {"type": "string"}, media_type="text/plain")
    return guarded("card", "A version's model card", told, kinds)


def _alerts() -> Part:
    return guarded("alerts", "Open alerts, then those resolved not long ago", all_of("Alert", "alerts"), WATCHED)


def _acknowledge() -> Part:
    kinds = (*READING, errors.ResourceUnknown, errors.RevisionStale)
    seen = answer("What is kept.", ref("Acknowledgement"))
    return stored("acknowledge", "Say that somebody is at an open alert", seen, *kinds, requestBody=reason_body())


def _mark_false() -> Part:
    kinds = (*READING, errors.ResourceUnknown, errors.RevisionStale)
    page = answer("The page as it is kept.", ref("Page"))
    return stored("markFalse", "Say that an alert woke somebody for nothing", page, *kinds, requestBody=reason_body())


def _audit() -> Part:
    query = [{"name": name, "in": "query", "schema": schema} for name, schema in QUERY.items()]
    records = all_of("AuditRecord", "records")
    return stored("audit", "Records above a sequence, oldest first", records, errors.DocumentInvalid, parameters=query)
