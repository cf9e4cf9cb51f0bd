"""RPCs under way, and those that have ended by method and status."""

from __future__ import annotations

from time import monotonic

from gateway.metrics.shared import Counter, SharedCounters

__all__ = ["RpcCounts"]


class RpcCounts:
    """Counts RPCs. Methods are the service's, statuses those of gRPC, so a client cannot make series."""

    def __init__(self, counters: SharedCounters) -> None:
        self._counters = counters
        self._ended: dict[tuple[str, str], Counter] = {}
        self._under_way = 0
        self._began_at = 0.0

    def begin(self) -> None:
        """Count an RPC that came in."""
        self._under_way += 1
        self._began_at = monotonic()

    def end(self, method: str, code: str) -> None:
        """Count its end; ``CANCELLED`` for a client that left before there was an answer."""
        self._under_way -= 1
        counter = self._ended.get((method, code))
        if counter is None:
            counter = self._counters.counter("weir_grpc_requests_total", method=method, code=code)
            self._ended[(method, code)] = counter
        counter.inc()

    def is_quiet(self, for_s: float) -> bool:
        """Return whether no RPC is under way, and none has come for so long."""
        return not self._under_way and monotonic() - self._began_at >= for_s
