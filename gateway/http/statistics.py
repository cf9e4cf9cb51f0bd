"""The Open Inference Protocol's statistics extension: exact counts of a model's versions, over all workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.errors import VersionUnknown
from gateway.http.shared_read import SharedRead
from gateway.metrics.statistics import VersionStatistics, version_statistics
from gateway.metrics.totals import Series
from gateway.pipeline import Pipeline

__all__ = ["StatisticsReader", "statistics_routes"]

ReadSeries = Callable[[], Awaitable[Sequence[Series]]]


class StatisticsReader:
    """Reads what the counters say of a model's versions; those who ask meanwhile share a read.

    Parameters
    ----------
    read_series
        Reads the counters of every worker, off the loop.
    """

    def __init__(self, pipeline: Pipeline, read_series: ReadSeries) -> None:
        self._pipeline, self._read = pipeline, SharedRead(read_series)

    async def documents(self, model: str, version: str | None) -> list[dict[str, Any]]:
        """Return the protocol's document of each version, of one where it is named.

        Raises
        ------
        gateway.errors.ModelUnknown, gateway.errors.VersionUnknown
        """
        route = self._pipeline.table.find(model)
        if version is not None and version not in route.pinned:
            raise VersionUnknown(route.model, version)
        found = version_statistics(await self._read(), route.model)
        wanted = sorted({*found, *route.pinned}) if version is None else [version]
        return [found.get(name, VersionStatistics()).document(route.model, name) for name in wanted]


def statistics_routes(pipeline: Pipeline, read_series: ReadSeries) -> list[Route]:
    """Return the routes of the statistics."""
    reader = StatisticsReader(pipeline, read_series)

    async def statistics(request: Request) -> Response:
        names = request.path_params
        return JSONResponse({"model_stats": await reader.documents(names["model"], names.get("version"))})

    return [
        Route("/v2/models/{model}/stats", statistics),
        Route("/v2/models/{model}/versions/{version}/stats", statistics),
    ]
