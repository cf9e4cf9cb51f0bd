"""How long runs of a version take: the rate curve, and measuring it at load."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf, log2, pow
from time import perf_counter
from typing import Any

import numpy.typing as npt

from gateway.engine.session import RunFailed

__all__ = ["MOST_ROWS_ON_LOOP", "USUAL_MOST_ROWS", "RateCurve", "RunCost", "measure", "worth"]

Feeds = dict[str, npt.NDArray[Any]]
_DOUBLING_EARNS = 0.03
_FALLEN = 0.7
_LEAST_S = 1e-9
_BRIEF_S = 0.03
_ENOUGH_S = 0.03
_GAINLESS_S = 0.2
_LONGEST_S = 1.5
_ROUNDS = 12
_LARGEST_FEED_BYTES = 1 << 28
USUAL_MOST_ROWS, MOST_ROWS_ON_LOOP = 128, 1024
"""Rows of a batch at most where nobody says how many, and where a run of more than the usual still fits the loop."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """Seconds of a run of n rows as a straight line, ``run_s + n * row_s``."""

    run_s: float
    row_s: float

    def rows_within(self, seconds: float, most: int) -> int:
        """Return how many rows fit a run of at most ``seconds``; at most ``most``, 0 when not even one does.

        >>> RunCost(run_s=1e-5, row_s=1e-6).rows_within(5e-4, 128)
        128
        >>> RunCost(run_s=2e-3, row_s=1e-4).rows_within(5e-4, 128)
        0
        """
        if self.run_s + self.row_s > seconds:
            return 0
        return min(most, int((seconds - self.run_s) / max(self.row_s, 1e-9)))


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Seconds of a run by its rows, as measured; made by ``of``, so that ``points`` rise in both.

    Parameters
    ----------
    points
        Rows and seconds of runs, the first of one row.
    failed_rows
        Rows of the run that failed and ended the measuring, if one did.

    >>> curve = RateCurve.of([(1, 2.0e-3), (8, 2.8e-3), (64, 16e-3)])
    >>> curve.best_rows, round(curve.seconds(36) * 1e3, 3)
    (64, 9.4)
    """

    points: tuple[tuple[int, float], ...]
    failed_rows: int | None = None

    @classmethod
    def of(cls, measured: Iterable[tuple[int, float]], *, failed_rows: int | None = None) -> RateCurve:
        """Return the curve through measured runs, of which one has one row.

        More rows never take less time: where they seem to, the run of fewer rows was disturbed, and is corrected.
        """
        least, points = inf, []
        for rows, seconds in sorted(measured, reverse=True):
            least = min(least, max(seconds, _LEAST_S))
            points.append((rows, least))
        if not points or points[-1][0] != 1:
            raise ValueError("a rate curve begins at one row")
        return cls(tuple(reversed(points)), failed_rows)

    @property
    def most_rows(self) -> int:
        """Rows of the largest run that was measured."""
        return self.points[-1][0]

    @property
    def best_rows(self) -> int:
        """Rows of the run with the most rows a second, where every doubling must earn at least 3 %."""
        return max(self.points, key=lambda point: worth(*point))[0]

    @property
    def cost(self) -> RunCost:
        """The straight line through one row and the best batch; flat where one row is the best batch."""
        one_s, best = self.points[0][1], self.best_rows
        if best == 1:
            return RunCost(0.0, one_s)
        row_s = (self.seconds(best) - one_s) / (best - 1)
        return RunCost(max(one_s - row_s, 0.0), row_s)

    def seconds(self, rows: int) -> float:
        """Return the seconds of a run: on the line between the nearest measured ones, beyond the last as before it."""
        points = self.points
        if len(points) == 1:
            return points[0][1] * max(rows, 1)
        i = min(max(bisect_right(points, rows, key=lambda point: point[0]), 1), len(points) - 1)
        (low, low_s), (high, high_s) = points[i - 1], points[i]
        return low_s + (max(rows, 1) - low) * (high_s - low_s) / (high - low)


def worth(rows: int, seconds: float) -> float:
    """Return what a batch of this size is worth: its rows a second, less 3 % for each doubling of one row.

    All rows of a batch wait for its last one, so a batch that gains nothing is not worth making.
    """
    return rows / seconds * pow(1 - _DOUBLING_EARNS, log2(rows))


def measure(
    run: Callable[[Feeds, int], object],
    feeds_of: Callable[[int], Feeds],
    most: int,
    *,
    large_s: float = inf,
    clock: Callable[[], float] = perf_counter,
) -> RateCurve:
    """Measure runs of 1, 2, 4 ... ``most`` rows, each size several times in turn; the least of each counts.

    The least, because whatever disturbs a run only makes it longer; in turn, because a disturbance lasts longer than
    a run. Growing ends where rows a second have fallen well below the best, and where larger batches gain nothing or
    would take too long. So a model of microseconds takes some 30 ms, one of milliseconds a run or two of each size, and
    measuring is not begun after 1.5 s.

    Parameters
    ----------
    run
        Runs so many rows; raises ``RunFailed``.
    feeds_of
        Makes the inputs of so many rows.
    large_s
        Longest run of more than ``USUAL_MOST_ROWS`` that is tried.

    Raises
    ------
    RunFailed
        One row fails, or the run was terminated.
    """
    bench = _Bench(run, feeds_of, clock)
    bench.grow(most, large_s)
    bench.repeat()
    return RateCurve.of(bench.least.items(), failed_rows=bench.failed_rows)


class _Bench:
    """One measuring: the least seconds of each size so far, and what it has cost."""

    def __init__(
        self, run: Callable[[Feeds, int], object], feeds_of: Callable[[int], Feeds], clock: Callable[[], float]
    ) -> None:
        self._run, self._feeds_of, self._clock = run, feeds_of, clock
        self._began = clock()
        self.least: dict[int, float] = {}
        self.failed_rows: int | None = None

    def grow(self, most: int, large_s: float) -> None:
        row_bytes = sum(feed.nbytes for feed in self._feeds_of(1).values())
        for rows in _sizes(most):
            if rows > 1 and rows * row_bytes > _LARGEST_FEED_BYTES:
                return
            if rows > USUAL_MOST_ROWS and 2 * self.least[max(self.least)] > large_s:
                return
            try:
                self._time(rows, times=3)
            except RunFailed as exc:
                if exc.terminated or rows == 1:
                    raise
                self.failed_rows = rows
                return
            if self._has_fallen(rows) or self._takes_too_long(rows):
                return

    def repeat(self) -> None:
        """Measure all sizes in turn, as long as that is cheap, and once more unless that takes seconds."""
        for i in range(_ROUNDS):
            if self._spent() > (_ENOUGH_S if i else _LONGEST_S / 3):
                return
            for rows in self.least:
                self._time(rows, times=1)

    def _has_fallen(self, rows: int) -> bool:
        """Return whether rows a second are well below the best, at a second look too."""
        for again in (True, False):
            best = max(size / seconds for size, seconds in self.least.items())
            if rows / self.least[rows] >= _FALLEN * best:
                return False
            if again:
                self._time(rows, times=2)
        return True

    def _takes_too_long(self, rows: int) -> bool:
        """Return whether the next size takes longer than it is worth, where a run of this one tells its time."""
        if self._next_ends(rows) <= _GAINLESS_S:
            return False
        if self._next_ends(rows) <= _LONGEST_S:
            self._time(rows, times=2)
        is_best = max(self.least, key=lambda size: worth(size, self.least[size])) == rows
        return not is_best or self._next_ends(rows) > _LONGEST_S

    def _next_ends(self, rows: int) -> float:
        return self._spent() + 2 * self.least[rows]

    def _time(self, rows: int, *, times: int) -> None:
        """Time runs of other rows each, as long as that is brief; the first of its size allocates."""
        began = self._clock()
        for _ in range(times):
            feeds = self._feeds_of(rows)
            started = self._clock()
            self._run(feeds, rows)
            ended = self._clock()
            self.least[rows] = min(self.least.get(rows, inf), max(ended - started, _LEAST_S))
            if ended - began > _BRIEF_S:
                return

    def _spent(self) -> float:
        return self._clock() - self._began


def _sizes(most: int) -> Iterator[int]:
    rows = 1
    while rows < most:
        yield rows
        rows *= 2
    yield most
