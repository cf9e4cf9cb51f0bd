"""Traces around RPCs: a server span for each, named after its method; a stream's messages have spans of their own."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import grpc

from gateway.errors import WeirError
from gateway.grpc.rpc import Method, Rpc, RunsMethods, headers_of
from gateway.grpc.statuses import status_of

if TYPE_CHECKING:
    from gateway.tracing.tracing import Tracing

__all__ = ["TracedGuard"]

_SERVICE = "inference.GRPCInferenceService"
_UNTRACED = frozenset({"ServerLive", "ServerReady", "ModelReady"})
_OURS = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN}
)
"""Of the statuses here those that are a server's failure, by the conventions of OpenTelemetry."""


class TracedGuard:
    """Runs methods as the guard does, and traces all but probes."""

    def __init__(self, guard: RunsMethods, tracing: Tracing) -> None:
        self._guard, self._tracing = guard, tracing

    async def run(self, name: str, method: Method, request: Any, context: Any) -> Any:
        """Return what a method answers, or end the RPC with the status that tells why there is no answer."""
        parent = None if name in _UNTRACED else self._tracing.parent(headers_of(context))
        if parent is None:
            return await self._guard.run(name, method, request, context)
        full = f"{_SERVICE}/{name}"
        told, code = {"rpc.system.name": "grpc", "rpc.method": full}, grpc.StatusCode.CANCELLED
        is_stream = name == "ModelStreamInfer"
        with self._tracing.begun(full, parent, told, is_stream=is_stream) as trace:

            async def noting(asked: Any, rpc: Rpc) -> Any:
                nonlocal code
                told["weir.request_id"] = rpc.request_id
                try:
                    answer = await method(asked, rpc)
                except WeirError as error:
                    code = status_of(error)
                    raise
                except Exception:
                    code = grpc.StatusCode.INTERNAL
                    raise
                code, trace.replied_at = grpc.StatusCode.OK, perf_counter()
                return answer

            try:
                return await self._guard.run(name, noting, request, context)
            finally:
                told["rpc.response.status_code"] = code.name
                trace.end(told, failure=code.name if code in _OURS else None)
