"""Requests under way and answered, by route and status; one instance serves every way into a worker."""

from __future__ import annotations

from gateway.metrics.shared import Counter, Gauge, SharedCounters

__all__ = ["RequestCounts"]

_ROUTES = (
    "/predict", "/v2", "/v1", "/invocations", "/admin/v1", "/metrics", "/livez", "/readyz", "/startupz", "/ping",
    "/health", "/version", "/openapi.json",
)  # fmt: skip


class RequestCounts:
    """Counts HTTP requests. A path that no route answers counts as ``other``, so a client cannot make series."""

    def __init__(self, counters: SharedCounters) -> None:
        self._counters = counters
        self._inflight: Gauge = counters.gauge("weir_inflight_requests")
        self._answered: dict[tuple[str, int], Counter] = {}

    def begin(self) -> None:
        """Count a request that came in."""
        self._inflight.inc()

    @staticmethod
    def route_of(path: str) -> str:
        """Return the route that a path counts under."""
        return next((prefix for prefix in _ROUTES if path.startswith(prefix)), "other")

    def end(self, route: str, status: int) -> None:
        """Count its answer; status 0 for a client that left before there was one."""
        self._inflight.dec()
        counter = self._answered.get((route, status))
        if counter is None:
            counter = self._counters.counter("weir_http_requests_total", route=route, status=str(status))
            self._answered[(route, status)] = counter
        counter.inc()
