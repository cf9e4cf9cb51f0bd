"""A lane: the queue of one version, and the rule by which queued requests become runs.

Work-conserving, never a timer: everything that arrived in one pass of the event loop is one run. A version whose runs
are measured in microseconds runs on the loop; others run in a thread while the next batch collects, and since a pass is
nothing beside such a run, it begins with the first pass that brings no more. Where all requests are the version's, and
no other core is free to collect the next ones, a run of a few milliseconds spares itself the way to a thread and back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from gateway.batching.jobs import (
    Feeds,
    Job,
    LaneExpired,
    LaneFull,
    LaneLate,
    LaneOverdue,
    Run,
    RunCutShort,
    Runnable,
    RunTimedOut,
    Sizer,
)
from gateway.batching.own_thread import patience_s
from gateway.batching.solitude import Solitude
from gateway.codec.decoded import Decoded
from gateway.engine.outputs import Outputs
from gateway.engine.session import RunFailed, RunHandle
from monitors.records import SHORTEST_WAIT_S

__all__ = ["Lane"]

_GATHERING_SHARE = 1 / 8
_LATE_S = 0.02

AnyJob = TypeVar("AnyJob", bound=Job)


class _Work(Generic[AnyJob]):
    """A batch that is ready to run; in a thread, with the timer of its time slice and how far it is."""

    __slots__ = ("feeds", "has_begun", "has_ended", "jobs", "rows", "timer", "values_nd", "was_full")

    timer: asyncio.TimerHandle

    def __init__(self, jobs: list[AnyJob], feeds: Feeds, rows: int, values_nd: npt.NDArray[Any] | None) -> None:
        self.jobs, self.feeds, self.rows, self.values_nd = jobs, feeds, rows, values_nd
        self.was_full = self.has_begun = self.has_ended = False


class Lane(Generic[AnyJob]):
    """Queue and runs of one version in one role. Everything but the run itself happens on the event loop.

    Parameters
    ----------
    version
        What runs.
    executor
        Where runs of more than ``sizer.inline_rows`` rows mostly happen. One run of a lane is under way at a time.
    queue_rows
        Rows that may wait; more raise ``LaneFull``.
    slice_s
        Time slice of a run in the executor; past it the run is terminated and its jobs get ``RunTimedOut``. Runs on the
        loop cannot be stopped.
    solitude
        Says whether a run of more rows may hold the loop; ``None`` for never.
    keeps_time
        Whether half of the time that is left to a job is kept for another lane to answer it: that of a canary.
    set_back
        Called during a run in the executor that takes ten milliseconds and eight times what it should: it may hang, and
        the others are to have the core. ``None`` where the executor cannot do that.
    stack
        Makes graph inputs of pending rows, all at once; ``None`` where each job is to be settled by itself.
    deliver
        Takes a batch and its ``Run``, or what went wrong; called once for a job, on the loop, also for a cancelled one.
    on_run
        Told of every run: rows, requests, seconds.
    on_wait
        Told of every 5 ms or longer in which a run waited for its thread, or for the loop to take it back: the
        seconds, and how many seconds ago that ended. The host is short of cores then, whatever the version does.
    """

    def __init__(
        self,
        version: Runnable,
        *,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        sizer: Sizer,
        queue_rows: int,
        slice_s: float,
        solitude: Solitude | None = None,
        keeps_time: bool = False,
        set_back: Callable[[], None] | None = None,
        stack: Callable[[Sequence[Decoded]], tuple[Feeds, npt.NDArray[Any]] | None],
        deliver: Callable[[Sequence[AnyJob], Run | Exception], None],
        on_run: Callable[[int, int, float], None],
        on_wait: Callable[[float, float], None],
    ) -> None:
        self._version, self._loop, self._executor, self._sizer = version, loop, executor, sizer
        self._mixes = version.max_batch_rows is not None
        self._queue_rows, self._slice_s, self._keeps_time = queue_rows, slice_s, keeps_time
        self._solitude, self._set_back = solitude, set_back
        self._stack, self._deliver, self._on_run, self._on_wait = stack, deliver, on_run, on_wait
        self._jobs: deque[AnyJob] = deque()
        self._halves: deque[list[AnyJob]] = deque()
        self._due: asyncio.Handle | None = None
        self._running = self._overdue = self._is_purged = False
        self._free_at = self._ends_at = self._slice_ends_at = 0.0
        self._gathered_rows, self._gathering_since = 0, 0.0
        self.queued_rows = self._entered = 0

    @property
    def leaves_loop(self) -> bool:
        """Return whether runs happen in a thread, or may."""
        return self._running or self._sizer.inline_rows < self._sizer.limit

    def submit(self, job: AnyJob) -> None:
        """Queue a job for the run at the end of this pass of the loop.

        Raises
        ------
        LaneFull, LaneLate, LaneOverdue
        """
        if self._overdue:
            raise LaneOverdue if perf_counter() > self._slice_ends_at else LaneLate
        rows = self.queued_rows + job.decoded.n
        if rows > self._queue_rows and self._jobs:
            rows = self._purged() + job.decoded.n
            if rows > self._queue_rows and self._jobs:
                raise LaneFull
        if self._running and self._is_late(job, rows):
            raise LaneLate
        self.queued_rows = rows
        self._entered += 1
        self._jobs.append(job)
        if self._due is None and not self._running:
            self._schedule()

    def submit_all(self, jobs: Sequence[AnyJob]) -> bool:
        """Queue jobs of equal haste that came in a pass which is over; false, and nothing done, where not all fit."""
        rows = self.queued_rows + sum([job.decoded.n for job in jobs])
        if self._overdue or rows > self._queue_rows or (self._running and self._is_late(jobs[0], rows)):
            return False
        self.queued_rows = rows
        self._entered += len(jobs)
        self._jobs.extend(jobs)
        if self._due is None and not self._running:
            self._flush()
        return True

    def run_now(self) -> None:
        """Run at once what would run at the end of this pass, and what is left of it then."""
        if self._due is not None:
            self._due.cancel()
            self._flush()

    def _purged(self) -> int:
        """Forget jobs that nobody waits for, at most once a run, since it looks at all; return the rows that wait."""
        if not self._is_purged:
            self._is_purged = True
            self._jobs = deque(job for job in self._jobs if not job.cancelled)
            self.queued_rows = sum(job.decoded.n for job in self._jobs)
        return self.queued_rows

    def _is_late(self, job: AnyJob, rows: int) -> bool:
        """Return whether a job behind the present run and those before it would miss its deadline."""
        if not self._keeps_time:
            return max(self._free_at, perf_counter()) + self._cost(rows) > job.deadline
        return self._ends_at > (perf_counter() + job.deadline) / 2

    def _cost(self, rows: int) -> float:
        """Return the seconds of the runs that so many rows take."""
        sizer = self._sizer
        full, rest = divmod(rows, sizer.limit)
        estimate = sizer.cost.estimate
        return full * estimate(sizer.limit) + (estimate(rest) if rest else 0.0)

    def _schedule(self) -> None:
        self._due = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Start one run. What is left waits for the next pass, so that the loop is never held for more than one."""
        self._due = None  # which leads back here: the version would wait for the garbage collector
        self._is_purged = False
        if self._running:
            return
        if self._gathers():
            self._schedule()
            return
        work = self._next()
        if work is not None:
            work.was_full = bool(self._jobs)
            if work.rows <= self._sizer.inline_rows or self._is_alone(work):
                self._run_here(work)
            else:
                self._run_there(work)
        self._go_on()

    def _is_alone(self, work: _Work[AnyJob]) -> bool:
        """Return whether a run disturbs nobody where it holds the loop, and is back before its jobs' deadlines."""
        if self._solitude is None:
            return False
        cost_s = self._sizer.cost.estimate(work.rows)
        in_flight = len(work.jobs) + len(self._jobs) + sum(map(len, self._halves))
        if not self._solitude.spares(cost_s, in_flight=in_flight, entered=self._entered):
            return False
        back_at = perf_counter() + cost_s
        return all(job.deadline > back_at for job in work.jobs)

    def _gathers(self) -> bool:
        """Return whether the next pass may bring more to a run in a thread: the last one did.

        The callers of one batch ask again within a few passes of their answers; a run with the first of them alone
        would cost most of what one with all of them does. It takes at most an eighth of what the run will take.
        """
        rows, sizer, before = self.queued_rows, self._sizer, self._gathered_rows
        self._gathered_rows = 0
        if rows == before or not sizer.inline_rows < rows < sizer.limit or self._halves or not self._mixes:
            return False
        now = perf_counter()
        if not before:
            self._gathering_since = now
        elif now - self._gathering_since > sizer.cost.estimate(rows) * _GATHERING_SHARE:
            return False
        self._gathered_rows = rows
        return True

    def _go_on(self) -> None:
        if (self._jobs or self._halves) and self._due is None and not self._running:
            self._schedule()

    def _next(self) -> _Work[AnyJob] | None:
        """Return the next batch with its inputs; ``None`` where nothing waits, or nothing that can run."""
        jobs = self._halves.popleft() if self._halves else self._take()
        started_at = perf_counter()
        due = [job for job in jobs if not job.cancelled and job.deadline > started_at]
        if len(due) < len(jobs):
            late = [job for job in jobs if not job.cancelled and job.deadline <= started_at]
            if late:
                self._deliver(late, LaneExpired())
        return self._gathered(due) if due else None

    def _take(self) -> list[AnyJob]:
        """Return as many jobs as fit one run, in order."""
        waiting, limit = self._jobs, self._sizer.limit
        if self._mixes and self.queued_rows <= limit and _all_alike(waiting):
            jobs = list(waiting)
            waiting.clear()
            self.queued_rows = 0
            return jobs
        jobs, rows = [], 0
        while waiting:
            job = waiting[0]
            if jobs and (not self._mixes or rows + job.decoded.n > limit or not _same_shape(jobs[0], job)):
                break
            waiting.popleft()
            self.queued_rows -= job.decoded.n
            if not job.cancelled:
                jobs.append(job)
                rows += job.decoded.n
        return jobs

    def _gathered(self, jobs: list[AnyJob]) -> _Work[AnyJob] | None:
        """Put the inputs of a batch together; jobs whose rows are refused on the way are answered and left out."""
        if jobs[0].decoded.cells is not None:
            stacked = self._stack([job.decoded for job in jobs])
            if stacked is not None:
                return _Work(jobs, stacked[0], len(stacked[1]), stacked[1])
        jobs = [job for job in jobs if job.decoded.cells is None or job.settle()]
        if not jobs:
            return None
        parts = [job.decoded.feeds for job in jobs]
        feeds = parts[0] if len(parts) == 1 else {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
        return _Work(jobs, feeds, sum(job.decoded.n for job in jobs), None)

    def _run_here(self, work: _Work[AnyJob]) -> None:
        started_at = perf_counter()
        result = _result(self._version, work, None)
        seconds = perf_counter() - started_at
        if self._solitude is not None:
            self._solitude.took(seconds)
        self._settle(work, result, started_at, seconds)

    def _run_there(self, work: _Work[AnyJob]) -> None:
        self._running = True
        for job in work.jobs:
            job.has_started = True
        handle = RunHandle()
        now, slice_s = perf_counter(), self._slice_s
        if self._keeps_time:
            slice_s = min(slice_s, (min(job.deadline for job in work.jobs) - now) / 2)
        cost_s = self._sizer.cost.estimate(work.rows)
        self._free_at, self._ends_at = now + cost_s, now + slice_s
        self._slice_ends_at = now + self._slice_s
        patience, expire = patience_s(cost_s), partial(self._expire, work, handle, slice_s)
        if self._set_back is None or patience >= slice_s:
            work.timer = self._loop.call_later(slice_s, expire)
        else:
            work.timer = self._loop.call_later(patience, self._lose_patience, work, self._set_back, expire)
        done = self._loop.call_soon_threadsafe

        def run() -> None:
            work.has_begun, started_at = True, perf_counter()
            result = _result(self._version, work, handle)
            work.has_ended = True
            done(self._finish, work, result, (now, started_at, perf_counter()), handle)

        self._executor.submit(run)

    def _lose_patience(self, work: _Work[AnyJob], set_back: Callable[[], None], expire: Callable[[], None]) -> None:
        work.timer = self._loop.call_later(max(self._ends_at - perf_counter(), 0.0), expire)
        if work.has_begun and not work.has_ended:
            set_back()

    def _expire(self, work: _Work[AnyJob], handle: RunHandle, slice_s: float, *, is_late: bool = False) -> None:
        """End a run at the end of its slice; one that is back but not taken yet goes on.

        Where the loop stood still the thread may have too, so the run gets that time anew, once.
        """
        late_s = perf_counter() - self._ends_at
        if work.has_ended:
            return
        if late_s >= _LATE_S and not is_late:
            again = partial(self._expire, work, handle, slice_s, is_late=True)
            work.timer = self._loop.call_later(min(late_s, slice_s), again)
            return
        handle.terminate()
        self._overdue = True
        waiting = [*(job for half in self._halves for job in half), *self._jobs]
        self._halves.clear()
        self._jobs.clear()
        self.queued_rows = 0
        kind = RunTimedOut if slice_s == self._slice_s and work.has_begun else RunCutShort
        what = "no answer" if work.has_begun else "no thread got to it"
        self._deliver(work.jobs, kind(f"{what} within {slice_s:g} s"))
        if waiting:
            self._deliver(waiting, LaneOverdue("an earlier run is overdue"))

    def _finish(
        self,
        work: _Work[AnyJob],
        result: Outputs | Exception,
        times: tuple[float, float, float],
        handle: RunHandle,
    ) -> None:
        work.timer.cancel()
        self._running = self._overdue = False
        submitted_at, started_at, ended_at = times
        now = perf_counter()
        for waited_s, ago_s in ((started_at - submitted_at, now - started_at), (now - ended_at, 0.0)):
            if waited_s >= SHORTEST_WAIT_S:
                self._on_wait(waited_s, ago_s)
        if not handle.terminated:
            self._settle(work, result, started_at, ended_at - started_at)
        self._go_on()

    def _settle(self, work: _Work[AnyJob], result: Outputs | Exception, started_at: float, seconds: float) -> None:
        jobs = work.jobs
        self._on_run(work.rows, len(jobs), seconds)
        if not isinstance(result, Exception):
            self._sizer.observe(work.rows, seconds, work.was_full)
            self._deliver(jobs, Run(started_at, seconds, result, work.values_nd))
            return
        if len(jobs) == 1:
            self._deliver(jobs, result)
        else:  # one poisoned request must not fail its neighbours: halves find it in few runs, and all in twice as many
            middle = len(jobs) // 2
            self._halves.extend((jobs[:middle], jobs[middle:]))


def _all_alike(jobs: Sequence[Job]) -> bool:
    """Return whether all rows are pending ones, which any order of them fits."""
    return all([job.decoded.cells is not None for job in jobs])  # noqa: C419  # a list is twice as fast


def _same_shape(first: Job, other: Job) -> bool:
    mine, others = first.decoded, other.decoded
    if mine.cells is not None or mine.values_nd is not None:
        return others.cells is not None or others.values_nd is not None
    a, b = mine.feeds, others.feeds
    whole = all(len(feed) == decoded.n for decoded in (mine, others) for feed in decoded.feeds.values())
    return whole and a.keys() == b.keys() and all(a[k].shape[1:] == b[k].shape[1:] for k in a)


def _result(version: Runnable, work: _Work[Any], handle: RunHandle | None) -> Outputs | Exception:
    try:
        return version.run(work.feeds, work.rows, handle)
    except RunFailed as exc:
        return exc
    except Exception as exc:  # a task owner: whatever a run raises belongs to its jobs, not to the loop
        return RunFailed(f"{type(exc).__name__}: {exc}")
