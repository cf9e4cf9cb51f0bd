"""The watch's internal pages, asked by the workers over a Unix socket: metrics, drift, alerts, the overview, outcomes.

Their paths are those of the public API, so that a worker only passes a request on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.errors import ModelUnknown
from gateway.http.problems import problem_response
from gateway.rollout.outcomes import parse_outcomes
from monitors.ports import MonitorView
from monitors.records import Alert, TrueOutcome

__all__ = ["Pages", "watch_pages"]


@dataclass(frozen=True, slots=True)
class Pages:
    """Who makes the pages.

    Parameters
    ----------
    view
        What the monitors know.
    metrics
        Gives body and content type of the metrics page for an ``Accept`` header.
    rollout
        What the evidence says of a model's rollout.
    outcomes
        Takes what turned out to be right for requests of a model's rollout, and says what became of it.
    overview
        All models on one page, as JSON.
    traffic
        The rates of the last minutes.
    show_alert
        Gives an alert with what operators have said of it.
    """

    view: MonitorView
    metrics: Callable[[str], Awaitable[tuple[bytes, str]]]
    rollout: Callable[[str], dict[str, Any]]
    outcomes: Callable[[str, Sequence[TrueOutcome]], dict[str, Any]]
    overview: Callable[[], Awaitable[bytes]]
    traffic: Callable[[], dict[str, Any]]
    show_alert: Callable[[Alert], dict[str, Any]]


def watch_pages(pages: Pages) -> Starlette:
    """Return the application."""
    view = pages.view

    async def metrics(request: Request) -> Response:
        body, content_type = await pages.metrics(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def drift(request: Request) -> Response:
        model = request.path_params["model"]
        if not view.knows(model):
            return problem_response(ModelUnknown(model), instance=request.url.path)
        return JSONResponse(view.report(model))

    async def history(request: Request) -> Response:
        model = request.path_params["model"]
        if not view.knows(model):
            return problem_response(ModelUnknown(model), instance=request.url.path)
        return JSONResponse(view.history(model))

    async def alerts(request: Request) -> Response:
        return JSONResponse({"alerts": [pages.show_alert(alert) for alert in view.alerts()]})

    async def rollout(request: Request) -> Response:
        return JSONResponse(pages.rollout(request.path_params["model"]))

    async def outcomes(request: Request) -> Response:
        told = await asyncio.to_thread(parse_outcomes, await request.body())
        return JSONResponse(pages.outcomes(request.path_params["model"], told))

    async def overview(request: Request) -> Response:
        return Response(await pages.overview(), media_type="application/json")

    async def traffic(request: Request) -> Response:
        return JSONResponse(pages.traffic())

    async def livez(request: Request) -> Response:
        return PlainTextResponse("ok")

    routes = {
        "/metrics": metrics,
        "/admin/v1/models/{model}/drift": drift,
        "/admin/v1/models/{model}/drift/history": history,
        "/admin/v1/alerts": alerts,
        "/admin/v1/overview": overview,
        "/admin/v1/traffic": traffic,
        "/admin/v1/rollouts/{model}": rollout,
        "/livez": livez,
    }
    reads = [Route(path, page, methods=["GET"]) for path, page in routes.items()]
    return Starlette(routes=[*reads, Route("/admin/v1/rollouts/{model}/outcomes", outcomes, methods=["POST"])])
