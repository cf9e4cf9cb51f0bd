"""Totals that a process keeps in memory, carried into its shared counters so that they outlive it."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.metrics.cells import Labels
from gateway.metrics.shared import SharedCounters

__all__ = ["LastingTotals"]

Total = tuple[str, dict[str, str], float]


class LastingTotals:
    """Add what totals have grown by to shared counters. One thread only, as the counters."""

    def __init__(self, counters: SharedCounters) -> None:
        self._counters = counters
        self._seen: dict[tuple[str, Labels], int] = {}

    def take(self, totals: Iterable[Total]) -> None:
        """Count the growth of each (name, labels, value) since the last call; a total that shrank began anew."""
        for name, labels, value in totals:
            key = (name, tuple(sorted(labels.items())))
            total, seen = int(value), self._seen.get(key, 0)
            self._counters.counter(name, **labels).inc(total - seen if total >= seen else total)
            self._seen[key] = total
