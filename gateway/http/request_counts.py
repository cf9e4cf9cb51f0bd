"""Requests answered, by route and status; one instance serves every way into a worker."""

from __future__ import annotations

from gateway.metrics.shared import Counter, SharedCounters

__all__ = ["RequestCounts"]

_ROUTES = (
    "/predict", "/v2", "/v1", "/invocations", "/admin/v1", "/metrics", "/livez", "/readyz", "/startupz", "/ping",
    "/health", "/version", "/openapi.json", "/console",
)  # fmt: skip


class RequestCounts:
    """Counts answered HTTP requests. A path that no route answers is ``other``, so a client cannot make series."""

    def __init__(self, counters: SharedCounters) -> None:
        self._counters = counters
        self._answered: dict[tuple[str, int], Counter] = {}

    @staticmethod
    def route_of(path: str) -> str:
        """Return the route that a path counts under."""
        return next((prefix for prefix in _ROUTES if path.startswith(prefix)), "other")

    def answered(self, route: str, status: int) -> Counter:
        """Return the counter of a route's answers with a status; 0 is for a client that left before there was one."""
        counter = self._answered.get((route, status))
        if counter is None:
            counter = self._counters.counter("weir_http_requests_total", route=route, status=str(status))
            self._answered[(route, status)] = counter
        return counter
