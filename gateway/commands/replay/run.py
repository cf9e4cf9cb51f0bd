"""The replay itself: blocks of rows through a monitor, remembered as incidents and as a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.commands.replay.block import Block
from gateway.commands.replay.incidents import IncidentList
from gateway.commands.replay.picture import EvidenceTrace
from gateway.commands.replay.plan import Plan
from gateway.commands.replay.row_times import TimeOrder
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
    order
        Of their times.
    incidents
        What it said.
    trace
        Its evidence, for the picture; ``None`` where nobody wants one.
    """

    monitor: DriftMonitor
    order: TimeOrder
    incidents: IncidentList
    trace: EvidenceTrace | None


def replay(
    blocks: Iterable[Block],
    model: EvidenceModel,
    plan: Plan,
    *,
    draws: bool,
    importance: Mapping[str, float] | None = None,
) -> Replayed:
    """Run blocks of rows through the evidence; drivers come by importance. Memory does not grow with their number.

    Raises
    ------
    gateway.commands.table.TableInvalid
        Times run far back.
    """
    trace = EvidenceTrace(model.causes) if draws else None
    told = trace.add if trace else None
    monitor = DriftMonitor(model, budget=plan.budget, ticks=plan.ticks, importance=importance, trace=told)
    incidents, order = IncidentList(), TimeOrder()
    for block in order.follow(blocks, plan.ticks.seconds):
        incidents.take(monitor.update(block.rows, times_s=block.times_n), _summary_rows(monitor))
    incidents.take(monitor.finish(), _summary_rows(monitor))
    return Replayed(monitor, order, incidents, trace)


def _summary_rows(monitor: DriftMonitor) -> float:
    return monitor.rows_seen / max(1, monitor.summaries)
