"""What a replay promises and how it cuts its rows: the flags, made into a budget and ticks."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.commands.problem import ProblemReported
from monitors.evidence.budget import Budget, Promise
from monitors.evidence.ticks import Ticks

__all__ = ["LEAST_ROWS", "Plan", "Wishes"]

LEAST_ROWS = 10
TICK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The flags as they were given; ``None`` where one was not."""

    pages_per_week: float | None = None
    promise: Promise = "mean"
    rows_between_false_pages: float | None = None
    rows_per_second: float | None = None
    tick_rows: int | None = None
    tick_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Budget and ticks."""

    budget: Budget
    ticks: Ticks

    @classmethod
    def of(cls, wishes: Wishes, *, has_times: bool) -> Plan:
        """Return what is meant: as a gateway would watch where nothing else is said.

        Raises
        ------
        ProblemReported
            Flags contradict each other, or rows without times do not tell how long a week is.

        Examples
        --------
        >>> Plan.of(Wishes(rows_per_second=200.0), has_times=False).ticks
        Ticks(rows=200, seconds=None)
        >>> Plan.of(Wishes(), has_times=True).ticks
        Ticks(rows=10, seconds=1.0)
        """
        try:
            return cls._of(wishes, has_times)
        except ValueError as exc:
            raise ProblemReported(str(exc)) from exc

    @classmethod
    def _of(cls, wishes: Wishes, has_times: bool) -> Plan:
        for flag, length in (("--tick-rows", wishes.tick_rows), ("--tick-seconds", wishes.tick_seconds)):
            if length is not None and not length > 0:
                raise ProblemReported(f"{flag} is positive, not {length:g}")
        if wishes.rows_between_false_pages is not None:
            return cls._by_rows(wishes, has_times)
        pages = 1.0 if wishes.pages_per_week is None else wishes.pages_per_week
        if has_times and wishes.tick_seconds is None and wishes.tick_rows is not None:
            raise ProblemReported("ticks of rows do not fit pages per week: give --rows-between-false-pages as well")
        if has_times:
            seconds = wishes.tick_seconds or TICK_S
            rows = wishes.tick_rows or LEAST_ROWS
            return cls(Budget(pages, wishes.promise, None, seconds, rows), Ticks(rows, seconds))
        if wishes.tick_seconds is not None or wishes.rows_per_second is None:
            what = "--tick-seconds needs" if wishes.tick_seconds is not None else "pages per week need"
            raise ProblemReported(
                f"{what} time, which this table has not: name its --time-column, or give --rows-per-second, or "
                "--rows-between-false-pages in place of pages per week"
            )
        rate = wishes.rows_per_second
        if not 0 < rate < 1e9:
            raise ProblemReported(f"--rows-per-second is a positive rate, not {rate:g}")
        rows = wishes.tick_rows or max(LEAST_ROWS, round(rate * TICK_S))
        return cls(Budget(pages, wishes.promise, None, min(TICK_S, rows / rate), rows), Ticks(rows))

    @classmethod
    def _by_rows(cls, wishes: Wishes, has_times: bool) -> Plan:
        if wishes.pages_per_week is not None:
            raise ProblemReported("give --pages-per-week or --rows-between-false-pages, not both")
        if wishes.tick_seconds is not None and not has_times:
            raise ProblemReported("--tick-seconds needs time: name the table's --time-column")
        rows = wishes.tick_rows or LEAST_ROWS
        budget = Budget(
            promise=wishes.promise, rows_between_false_pages=wishes.rows_between_false_pages, summary_rows=rows
        )
        return cls(budget, Ticks(rows, wishes.tick_seconds))
