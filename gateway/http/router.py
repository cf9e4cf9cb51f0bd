"""Everything but inference, by Starlette: probes, protocol metadata, metrics, the admin API, the API's description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from gateway.control import Control
from gateway.http.admin import ControlAccess, admin_routes
from gateway.http.auth import BearerToken
from gateway.http.openapi import describe
from gateway.http.probes import Readiness, probe_routes
from gateway.http.v2 import v2_routes
from gateway.http.watch_proxy import WatchProxy
from gateway.pipeline import Pipeline

__all__ = ["build_router"]

Caller = Callable[..., Awaitable[Any]]


def build_router(
    pipeline: Pipeline,
    readiness: Readiness,
    control: Control,
    call: Caller,
    watch: WatchProxy,
    *,
    token: str,
    product_version: str,
) -> Router:
    """Return the router of one worker.

    Parameters
    ----------
    call
        Runs a blocking function of ``control`` off the loop.
    token
        The admin token.
    """

    async def metrics(request: Request) -> Response:
        status, headers, body = await watch.get("/metrics", accept=request.headers.get("accept", ""))
        return Response(body, status, headers={"content-type": headers.get("content-type", "text/plain")})

    async def openapi(_: Request) -> Response:
        return JSONResponse(describe(pipeline.table, product_version))

    return Router(
        [
            *probe_routes(readiness),
            *v2_routes(pipeline, readiness, product_version),
            *admin_routes(ControlAccess(control, call), watch, BearerToken(token)),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
        ]
    )
