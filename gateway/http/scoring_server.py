"""What the hosts of MLflow's and SageMaker's containers ask beside ``/invocations``: is it well, and which version."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.http.probes import Readiness

__all__ = ["scoring_server_routes"]


def scoring_server_routes(readiness: Readiness, product_version: str) -> list[Route]:
    """Return ``/ping``, ``/health`` and ``/version``; the first two have no words, as their askers expect."""

    async def ping(_: Request) -> Response:
        return PlainTextResponse("\n", 503 if readiness.reasons() else 200)

    async def version(_: Request) -> Response:
        return PlainTextResponse(product_version)

    return [Route("/ping", ping), Route("/health", ping), Route("/version", version)]
