"""Traces in front of an application: a server span for each request, named after its route."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from gateway.errors import shortened
from gateway.http.access_log import AccessLog
from gateway.http.cycle import WHOLE
from gateway.http.gateway_app import GatewayApp
from gateway.http.reading import ASGIReceive, ASGIScope, ASGISend
from gateway.http.targets import target_of

if TYPE_CHECKING:
    from gateway.tracing.request_trace import RequestTrace, Said
    from gateway.tracing.tracing import Tracing

__all__ = ["TracedApp"]

_ANSWERS = ("http.response.start", WHOLE)
_UNTRACED = ("/livez", "/readyz", "/startupz", "/ping", "/health", "/metrics", "/console", "/v2/health")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})


class TracedApp:
    """Trace every request but probes, the metrics page and the console's files.

    The query is left out, for it may hold what is nobody's business, and so are the client and its headers.
    """

    def __init__(self, app: GatewayApp | AccessLog, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Serve one connection's scope."""
        is_traceable = scope["type"] == "http" and not scope["path"].startswith(_UNTRACED)
        parent = self._tracing.parent(scope["headers"]) if is_traceable else None
        if parent is None:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        asked: dict[str, Said] = {
            "http.request.method": method,
            "url.path": shortened(scope["path"]),
            "url.scheme": scope.get("scheme", "http"),
            "network.protocol.version": scope.get("http_version", "1.1"),
        }
        status = 0
        with self._tracing.begun("HTTP" if method == "_OTHER" else method, parent, asked) as trace:

            async def noting(message: Any) -> None:
                nonlocal status
                if not status and message["type"] in _ANSWERS:
                    status, trace.replied_at = message["status"], perf_counter()
                await send(message)

            try:
                await self._app(scope, receive, noting)
            finally:
                _end(trace, scope, status)


def _end(trace: RequestTrace, scope: ASGIScope, status: int) -> None:
    """End a request's span; a status of 0 is a client that left before there was an answer."""
    if not trace.is_recording:
        return
    told: dict[str, Said] = {"weir.request_id": scope.get("weir.request_id", "")}
    method, name = scope["method"], None
    if route := _template(scope):
        told["http.route"] = route
        name = f"{method if method in _METHODS else 'HTTP'} {route}"
    if status:
        told["http.response.status_code"] = status
    else:
        told["error.type"] = "client_left"
    trace.end(told, name=name, failure=str(status) if status >= 500 else None)


def _template(scope: ASGIScope) -> str | None:
    """Return the route that answers a path, with its parameters in braces; ``None`` where none does."""
    if (target := target_of(scope["path"])) is not None:
        return target.template
    return getattr(scope.get("route"), "path", None)
