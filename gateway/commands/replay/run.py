"""The replay itself: blocks of rows through a monitor, remembered as incidents and as a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.commands.replay.block import Block
from gateway.commands.replay.incidents import IncidentList
from gateway.commands.replay.picture import EvidenceTrace
from gateway.commands.replay.plan import Plan
from monitors.drift_monitor import DriftMonitor
from monitors.evidence.model import EvidenceModel

__all__ = ["Replayed", "replay"]


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What a replay found.

    Parameters
    ----------
    monitor
        Has seen all rows.
    incidents
        What it said.
    trace
        Its evidence, for the picture; ``None`` where nobody wants one.
    begin_s, end_s
        Times of the first and last row, Unix seconds, where the source has times.
    """

    monitor: DriftMonitor
    incidents: IncidentList
    trace: EvidenceTrace | None
    begin_s: float | None
    end_s: float | None


def replay(
    blocks: Iterable[Block],
    model: EvidenceModel,
    plan: Plan,
    *,
    draws: bool,
    importance: Mapping[str, float] | None = None,
) -> Replayed:
    """Run blocks of rows through the evidence; drivers come by importance. Memory does not grow with their number."""
    trace = EvidenceTrace(model.causes) if draws else None
    told = trace.add if trace else None
    monitor = DriftMonitor(model, budget=plan.budget, ticks=plan.ticks, importance=importance, trace=told)
    incidents = IncidentList()
    begin_s = end_s = None
    for block in blocks:
        incidents.take(monitor.update(block.rows, times_s=block.times_n), _summary_rows(monitor))
        if block.times_n is not None:
            begin_s = float(block.times_n[0]) if begin_s is None else begin_s
            end_s = float(block.times_n[-1])
    incidents.take(monitor.finish(), _summary_rows(monitor))
    return Replayed(monitor, incidents, trace, begin_s, end_s)


def _summary_rows(monitor: DriftMonitor) -> float:
    return monitor.rows_seen / max(1, monitor.summaries)
