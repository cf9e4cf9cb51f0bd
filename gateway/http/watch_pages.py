"""The watch's internal pages, read by the workers over a Unix socket: metrics, drift reports, alerts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from monitors.ports import MonitorView

__all__ = ["watch_pages"]

MetricsPage = Callable[[str], Awaitable[tuple[bytes, str]]]


def watch_pages(view: MonitorView, metrics_page: MetricsPage) -> Starlette:
    """Return the application.

    Parameters
    ----------
    view
        What the monitors know.
    metrics_page
        Gives body and content type of the metrics page for an ``Accept`` header.
    """

    async def metrics(request: Request) -> Response:
        body, content_type = await metrics_page(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def drift(request: Request) -> Response:
        model = request.path_params["model"]
        if not view.knows(model):
            return JSONResponse({"detail": f"the watch has not heard of a model {model}"}, status_code=404)
        return JSONResponse(view.report(model))

    async def alerts(request: Request) -> Response:
        return JSONResponse({"alerts": [asdict(alert) for alert in view.alerts()]})

    async def livez(request: Request) -> Response:
        return PlainTextResponse("ok")

    pages = {"/metrics": metrics, "/drift/{model}": drift, "/alerts": alerts, "/livez": livez}
    return Starlette(routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()])
