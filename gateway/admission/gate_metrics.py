"""What the gate is doing, for the metrics page."""

from __future__ import annotations

from gateway.admission.gate import Gate
from gateway.metrics.shared import SharedCounters

__all__ = ["GateMetrics"]


class GateMetrics:
    """Shows a worker's gate; ``publish`` after each of its windows, on the loop."""

    def __init__(self, gate: Gate, counters: SharedCounters) -> None:
        self._gate = gate
        self._in_flight = counters.gauge("weir_inflight_requests")
        self._limit = counters.gauge("weir_concurrency_limit")
        self._shedding = counters.gauge("weir_shedding_workers")
        self._lag = counters.histogram("weir_event_loop_lag_seconds")

    def publish(self) -> None:
        """Set the gauges, and count the window's lag."""
        gate = self._gate
        self._in_flight.set(gate.in_flight)
        self._limit.set(gate.limits[0])
        self._shedding.set(gate.is_shedding)
        self._lag.observe(gate.lag_s)
