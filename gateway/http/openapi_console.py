"""The console in the OpenAPI document: its page, its sessions, and what it watches live."""

from __future__ import annotations

from gateway import errors
from gateway.access.roles import ROLES
from gateway.http.openapi_answers import answer, problems
from gateway.http.openapi_guarded import WATCHED, guarded
from gateway.http.openapi_parts import (
    INTEGER,
    NUMBER,
    STRING,
    Part,
    list_of,
    members,
    object_of,
    operation,
    or_null,
    path_parameter,
    ref,
)

__all__ = ["CONSOLE", "console_paths", "live_paths"]

_RATES = {"requests_per_s": list_of(NUMBER), "errors_per_s": list_of(NUMBER)}
_NUMBERS = list_of(or_null(NUMBER))
_STREAM = {"version": STRING, "variant": {"enum": ["stable", "canary", "shadow", "pinned"]}}


def _of_stream(description: str, properties: dict[str, Part]) -> Part:
    return {"description": description, **members({**_STREAM, **properties})}


_TRACK: Part = object_of(
    "Each list has one entry a stretch of `span_s` seconds, with the worst that its windows have reached.",
    span_s=NUMBER,
    at=list_of(NUMBER),
    rows=list_of(INTEGER),
    collapse_index=_NUMBERS,
    evidence=list_of(object_of("Evidence in units of its page level.", cause=STRING, ratios=_NUMBERS)),
    features=list_of(object_of("The forty that moved furthest; 1 is the page level.", name=STRING, levels=_NUMBERS)),
)
CONSOLE: dict[str, Part] = {
    "Session": object_of(
        "`csrf` goes into the header `x-weir-csrf` of every change. `roles` are all those whose work may be done.",
        expires_at=INTEGER,
        csrf=STRING,
        subject=STRING,
        roles=list_of({"enum": list(ROLES)}),
    ),
    "Acknowledgement": object_of(alert_id=STRING, at=NUMBER, by=STRING, reason=STRING),
    "Traffic": _of_stream(
        "Rates of the last six seconds. What a canary failed and stable answered instead is in `masked_per_s` only.",
        {
            "requests_per_s": NUMBER,
            "errors_per_s": NUMBER,
            "masked_per_s": NUMBER,
            "refused_per_s": NUMBER,
            "p50_ms": or_null(NUMBER),
            "p99_ms": or_null(NUMBER),
        },
    ),
    "Overview": object_of(
        "While the store is away, `models` is what it said last.",
        at=NUMBER,
        store_is_up={"type": "boolean"},
        models=list_of(
            {
                "allOf": [
                    ref("Model"),
                    object_of(
                        rollout=or_null(ref("Rollout")),
                        traffic=list_of(ref("Traffic")),
                        drift=list_of(
                            _of_stream(
                                "`level` 1 is the level at which the effect of `feature` alone would page.",
                                {
                                    "level": NUMBER,
                                    "feature": or_null(STRING),
                                    "collapse_index": or_null(NUMBER),
                                    "evidence": or_null(NUMBER),
                                },
                            )
                        ),
                    ),
                ]
            }
        ),
        alerts=list_of(ref("Alert")),
    ),
    "TrafficHistory": object_of(
        "Five minutes in steps of two seconds.",
        step_s=NUMBER,
        at=list_of(NUMBER),
        streams=list_of(_of_stream("", {"model": STRING, **_RATES})),
    ),
    "DriftHistory": object_of(
        model=STRING, streams=list_of(_of_stream("", {"fine": _TRACK, "coarse": _TRACK})),
    ),
}  # fmt: skip


def console_paths() -> dict[str, Part]:
    """Return the paths of the page itself, which everybody may load: it holds nothing."""
    page = answer("The page.", STRING, "content-security-policy", media_type="text/html")
    file = answer("A script, a style or a picture.", STRING, "content-security-policy", media_type="text/javascript")
    return {
        "/console": {"get": operation("console", "console", "The console's page", {"200": page})},
        "/console/": {
            "get": operation(
                "console",
                "consoleSlash",
                "Leads to the page",
                {"308": {"description": "To `/console`.", "headers": _request_id()}},
            )
        },
        "/console/{file}": {
            "parameters": [path_parameter("file")],
            "get": operation(
                "console", "consoleFile", "One of its files", {"200": file, **problems(errors.ResourceUnknown)}
            ),
        },
    }


def live_paths() -> dict[str, Part]:
    """Return the paths under ``/admin/v1`` that the console signs in and watches with."""
    session = answer("The session.", ref("Session"))
    begun = answer("The session; the cookie that stands for the token.", ref("Session"), "set-cookie")
    overview, traffic = answer("All models.", ref("Overview")), answer("Their traffic.", ref("TrafficHistory"))
    told = "Events `overview` with the document whenever it has changed, `away` while the watch is, `bye` at the end."
    events = answer(told, STRING, media_type="text/event-stream")
    return {
        "/admin/v1/session": {
            "post": guarded("signIn", "Exchange a token for a cookie that expires", begun, (errors.CsrfInvalid,)),
            "get": guarded("session", "Until when the session lasts", session, ()),
            "delete": _sign_out(),
        },
        "/admin/v1/overview": {"get": guarded("overview", "All models at a glance", overview, WATCHED)},
        "/admin/v1/traffic": {"get": guarded("traffic", "The traffic of the last minutes", traffic, WATCHED)},
        "/admin/v1/events": {
            "get": guarded("events", "The overview, live", events, (errors.StreamsTaken,)),
        },
    }


def _sign_out() -> Part:
    told = guarded("signOut", "End the session", answer("", STRING), (errors.CsrfInvalid,))
    responses = {code: part for code, part in told["responses"].items() if code != "200"}
    return {**told, "responses": {"204": {"description": "Ended.", "headers": _request_id()}, **responses}}


def _request_id() -> Part:
    return {"x-request-id": {"$ref": "#/components/headers/x-request-id"}}
