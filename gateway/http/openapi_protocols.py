"""The OpenAPI document's part about protocols that others have published: KServe's two, and MLflow's."""

from __future__ import annotations

from gateway import errors
from gateway.http.openapi_answers import ANSWERED, RUN, answer, problems, protocol_errors, request_headers
from gateway.http.openapi_guarded import DENIED, READING
from gateway.http.openapi_parts import Part, body_of, object_of, operation, path_parameter, ref, with_raw_tensors

__all__ = ["protocol_paths"]

JSON_LENGTH: Part = {
    "name": "inference-header-content-length",
    "in": "header",
    "description": "Length of the JSON, where raw tensors follow it.",
    "schema": {"type": "integer", "minimum": 0},
}


def protocol_paths() -> dict[str, Part]:
    """Return the paths of the published protocols."""
    return {**_inference_paths(), **_repository_paths(), **_first_paths(), **_scoring_paths()}


def _inference_paths() -> dict[str, Part]:
    tag, flag = "open inference protocol", {"type": "boolean"}
    server = object_of(name={"const": "weir"}, version={"type": "string"}, extensions={"type": "array"})
    live, ready = object_of(live=flag), object_of(ready=flag)
    paths: dict[str, Part] = {
        "/v2": {"get": operation(tag, "v2Server", "Server metadata", {"200": answer("Name and version.", server)})},
        "/v2/health/live": {"get": operation(tag, "v2Live", "Is it alive?", {"200": answer("Yes.", live)})},
        "/v2/health/ready": {
            "get": operation(
                tag,
                "v2Ready",
                "Can every model answer?",
                {"200": answer("Yes.", ready), "503": answer("No.", ready)},
            )
        },
    }
    for suffix, base, names in (
        ("", "/v2/models/{model}", ("model",)),
        ("Version", "/v2/models/{model}/versions/{version}", ("model", "version")),
    ):
        paths |= _inference_model(suffix, base, [path_parameter(name) for name in names])
    return paths


def _inference_model(suffix: str, base: str, parameters: list[Part]) -> dict[str, Part]:
    tag = "open inference protocol"
    unknown = (errors.ModelUnknown, errors.VersionUnknown) if suffix else (errors.ModelUnknown,)
    reading = (
        protocol_errors(*unknown) if suffix else protocol_errors(*unknown, errors.ModelNotReady, errors.ModelStopped)
    )
    is_ready = object_of(name={"type": "string"}, version={"type": "string"}, ready={"const": True})
    infer = operation(
        tag,
        f"v2Infer{suffix}",
        "Infer" if not suffix else "Infer with this version, whatever the route says",
        {
            "200": with_raw_tensors(
                answer("The outputs.", ref("InferAnswer"), *ANSWERED, "inference-header-content-length")
            ),
            **protocol_errors(*RUN, *unknown[1:]),
        },
        parameters=[*request_headers(), JSON_LENGTH],
        requestBody=with_raw_tensors(body_of(ref("InferRequest"))),
    )
    told = {"200": answer("Inputs, outputs and loaded versions.", ref("ModelMetadata")), **reading}
    counted = {"200": answer("Counts over all workers.", ref("Statistics")), **protocol_errors(*unknown)}
    loaded = {"200": answer("It can answer.", is_ready), **reading}
    return {
        base: {"parameters": parameters, "get": operation(tag, f"v2Model{suffix}", "Model metadata", told)},
        f"{base}/ready": {
            "parameters": parameters,
            "get": operation(tag, f"v2ModelReady{suffix}", "Can it answer?", loaded),
        },
        f"{base}/stats": {"parameters": parameters, "get": operation(tag, f"v2Stats{suffix}", "Statistics", counted)},
        f"{base}/infer": {"parameters": parameters, "post": infer},
    }


def _repository_paths() -> dict[str, Part]:
    tag, base = "open inference protocol", "/v2/repository/models/{model}"
    reading = (errors.StoreUnavailable, *READING)
    index = operation(
        tag,
        "v2RepositoryIndex",
        "Versions and their state",
        {"200": answer("Every version, or those that are ready.", ref("RepositoryIndex")), **protocol_errors(*reading)},
        requestBody=body_of(object_of(optional=("ready",), ready={"type": "boolean"}), required=False),
    )
    changing = (*reading, errors.ModelUnknown, errors.VersionUnknown, *DENIED)
    load = _repository_change(
        "Load", "a version, the newest by default", (*changing, errors.VersionRefused, errors.ModelNotReady)
    )
    unload = _repository_change("Unload", "versions that no route names", (*changing, errors.VersionInUse))
    parameters = [path_parameter("model")]
    return {
        "/v2/repository/index": {"post": index},
        f"{base}/load": {"parameters": parameters, "post": load},
        f"{base}/unload": {"parameters": parameters, "post": unload},
    }


def _repository_change(verb: str, what: str, kinds: tuple[type[errors.WeirError], ...]) -> Part:
    named = object_of(optional=("version",), version={"type": "string"})
    return operation(
        "open inference protocol",
        f"v2Repository{verb}",
        f"{verb} {what}",
        {"200": answer("Done.", {"type": "object"}), **protocol_errors(*kinds)},
        requestBody=body_of(object_of(optional=("parameters",), parameters=named), required=False),
    )


def _first_paths() -> dict[str, Part]:
    tag, text = "kserve v1", {"type": "string"}
    unknown = protocol_errors(errors.ModelUnknown)
    names = object_of(models={"type": "array", "items": text})
    is_ready = object_of(name=text, ready={"type": "boolean"})
    told = {"200": answer("It can answer.", is_ready), **unknown, "503": answer("It cannot answer now.", is_ready)}
    predict = operation(
        tag,
        "v1Predict",
        "Predict",
        {"200": answer("A label or a value for each row.", ref("Predictions"), *ANSWERED), **protocol_errors(*RUN)},
        parameters=request_headers(),
        requestBody=body_of(ref("PredictRequest")),
    )
    parameters = [path_parameter("model")]
    return {
        "/v1/models": {"get": operation(tag, "v1Models", "Models", {"200": answer("Their names.", names)})},
        "/v1/models/{model}": {"parameters": parameters, "get": operation(tag, "v1Model", "Can it answer?", told)},
        "/v1/models/{model}:predict": {"parameters": parameters, "post": predict},
    }


def _scoring_paths() -> dict[str, Part]:
    tag, text = "scoring", {"type": "string"}
    invoke = operation(
        tag,
        "invocations",
        "Ask the default model",
        {"200": answer("A label or a value for each row.", ref("Predictions"), *ANSWERED), **problems(*RUN)},
        parameters=request_headers(),
        requestBody=body_of(ref("ScoringRequest")),
    )
    well = {
        "200": answer("Yes.", text, media_type="text/plain"),
        "503": answer("Not now.", text, media_type="text/plain"),
    }
    version = {"200": answer("The version of Weir.", text, media_type="text/plain"), **problems()}
    return {
        "/invocations": {"post": invoke},
        "/ping": {"get": operation(tag, "ping", "Can every model answer?", well)},
        "/health": {"get": operation(tag, "health", "The same", well)},
        "/version": {"get": operation(tag, "version", "The version of Weir", version)},
    }
