"""The Open Inference Protocol's statistics extension: exact counts of a model's versions, over all workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.errors import VersionUnknown
from gateway.http.shared_read import SharedRead
from gateway.metrics.statistics import VersionStatistics, version_statistics
from gateway.metrics.totals import Series
from gateway.pipeline import Pipeline

__all__ = ["statistics_routes"]

ReadSeries = Callable[[], Awaitable[Sequence[Series]]]


def statistics_routes(pipeline: Pipeline, read_series: ReadSeries) -> list[Route]:
    """Return the routes of the statistics.

    Parameters
    ----------
    read_series
        Reads the counters of every worker, off the loop.
    """

    shared = SharedRead(read_series)

    async def statistics(request: Request) -> Response:
        route = pipeline.table.find(request.path_params["model"])
        version = request.path_params.get("version")
        if version is not None and version not in route.pinned:
            raise VersionUnknown(route.model, version)
        found = version_statistics(await shared(), route.model)
        wanted = sorted({*found, *route.pinned}) if version is None else [version]
        documents = [found.get(name, VersionStatistics()).document(route.model, name) for name in wanted]
        return JSONResponse({"model_stats": documents})

    return [
        Route("/v2/models/{model}/stats", statistics),
        Route("/v2/models/{model}/versions/{version}/stats", statistics),
    ]
