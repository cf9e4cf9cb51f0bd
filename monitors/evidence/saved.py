"""What changes of a monitor, as plain values that a document takes: the same for the watch and for the library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from monitors.evidence.channel import Cause
from monitors.evidence.monitor import EvidenceMonitor
from monitors.evidence.repeats import RowMemory

__all__ = [
    "SavedMemory",
    "SavedMonitor",
    "at_least_0",
    "numbers_of",
    "restored_memory",
    "restored_state",
    "save_memory",
    "save_monitor",
]


@dataclass(frozen=True, slots=True)
class SavedMemory:
    """Which rows came when, of one source."""

    rows: int
    marks: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SavedMonitor:
    """Evidence and counts of one stream. Tables are written row by row; their shapes are those of the model."""

    model: str
    components: tuple[float, ...]
    summaries: tuple[int, ...]
    pending: tuple[int, ...]
    pending_rows: int
    rows: int
    rows_seen: int
    warned: tuple[Cause, ...]


def save_monitor(monitor: EvidenceMonitor) -> SavedMonitor:
    """Return what changes of a monitor but what it remembers of rows, which is their source's."""
    state = monitor.state()
    return SavedMonitor(
        model=state["model"],
        components=tuple(state["components"].ravel().tolist()),
        summaries=tuple(state["summaries"].tolist()),
        pending=tuple(state["pending"].ravel().tolist()),
        pending_rows=state["pending_rows"],
        rows=state["rows"],
        rows_seen=state["rows_seen"],
        warned=tuple(state["warned"]),
    )


def restored_state(monitor: EvidenceMonitor, saved: SavedMonitor) -> dict[str, Any]:
    """Return a state for ``monitor.restore``; what was not saved is as it is now.

    Raises
    ------
    ValueError, OverflowError
        It holds what no monitor of this model has.
    """
    state = monitor.state()
    return {
        **state,
        "model": saved.model,
        "components": numbers_of(saved.components, state["components"].shape, np.float64),
        "summaries": numbers_of(saved.summaries, state["summaries"].shape, np.int64),
        "pending": numbers_of(saved.pending, state["pending"].shape, np.int64),
        "pending_rows": at_least_0(saved.pending_rows),
        "rows": at_least_0(saved.rows),
        "rows_seen": at_least_0(saved.rows_seen),
        "warned": list(saved.warned),
    }


def save_memory(memory: RowMemory) -> SavedMemory:
    """Return what is remembered of rows."""
    state = memory.state()
    return SavedMemory(int(state["rows"]), tuple(state["marks"]), tuple(state["last"]))


def restored_memory(saved: SavedMemory) -> RowMemory:
    """Return the memory that was saved.

    Raises
    ------
    ValueError
        It is not whole.
    """
    memory = RowMemory()
    memory.restore({"rows": saved.rows, "marks": list(saved.marks), "last": list(saved.last)})
    return memory


def numbers_of(found: Sequence[float], shape: tuple[int, ...], dtype: type[np.number[Any]]) -> npt.NDArray[Any]:
    """Return a table of numbers of at least 0.

    Raises
    ------
    ValueError, OverflowError
        They are too many or too few, or one is negative, not finite or too large.
    """
    numbers = np.array(found, dtype=dtype).reshape(shape)
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ValueError("numbers that are negative or not finite")
    return numbers


def at_least_0(number: int) -> int:
    """Return a number of rows.

    Raises
    ------
    ValueError
        It is negative, or more than anybody counts.
    """
    if not 0 <= number < 2**62:
        raise ValueError(f"{number} rows")
    return number
