"""Ticks: where the summaries of a stream end, by rows or by seconds, whatever batches the rows come in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.evidence.budget import is_positive
from monitors.evidence.channels import Channels
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows

__all__ = ["MOST_LATE_S", "TickCutter", "Ticks", "counts_between"]

MOST_LATE_S = 7_200.0
"""Workers log a few seconds apart, and local time repeats an hour when summer ends."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """How a stream is cut into summaries.

    Parameters
    ----------
    rows
        Rows of a summary; where ``seconds`` are given, the least number of them.
    seconds
        Length of a tick: a summary ends with the tick in which it has enough rows. ``None``: time does not matter.
    """

    rows: int = 10
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not is_positive(self.rows) or self.rows % 1:
            raise ValueError(f"a summary has at least one row, a whole number, not {self.rows!r}")
        if self.seconds is not None and not is_positive(self.seconds):
            raise ValueError(f"a tick lasts a positive time, not {self.seconds!r} s")


class TickCutter:
    """Says after which rows of each batch a summary ends. State: a count of rows and a time.

    Time does not run backwards: a row that is older than one before it counts as of that one's time, and rows that
    are more than two hours older (or a tick, where that is longer) are refused. They would never end a summary.

    Examples
    --------
    >>> cutter = TickCutter(Ticks(rows=4))
    >>> cutter.ends(6), cutter.ends(6)
    ([4], [2, 6])
    >>> cutter = TickCutter(Ticks(rows=2, seconds=1.0))
    >>> cutter.ends(5, np.array([0.1, 0.2, 1.1, 2.5, 2.6])), cutter.ends(1, np.array([3.0]))
    ([2], [0])
    """

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.pending_rows = 0
        self.newest_s = -math.inf

    def ends(self, n: int, times_n: npt.NDArray[np.float64] | None = None) -> list[int]:
        """Return the numbers of rows of this batch after which a summary ends, rising.

        Parameters
        ----------
        n
            Rows of the batch.
        times_n : (n,) float64
            Time of each row, seconds since any moment; needed where ticks have a length.

        Raises
        ------
        ValueError
            Times are needed and missing, not finite, not one a row, or run far back; then nothing is taken.
        """
        if self.ticks.seconds is None:
            found = list(range(self.ticks.rows - self.pending_rows, n + 1, self.ticks.rows))
        else:
            found = self._ends_in_time(n, times_n, self.ticks.seconds)
        self.pending_rows = self.pending_rows + n if not found else n - found[-1]
        return found

    def finish(self) -> bool:
        """Whether the rows that are left make a summary; begin a new one."""
        is_whole = self.pending_rows >= self.ticks.rows
        self.pending_rows = 0
        return is_whole

    def _ends_in_time(self, n: int, times_n: npt.NDArray[np.float64] | None, seconds: float) -> list[int]:
        times_m = self._rising(n, times_n, seconds)
        self.newest_s = float(times_m[-1])
        ticks_m = np.floor(times_m / seconds)
        found, begin = [], -self.pending_rows
        for end in np.flatnonzero(np.diff(ticks_m) > 0).tolist():
            if end - begin >= self.ticks.rows:
                found.append(end)
                begin = end
        return found

    def check(self, n: int, times_n: npt.NDArray[np.float64] | None) -> None:
        """Refuse what ``ends`` would, of a batch that is to be taken in parts."""
        if self.ticks.seconds is not None:
            self._rising(n, times_n, self.ticks.seconds)

    def _rising(self, n: int, times_n: npt.NDArray[np.float64] | None, seconds: float) -> npt.NDArray[np.float64]:
        """Return the newest time until each row, with that before the first: (n + 1,)."""
        if times_n is None or times_n.shape != (n,) or not np.isfinite(times_n).all():
            raise ValueError(f"ticks of {seconds:g} s need a finite time for each of the {n} rows")
        times_m = np.maximum.accumulate(np.concatenate([[self.newest_s], times_n]))
        late = np.flatnonzero(times_m[1:] - times_n > max(MOST_LATE_S, seconds))
        if len(late):
            row = int(late[0])
            raise ValueError(
                f"row {row} of {n} is of {times_n[row]:.15g} s, after one of {times_m[row]:.15g} s: give rows in the "
                "order in which they came, and begin a new monitor where a time was wrong"
            )
        return np.asarray(times_m)


def counts_between(channels: Channels, rows: Rows, ends: Sequence[int], memory: RowMemory) -> npt.NDArray[np.int64]:
    """Return the counts of the rows up to each end, and of those after the last: (ends + 1, c, width) int64.

    ``memory`` knows the rows before them, of the same source.
    """
    groups = len(ends) + 1
    group_n = np.repeat(np.arange(groups), np.diff([0, *ends, len(rows)]))
    return channels.group_counts(rows, group_n, groups, memory)
