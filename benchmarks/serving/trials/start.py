"""How long from the start of a gateway with one small model until it answers?

Everything is read from the page cache and compiled by then: one start goes before those that count.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.serving.machine import cpu_times, foreign_share
from benchmarks.serving.models import rows, write_models
from benchmarks.serving.trials.gateway import gateway
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Start
from benchmarks.serving.wire import PLAIN

__all__ = ["start"]

_STARTS = 9


def start(plan: Plan) -> Start:
    """Start some gateways, one after the other."""
    file = write_models(plan.folder / "models", ["small"])["small"]
    folder, request = file.parents[2], PLAIN.request("/predict/small", rows(1))
    found = [_one(plan, folder, request) for _ in range(max(round(_STARTS * plan.scale), 2) + 1)][1:]
    return Start(
        part="start",
        round=plan.round,
        foreign=median(foreign for _, foreign in found),
        seconds=[seconds for seconds, _ in found],
    )


def _one(plan: Plan, folder: Path, request: bytes) -> tuple[float, float]:
    """Return the seconds of one start, and the share of a core that others took meanwhile."""
    before = cpu_times(-1)
    with gateway(folder, request, cores=(plan.core,)) as server:
        return server.start_s, foreign_share(before, cpu_times(server.root))
