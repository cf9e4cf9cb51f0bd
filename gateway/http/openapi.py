"""The OpenAPI document: every route, with the schemas of the models that are served at the moment."""

from __future__ import annotations

from gateway import errors
from gateway.http.openapi_admin import admin_paths
from gateway.http.openapi_answers import (
    ANSWERED,
    HEADERS,
    PROBLEM_SCHEMAS,
    RUN,
    answer,
    problem_schema,
    problem_types,
    problems,
    request_headers,
)
from gateway.http.openapi_console import console_paths
from gateway.http.openapi_guarded import SECURITY_SCHEMES, with_roles
from gateway.http.openapi_models import answer_schema, example_request, request_schema
from gateway.http.openapi_parts import Part, body_of, object_of, operation, path_parameter, ref
from gateway.http.openapi_protocols import protocol_paths
from gateway.http.openapi_schemas import SCHEMAS
from gateway.routing.table import ModelRoute, RouteTable

__all__ = ["describe"]

TAGS = {
    "predict": "Rows in, predictions out.",
    "open inference protocol": "Version 2 of the protocol over REST, with tensors as JSON or as raw bytes.",
    "kserve v1": "Version 1 of KServe's protocol.",
    "scoring": "What MLflow's scoring server answers, and what SageMaker asks of a container.",
    "probes": "For load balancers and orchestrators.",
    "observe": "Metrics and this document.",
    "console": "The page for people, and what it signs in with.",
    "admin": "Routes, versions, drift, alerts, audit and tokens. Every operation needs a role.",
}


def describe(table: RouteTable, product_version: str) -> Part:
    """Return the OpenAPI 3.1 document of a worker.

    Parameters
    ----------
    table
        Gives each served model a path of its own, with the schemas of its stable version.
    product_version
        Becomes the version of the API.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weir",
            "version": product_version,
            "description": _introduction(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": with_roles(
            {**_predict_paths(table), **protocol_paths(), **_open_paths(), **console_paths(), **admin_paths()}
        ),
        "components": {
            "schemas": {**SCHEMAS, **PROBLEM_SCHEMAS, "Problem": problem_schema()},
            "headers": HEADERS,
            "responses": _elsewhere(),
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _introduction() -> str:
    lines = [f"| {problem.status} | `{problem.type}` | {problem.title} |" for problem in problem_types()]
    return "\n".join(
        [
            "An inference gateway. Errors are problem documents (RFC 9457); below `/v2` they are the protocol's own.",
            "",
            "| Status | Type | Meaning |",
            "|---|---|---|",
            *lines,
        ]
    )


def _elsewhere() -> dict[str, Part]:
    """Return what paths and methods that are not listed here answer, and what is refused before there is a path."""
    return {
        "UnknownPath": problems(errors.ResourceUnknown)["404"],
        "UnknownMethod": problems(errors.MethodUnsupported)["405"],
        "NoRequest": problems(errors.RequestMalformed)["400"],
        "HeadTooLarge": problems(errors.HeadTooLarge)["431"],
    }


def _predict_paths(table: RouteTable) -> dict[str, Part]:
    request, told = ref("PredictRequest"), answer("The predictions.", ref("PredictAnswer"), *ANSWERED)
    paths: dict[str, Part] = {
        "/predict": {
            "post": _predict("predict", "Ask the default model, or the one that the body names", request, told)
        },
        "/predict/{model}": {
            "parameters": [path_parameter("model")],
            "post": _predict("predictModel", "Ask a model", request, told),
        },
    }
    return paths | {f"/predict/{name}": {"post": _predict_one(route)} for name, route in sorted(table.routes.items())}


def _predict(name: str, summary: str, request: Part, told: Part, example: Part | None = None) -> Part:
    return operation(
        "predict",
        name,
        summary,
        {"200": told, **problems(*RUN)},
        parameters=request_headers(),
        requestBody=body_of(request, example),
    )


def _predict_one(route: ModelRoute) -> Part:
    name, summary = f"predict_{route.model}", f"Ask the model {route.model}"
    if route.stable is None:
        request, told = ref("PredictRequest"), answer("The predictions.", ref("PredictAnswer"), *ANSWERED)
        return _predict(name, summary, request, told)
    version = route.stable.servable
    told = answer(f"The predictions. Schema of version {version.version}.", answer_schema(version), *ANSWERED)
    return _predict(name, summary, request_schema(version), told, example_request(version))


def _open_paths() -> dict[str, Part]:
    words, text = {"type": "array", "items": {"type": "string"}}, {"type": "string"}
    ready = object_of(status={"enum": ["ready", "not ready"]}, reasons=words, degraded=words)
    started = object_of(status={"enum": ["started", "starting"]})
    page = answer("OpenMetrics 1.0 for those who accept it, else text 0.0.4.", text, media_type="text/plain")
    page["content"]["application/openmetrics-text"] = {"schema": text}
    return {
        "/livez": {"get": _probe("livez", "Does the event loop turn?", object_of(status={"const": "alive"}))},
        "/readyz": {"get": _probe("readyz", "Can every routed model answer here?", ready, may_fail=True)},
        "/startupz": {"get": _probe("startupz", "Is the first loading over?", started, may_fail=True)},
        "/metrics": {
            "get": operation(
                "observe", "metrics", "Prometheus metrics", {"200": page, **problems(errors.WatchUnavailable)}
            )
        },
        "/openapi.json": {
            "get": operation("observe", "openapi", "This document", {"200": answer("OpenAPI 3.1.", {"type": "object"})})
        },
    }


def _probe(name: str, summary: str, schema: Part, *, may_fail: bool = False) -> Part:
    responses = {"200": answer("Yes.", schema)} | ({"503": answer("Not now.", schema)} if may_fail else {})
    return operation("probes", name, summary, responses)
