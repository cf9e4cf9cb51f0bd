"""KServe's first protocol: its lists and readiness of models. Prediction itself is in ``predict``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.pipeline import Pipeline

__all__ = ["v1_routes"]


def v1_routes(pipeline: Pipeline) -> list[Route]:
    """Return the routes below ``/v1``."""

    async def models(_: Request) -> Response:
        return JSONResponse({"models": sorted(pipeline.table.routes)})

    async def model(request: Request) -> Response:
        route = pipeline.table.find(request.path_params["model"])
        is_ready = route.stable is not None
        return JSONResponse({"name": route.model, "ready": is_ready}, 200 if is_ready else 503)

    return [Route("/v1/models", models), Route("/v1/models/{model}", model)]
