"""The times of rows: what a table has in their place, and what is said where they run backwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.commands.replay.block import Block
from gateway.commands.table import TableInvalid, moment_s
from gateway.prediction_log.lines import utc_text
from monitors.evidence.ticks import MOST_LATE_S

__all__ = ["RowTimes", "TimeOrder"]

FIRST_S, LAST_S = -62_135_596_800.0, 253_402_300_799.0
"""The years 1 to 9999, which are all that can be told."""
UNITS = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
LIKELY_S = (631_152_000.0, 4_102_444_800.0)
"""The years 1990 to 2099, by which the unit of a number is guessed in an error."""
FIRST_DAY, LAST_DAY = 19_000_101, 21_001_231
MOST_QUOTED = 120
NEEDED = "expected a time such as 2026-01-31T12:00:00Z, or Unix seconds"

Floats = npt.NDArray[np.float64]


class RowTimes:
    """Reads a table's column of times, block by block: Unix seconds as numbers or text, or ISO 8601."""

    def __init__(self) -> None:
        self._is_first = True

    def of(self, found: Sequence[Any], where: Callable[[int], str]) -> Floats:
        """Return times as Unix seconds.

        Parameters
        ----------
        found
            Numbers and texts; ``None`` for nothing.
        where
            File, line and column of one of them.

        Raises
        ------
        TableInvalid
            One is no time, or the first ones may be seconds as well as days.
        """
        times_n = _plain(found)
        if times_n is None:
            times_n = np.array([_time_s(each, where(i)) for i, each in enumerate(found)])
        elif self._is_first and _are_days(times_n):
            day = f"{times_n[0]:.0f}"
            meant = f"{day[:4]}-{day[4:6]}-{day[6:]}"
            raise TableInvalid(f"{where(0)}: {day} may be a day or Unix seconds: write the day as {meant}")
        self._is_first = False
        return times_n


class TimeOrder:
    """Follows the times of a replay's rows.

    Attributes
    ----------
    begin_s, end_s
        The earliest and the latest, Unix seconds; ``None`` without any.
    late
        Rows that were older than one before them. A summary cannot end with them: they count as of that one's time.
    """

    def __init__(self) -> None:
        self.begin_s: float | None = None
        self.end_s: float | None = None
        self.late = 0

    def follow(self, blocks: Iterable[Block], tick_s: float | None) -> Iterator[Block]:
        """Give blocks as they are, once their times are known to be in order.

        Parameters
        ----------
        tick_s
            Length of a tick; without one, order does not matter.

        Raises
        ------
        TableInvalid
            A row is more than two hours, or a tick where that is longer, older than one before it; names it.
        """
        for block in blocks:
            if block.times_n is not None:
                self._take(block, block.times_n, tick_s)
            yield block

    def _take(self, block: Block, times_n: Floats, tick_s: float | None) -> None:
        newest_s = -math.inf if self.end_s is None else self.end_s
        newest_n = np.maximum.accumulate(np.append(newest_s, times_n))[:-1]
        if tick_s is not None:
            far = np.flatnonzero(newest_n - times_n > max(MOST_LATE_S, tick_s))
            if len(far):
                i = int(far[0])
                raise TableInvalid(
                    f"{block.place(i)}: {utc_text(float(times_n[i]))} is long before {utc_text(float(newest_n[i]))}, "
                    "the time of a row before it: sort the file by time, or mend the time that is wrong"
                )
            self.late += int((times_n < newest_n).sum())
        first_s = float(times_n.min())
        self.begin_s = first_s if self.begin_s is None else min(self.begin_s, first_s)
        self.end_s = max(newest_s, float(times_n.max()))


def _plain(found: Sequence[Any]) -> Floats | None:
    """Return times of which all are numbers that are times."""
    try:
        times_n = np.array([float(each) for each in found])
    except (TypeError, ValueError, OverflowError):
        return None
    return times_n if bool(((times_n >= FIRST_S) & (times_n <= LAST_S)).all()) else None


def _time_s(found: Any, where: str) -> float:
    try:
        seconds = float(found)
    except (TypeError, ValueError, OverflowError):
        return moment_s(found, where, NEEDED) if isinstance(found, str) else _refuse(found, where)
    return seconds if FIRST_S <= seconds <= LAST_S else _refuse(found, where, _likely_unit(seconds))


def _refuse(found: Any, where: str, unit: str = "") -> float:
    hint = f"; these may be {unit}: divide them by {UNITS[unit]:,.0f}" if unit else ""
    raise TableInvalid(f"{where}: {NEEDED}, found {'nothing' if found is None else str(found)[:MOST_QUOTED]}{hint}")


def _likely_unit(number: float) -> str:
    """Return the unit in which a number is a time of our days, if it is one in any.

    >>> _likely_unit(1.76e12), _likely_unit(1.76e18), _likely_unit(float("nan"))
    ('milliseconds', 'nanoseconds', '')
    """
    return next((unit for unit, many in UNITS.items() if LIKELY_S[0] <= number / many <= LIKELY_S[1]), "")


def _are_days(times_n: Floats) -> bool:
    """Return whether numbers are written as days are without hyphens: seconds are not, for a whole block.

    >>> _are_days(np.array([20260130.0, 20260131.0])), _are_days(np.array([20260131.0, 20260132.0]))
    (True, False)
    """
    month_n, day_n = times_n // 100 % 100, times_n % 100
    is_day_n = (month_n >= 1) & (month_n <= 12) & (day_n >= 1) & (day_n <= 31) & (times_n % 1 == 0)
    return bool((is_day_n & (times_n >= FIRST_DAY) & (times_n <= LAST_DAY)).all())
