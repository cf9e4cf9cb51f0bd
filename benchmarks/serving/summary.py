"""Medians over rounds: what the tables, the bars and the claims read."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.serving.result import Kind, Result
from benchmarks.serving.servers import SERVERS

__all__ = ["Summary"]

_PEERS = {server.name for server in SERVERS if server.family == "peer"}


@dataclass(frozen=True, slots=True)
class Summary:
    """All results of a campaign, asked by cell."""

    results: Sequence[Result]

    def cells(self, model: str, server: str, kind: Kind, level: float) -> list[Result]:
        """Return one cell's results, one a round."""
        return [
            result
            for result in self.results
            if (result.model, result.server, result.kind, result.level) == (model, server, kind, level)
        ]

    def median(self, model: str, server: str, kind: Kind, level: float, of: Callable[[Result], float]) -> float:
        """Return the median over rounds; NaN where nothing was measured."""
        found = [of(result) for result in self.cells(model, server, kind, level)]
        return statistics.median(found) if found else float("nan")

    def rate(self, model: str, server: str, kind: Kind = "closed", level: float = 64) -> float:
        """Return the median of good answers a second."""
        return self.median(model, server, kind, level, lambda result: result.goodput)

    def cpu_us(self, model: str, server: str, level: float = 64) -> float:
        """Return the median CPU time of one request in closed loop."""
        return self.median(model, server, "closed", level, lambda result: result.cpu_us)

    def fastest_peer(self, model: str, level: float = 64) -> tuple[str, float]:
        """Return the peer with the highest rate and that rate; no name and NaN without peers."""
        rates = {name: self.rate(model, name, level=level) for name in self.servers(model) if name in _PEERS}
        measured = {name: rate for name, rate in rates.items() if rate == rate}
        return max(measured.items(), key=lambda item: item[1], default=("", float("nan")))

    def models(self) -> list[str]:
        """Return the models in the order in which they were measured."""
        return list(dict.fromkeys(result.model for result in self.results))

    def servers(self, model: str) -> list[str]:
        """Return the servers of a model in catalogue order."""
        measured = {result.server for result in self.results if result.model == model}
        return [server.name for server in SERVERS if server.name in measured]
