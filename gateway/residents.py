"""What the versions that a process holds cost it, as gauges: memory, and the execution provider that each runs on."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.engine.version import ServableVersion
from gateway.metrics.shared import Gauge, SharedCounters

__all__ = ["Residents"]

Name = tuple[str, str]


class Residents:
    """Shows the loaded versions in the process's gauges. For one thread."""

    def __init__(self, counters: SharedCounters) -> None:
        self._counters = counters
        self._shown: dict[Name, list[Gauge]] = {}

    def show(self, loaded: Mapping[Name, ServableVersion]) -> None:
        """Set the gauges of every loaded version, and those of versions that have gone to zero."""
        for name in self._shown.keys() - loaded.keys():
            for gauge in self._shown.pop(name):
                gauge.set(0.0)
        for name, servable in loaded.items():
            memory, provider = self._gauges(name, servable)
            memory.set(servable.memory_bytes)
            provider.set(1.0)
            self._shown[name] = [memory, provider]

    def _gauges(self, name: Name, servable: ServableVersion) -> tuple[Gauge, Gauge]:
        labels = {"model": name[0], "version": name[1]}
        return (
            self._counters.gauge("weir_model_memory_bytes", **labels),
            self._counters.gauge("weir_model_sessions", **labels, provider=servable.provider),
        )
