"""The Open Inference Protocol's metadata and health routes. Inference itself is in ``predict``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.codec.v2 import datatype_of
from gateway.engine.version import ServableVersion
from gateway.errors import VersionUnknown, WeirError
from gateway.http.probes import Readiness
from gateway.http.problems import shortened
from gateway.pipeline import Pipeline
from gateway.routing.table import ModelRoute
from gateway.types import TensorSpec

__all__ = ["EXTENSIONS", "v2_error", "v2_routes"]

EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics")
_BAD_REQUEST = frozenset({413, 415, 422})


def v2_error(status: int, error: WeirError) -> tuple[int, bytes]:
    """Return status and body of the protocol's error: whatever is wrong with a request is 400 there."""
    faults = [shortened(str(fault)) for fault in getattr(error, "faults", ())]
    text = "; ".join([shortened(str(error)) or "the gateway failed", *faults])
    return (400 if status in _BAD_REQUEST else status), json.dumps({"error": text}).encode()


def v2_routes(pipeline: Pipeline, readiness: Readiness, product_version: str) -> list[Route]:
    """Return the routes below ``/v2``."""

    async def server(_: Request) -> Response:
        return JSONResponse({"name": "weir", "version": product_version, "extensions": list(EXTENSIONS)})

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        is_ready = not readiness.reasons()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    async def model(request: Request) -> Response:
        route, servable = _servable(pipeline, request.path_params)
        return JSONResponse(_metadata(route, servable))

    async def model_ready(request: Request) -> Response:
        route, servable = _servable(pipeline, request.path_params)
        return JSONResponse({"name": route.model, "version": servable.version, "ready": True})

    routes = [Route("/v2", server), Route("/v2/health/live", live), Route("/v2/health/ready", ready)]
    for base in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [Route(base, model), Route(f"{base}/ready", model_ready)]
    return routes


def _servable(pipeline: Pipeline, names: Mapping[str, str]) -> tuple[ModelRoute, ServableVersion]:
    route = pipeline.table.find(names["model"])
    version = names.get("version")
    if version is None:
        return route, route.stable_arm().servable
    arm = route.pinned.get(version)
    if arm is None:
        raise VersionUnknown(route.model, version)
    return route, arm.servable


def _metadata(route: ModelRoute, servable: ServableVersion) -> dict[str, Any]:
    return {
        "name": route.model,
        "versions": sorted(route.pinned),
        "platform": "onnx_onnxv1",
        "inputs": [_tensor(spec) for spec in servable.inputs.values()],
        "outputs": [_tensor(spec) for spec in servable.outputs.values()],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": datatype_of(spec.dtype), "shape": list(spec.shape)}
