"""Everything but inference, by Starlette: probes, metadata, metrics, admin API, console, the API's description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from gateway.control import Control
from gateway.http.admin import admin_routes
from gateway.http.admin_access import ControlAccess
from gateway.http.admin_live import LiveApi
from gateway.http.admin_session import SessionApi
from gateway.http.console import console_routes
from gateway.http.credentials import Credentials
from gateway.http.openapi import describe
from gateway.http.probes import Readiness, probe_routes
from gateway.http.repository import repository_routes
from gateway.http.scoring_server import scoring_server_routes
from gateway.http.statistics import statistics_routes
from gateway.http.v1 import v1_routes
from gateway.http.v2 import v2_routes
from gateway.http.watch_proxy import WatchProxy
from gateway.metrics.totals import read_counters
from gateway.pipeline import Pipeline

__all__ = ["build_router"]

Side = Literal["both", "public", "admin"]
Caller = Callable[..., Awaitable[Any]]


def build_router(
    pipeline: Pipeline,
    readiness: Readiness,
    control: Control,
    call: Caller,
    watch: WatchProxy,
    *,
    credentials: Credentials,
    counters: Path,
    product_version: str,
    side: Side = "both",
) -> Router:
    """Return the router of one worker, or of one of its two ports.

    Parameters
    ----------
    call
        Runs a blocking function of ``control`` off the loop.
    credentials
        Who may use the admin API.
    counters
        Directory of the shared counters.
    side
        ``public`` is what clients need, ``admin`` what operators need; probes are on either.
    """

    async def metrics(request: Request) -> Response:
        status, headers, body = await watch.get("/metrics", accept=request.headers.get("accept", ""))
        return Response(body, status, headers={"content-type": headers.get("content-type", "text/plain")})

    async def openapi(_: Request) -> Response:
        return JSONResponse(describe(pipeline.table, product_version))

    access = ControlAccess(control, call)
    live = LiveApi(watch, credentials, is_draining=lambda: readiness.draining)
    public = [
        *v1_routes(pipeline),
        *v2_routes(pipeline, readiness, product_version),
        *scoring_server_routes(readiness, product_version),
        *statistics_routes(pipeline, lambda: call(read_counters, counters)),
    ]
    admin = [
        *repository_routes(access, credentials.bearer),
        *admin_routes(access, watch, credentials, *SessionApi(credentials).table(), *live.table()),
        *console_routes(),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
    ]
    routes = {"both": [*public, *admin], "public": public, "admin": admin}[side]
    return Router([*probe_routes(readiness), *routes], redirect_slashes=False)
