"""Seconds: rows of one stream, counted by the second in which they were answered, until the second is closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.evidence.channels import Channels
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.records import Observation

__all__ = ["AHEAD_S", "Second", "Seconds"]

AHEAD_S = 2
"""How far into the future an answer may be dated: clocks of one host differ by less."""

Ints = npt.NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Second:
    """Counts of one second, and the newest route revision among its rows."""

    counts_cb: Ints
    rows: int = 0
    revision: int = 0


class Seconds:
    """Open seconds of one stream.

    Parameters
    ----------
    channels
        What is counted.

    Notes
    -----
    Counts add up, and whether a row is late depends on its second alone: what a closed second holds does not depend on
    how its rows were split over workers and blocks. A model that counts repeated rows once is the exception: there it
    depends on the order in which rows arrive, seen by one memory for all workers. Memory: one table of counts for each
    second that has not been closed, at most the grace and ``AHEAD_S`` more.
    """

    def __init__(self, channels: Channels) -> None:
        self.late_rows = 0
        self.closed_s = 0
        self._channels = channels
        self.memory = RowMemory()
        self._open: dict[int, Second] = {}

    def take(self, seen: Observation, counted_n: npt.NDArray[np.bool_], now_s: float) -> None:
        """Count the rows of a block that are marked; those of a closed second are late, counted as such and dropped.

        Raises
        ------
        ValueError
            When the rows have other columns than the reference had.
        """
        seconds_n = np.floor(seen.answered_at_n).astype(np.int64)
        is_open_n = (seconds_n > self.closed_s) & (seconds_n <= int(now_s) + AHEAD_S)
        self.late_rows += int((counted_n & ~is_open_n).sum())
        used_n = counted_n & is_open_n
        for second in np.unique(seconds_n[used_n]).tolist():
            self._add(second, seen, used_n & (seconds_n == second))

    def pending(self, until_s: int) -> list[int]:
        """Return the open seconds up to one, oldest first."""
        return sorted(second for second in self._open if second <= until_s)

    def find(self, second: int) -> Second | None:
        """Return what was counted in a second, ``None`` for nothing."""
        return self._open.get(second)

    def close(self, second: int) -> Second | None:
        """Return a second's counts; it and all before take no rows any more."""
        found = self._open.pop(second, None)
        self.close_until(second)
        return found

    def close_until(self, second: int) -> None:
        """Take no rows of a second or of one before it any more."""
        self.closed_s = max(self.closed_s, second)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._open))

    def _add(self, second: int, seen: Observation, which_n: npt.NDArray[np.bool_]) -> None:
        every = bool(which_n.all())
        rows = Rows(
            seen.values_nd if every else seen.values_nd[which_n],
            seen.scores_nk if every else seen.scores_nk[which_n],
            seen.labels_n if every else seen.labels_n[which_n],
        )
        counts_cb = self._channels.counts(rows, self.memory)
        known = self._open.get(second)
        if known is None:
            known = self._open[second] = Second(np.zeros_like(counts_cb))
        known.counts_cb += counts_cb
        known.rows += len(rows)
        known.revision = max(known.revision, seen.route_revision)
