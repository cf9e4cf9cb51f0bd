"""What the server and its models are, whether they are ready, and what they have done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tritonclient.grpc import service_pb2

from gateway.errors import NotFound, Unavailable
from gateway.grpc.rpc import Method, Rpc
from gateway.http.probes import Readiness
from gateway.http.statistics import StatisticsReader
from gateway.http.v2 import find_servable, model_metadata
from gateway.pipeline import Pipeline

__all__ = ["Models"]


class Models:
    """The RPCs that only tell. On the event loop.

    Parameters
    ----------
    extensions
        Those of the protocol that this service offers.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        readiness: Readiness,
        statistics: StatisticsReader,
        *,
        product_version: str,
        extensions: Sequence[str],
    ) -> None:
        self._pipeline, self._readiness, self._statistics = pipeline, readiness, statistics
        self._product_version, self._extensions = product_version, tuple(extensions)

    def methods(self) -> dict[str, Method]:
        """Return the methods by the protocol's names."""
        return {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ServerMetadata": self._server,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model,
            "ModelStatistics": self._model_statistics,
        }

    async def _live(self, _request: Any, _rpc: Rpc) -> Any:
        return service_pb2.ServerLiveResponse(live=True)

    async def _ready(self, _request: Any, _rpc: Rpc) -> Any:
        return service_pb2.ServerReadyResponse(ready=not self._readiness.reasons())

    async def _server(self, _request: Any, _rpc: Rpc) -> Any:
        return service_pb2.ServerMetadataResponse(
            name="weir", version=self._product_version, extensions=self._extensions
        )

    async def _model_ready(self, request: Any, _rpc: Rpc) -> Any:
        """Answer false for what is not here too: the question is only whether a request would be answered."""
        try:
            find_servable(self._pipeline.table, request.name, request.version or None)
        except (NotFound, Unavailable):
            return service_pb2.ModelReadyResponse(ready=False)
        return service_pb2.ModelReadyResponse(ready=True)

    async def _model(self, request: Any, _rpc: Rpc) -> Any:
        found = find_servable(self._pipeline.table, request.name, request.version or None)
        return service_pb2.ModelMetadataResponse(**model_metadata(*found))

    async def _model_statistics(self, request: Any, _rpc: Rpc) -> Any:
        """Tell of all models where none is named."""
        names = [request.name] if request.name else sorted(self._pipeline.table.routes)
        documents = [one for name in names for one in await self._statistics.documents(name, request.version or None)]
        return service_pb2.ModelStatisticsResponse(model_stats=documents)
