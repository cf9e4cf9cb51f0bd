"""The watch's internal pages, read by the workers over a Unix socket: metrics, drift reports, alerts.

Their paths are those of the public API, so that a worker only passes a request on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.errors import ModelUnknown
from gateway.http.problems import problem_response
from monitors.ports import MonitorView

__all__ = ["watch_pages"]

MetricsPage = Callable[[str], Awaitable[tuple[bytes, str]]]


RolloutView = Callable[[str], dict[str, Any]]


def watch_pages(view: MonitorView, metrics_page: MetricsPage, rollout_view: RolloutView) -> Starlette:
    """Return the application.

    Parameters
    ----------
    view
        What the monitors know.
    metrics_page
        Gives body and content type of the metrics page for an ``Accept`` header.
    rollout_view
        What the evidence says of a model's rollout.
    """

    async def metrics(request: Request) -> Response:
        body, content_type = await metrics_page(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def drift(request: Request) -> Response:
        model = request.path_params["model"]
        if not view.knows(model):
            return problem_response(ModelUnknown(model), instance=request.url.path)
        return JSONResponse(view.report(model))

    async def alerts(request: Request) -> Response:
        return JSONResponse({"alerts": [asdict(alert) for alert in view.alerts()]})

    async def rollout(request: Request) -> Response:
        return JSONResponse(rollout_view(request.path_params["model"]))

    async def livez(request: Request) -> Response:
        return PlainTextResponse("ok")

    pages = {
        "/metrics": metrics,
        "/admin/v1/models/{model}/drift": drift,
        "/admin/v1/alerts": alerts,
        "/admin/v1/rollouts/{model}": rollout,
        "/livez": livez,
    }
    return Starlette(routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()])
