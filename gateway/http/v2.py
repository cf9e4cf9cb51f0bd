"""The Open Inference Protocol's metadata and health routes. Inference itself is in ``predict``."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.codec.v2 import datatype_of
from gateway.engine.version import ServableVersion
from gateway.errors import VersionUnknown, WeirError, shortened
from gateway.http.probes import Readiness
from gateway.pipeline import Pipeline
from gateway.routing.table import ModelRoute, RouteTable
from gateway.types import TensorSpec

__all__ = ["EXTENSIONS", "error_text", "find_servable", "model_metadata", "v2_error", "v2_routes"]

EXTENSIONS = ("binary_tensor_data", "model_repository", "schedule_policy", "statistics")
_BAD_REQUEST = frozenset({413, 415, 422})


def v2_error(status: int, error: WeirError) -> tuple[int, bytes]:
    """Return status and body of the protocol's error: whatever is wrong with a request is 400 there."""
    return (400 if status in _BAD_REQUEST else status), json.dumps({"error": error_text(error)}).encode()


def error_text(error: WeirError) -> str:
    """Return an error and its faults in one line; ``WeirError()`` itself is a failure of the gateway."""
    faults = [shortened(str(fault)) for fault in getattr(error, "faults", ())]
    return "; ".join([shortened(str(error)) or "the gateway failed", *faults])


def v2_routes(pipeline: Pipeline, readiness: Readiness, product_version: str) -> list[Route]:
    """Return the routes below ``/v2``."""

    def found(request: Request) -> tuple[ModelRoute, ServableVersion]:
        return find_servable(pipeline.table, request.path_params["model"], request.path_params.get("version"))

    async def server(_: Request) -> Response:
        return JSONResponse({"name": "weir", "version": product_version, "extensions": list(EXTENSIONS)})

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(_: Request) -> Response:
        is_ready = not readiness.reasons()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    async def model(request: Request) -> Response:
        return JSONResponse(model_metadata(*found(request)))

    async def model_ready(request: Request) -> Response:
        route, servable = found(request)
        return JSONResponse({"name": route.model, "version": servable.version, "ready": True})

    routes = [Route("/v2", server), Route("/v2/health/live", live), Route("/v2/health/ready", ready)]
    for base in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [Route(base, model), Route(f"{base}/ready", model_ready)]
    return routes


def find_servable(table: RouteTable, model: str, version: str | None) -> tuple[ModelRoute, ServableVersion]:
    """Return a model's route and one loaded version, stable where none is named.

    Raises
    ------
    gateway.errors.ModelUnknown, gateway.errors.VersionUnknown, gateway.errors.ModelNotReady
    """
    route = table.find(model)
    if version is None:
        return route, route.stable_arm().servable
    arm = route.pinned.get(version)
    if arm is None:
        raise VersionUnknown(route.model, version)
    return route, arm.servable


def model_metadata(route: ModelRoute, servable: ServableVersion) -> dict[str, Any]:
    """Return the protocol's description of a model."""
    return {
        "name": route.model,
        "versions": sorted(route.pinned),
        "platform": "onnx_onnxv1",
        "inputs": [_tensor(spec) for spec in servable.inputs.values()],
        "outputs": [_tensor(spec) for spec in servable.outputs.values()],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": datatype_of(spec.dtype), "shape": list(spec.shape)}
