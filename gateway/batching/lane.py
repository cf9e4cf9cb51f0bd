"""A lane: the queue of one version, and the rule by which queued requests become runs.

Work-conserving, never a timer: everything that arrived in one pass of the event loop is one run. A version whose runs
are measured in microseconds runs on the loop; others run in a thread while the next batch collects.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import Decoded
from gateway.engine.outputs import Outputs
from gateway.engine.session import RunFailed, RunHandle

__all__ = ["Job", "Lane", "LaneFull", "LaneOverdue", "RunTimedOut", "Runnable"]


class LaneFull(Exception):
    """The queue holds its limit of rows."""


class LaneOverdue(Exception):
    """An earlier run is past its time slice and has not come back; nothing is queued behind it."""


class RunTimedOut(Exception):
    """The run was past its time slice and was terminated."""


class Runnable(Protocol):
    """What a lane runs: one version."""

    @property
    def max_batch_rows(self) -> int | None:
        """Rows of one run; ``None`` where requests must run one by one."""

    def run(self, feeds: dict[str, npt.NDArray[Any]], n: int, handle: RunHandle | None = None) -> Outputs:
        """Run ``n`` rows; raise ``RunFailed``."""


class Job(Protocol):
    """One request in a lane. A cancelled one is not run, or its rows of a run are dropped."""

    decoded: Decoded
    cancelled: bool
    started_at: float

    def deliver(self, result: Outputs | Exception, seconds: float) -> None:
        """Take the outputs or the failure and the seconds of the run; called once, on the loop, unless cancelled."""


class Lane:
    """Queue and runs of one version in one role. Everything but the run itself happens on the event loop.

    Parameters
    ----------
    version
        What runs.
    executor
        Where runs of more than ``inline_rows`` rows happen. One run of a lane is under way at a time.
    inline_rows
        Rows that may run on the loop, from the version's measured cost; 0 for never.
    queue_rows
        Rows that may wait; more raise ``LaneFull``.
    slice_s
        Time slice of a run in the executor; past it the run is terminated and its jobs get ``RunTimedOut``. Runs on the
        loop cannot be stopped.
    on_run
        Told of every run: rows, requests, seconds.
    """

    def __init__(
        self,
        version: Runnable,
        *,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        inline_rows: int,
        queue_rows: int,
        slice_s: float,
        on_run: Callable[[int, int, float], None],
    ) -> None:
        self._version, self._loop, self._executor = version, loop, executor
        self._inline_rows = inline_rows
        most = version.max_batch_rows
        self._batch_rows = min(most, inline_rows) if most and inline_rows else most
        self._queue_rows, self._slice_s, self._on_run = queue_rows, slice_s, on_run
        self._jobs: deque[Job] = deque()
        self._solo: deque[Job] = deque()
        self._scheduled = False
        self._running = False
        self._overdue = False
        self.queued_rows = 0

    def submit(self, job: Job) -> None:
        """Queue a job for the run at the end of this pass of the loop.

        Raises
        ------
        LaneFull, LaneOverdue
        """
        if self._overdue:
            raise LaneOverdue
        if self.queued_rows + job.decoded.n > self._queue_rows and self._jobs:
            raise LaneFull
        self.queued_rows += job.decoded.n
        self._jobs.append(job)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._running:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Start one run. What is left waits for the next pass, so that the loop is never held for more than one."""
        self._scheduled = False
        if self._running or not (batch := self._take()):
            return
        if sum(job.decoded.n for job in batch) <= self._inline_rows:
            self._run_here(batch)
        else:
            self._run_there(batch)
        if self._jobs or self._solo:
            self._schedule()

    def _take(self) -> list[Job]:
        """Return the next batch: a job that must run alone, or as many compatible ones as fit."""
        while self._solo:
            job = self._solo.popleft()
            if not job.cancelled:
                return [job]
        batch: list[Job] = []
        rows, limit = 0, self._batch_rows
        while self._jobs:
            job = self._jobs[0]
            if batch and (limit is None or rows + job.decoded.n > limit or not _same_shape(batch[0], job)):
                break
            self._jobs.popleft()
            self.queued_rows -= job.decoded.n
            if not job.cancelled:
                batch.append(job)
                rows += job.decoded.n
        return batch

    def _run_here(self, batch: list[Job]) -> None:
        started = perf_counter()
        result = _run(self._version, batch, None)
        self._settle(batch, result, started, perf_counter() - started)

    def _run_there(self, batch: list[Job]) -> None:
        self._running = True
        handle = RunHandle()
        started = perf_counter()
        timer = self._loop.call_later(self._slice_s, self._expire, batch, handle, started)
        done = self._loop.call_soon_threadsafe

        def work() -> None:
            result = _run(self._version, batch, handle)
            done(self._finish, batch, result, started, timer, handle)

        self._executor.submit(work)

    def _expire(self, batch: list[Job], handle: RunHandle, started: float) -> None:
        handle.terminate()
        self._overdue = True
        waiting = [*self._solo, *self._jobs]
        self._solo.clear()
        self._jobs.clear()
        self.queued_rows = 0
        self._deliver(batch, RunTimedOut(f"no answer within {self._slice_s:g} s"), perf_counter() - started)
        self._deliver(waiting, LaneOverdue("an earlier run is overdue"), 0.0)

    def _finish(
        self,
        batch: list[Job],
        result: Outputs | Exception,
        started: float,
        timer: asyncio.TimerHandle,
        handle: RunHandle,
    ) -> None:
        timer.cancel()
        self._running = self._overdue = False
        if not handle.terminated:
            self._settle(batch, result, started, perf_counter() - started)
        if self._jobs or self._solo:
            self._schedule()

    def _settle(self, batch: list[Job], result: Outputs | Exception, started: float, seconds: float) -> None:
        self._on_run(sum(job.decoded.n for job in batch), len(batch), seconds)
        if isinstance(result, Exception) and len(batch) > 1:
            self._solo.extend(batch)  # one poisoned request must not fail its neighbours
            return
        for job in batch:
            job.started_at = started
        self._deliver(batch, result, seconds)

    def _deliver(self, batch: Sequence[Job], result: Outputs | Exception, seconds: float) -> None:
        start = 0
        for job in batch:
            stop = start + job.decoded.n
            if not job.cancelled:
                whole = isinstance(result, Exception) or len(batch) == 1
                self._hand_over(job, result if whole else result.rows(start, stop), seconds)  # type: ignore[union-attr]
            start = stop

    def _hand_over(self, job: Job, result: Outputs | Exception, seconds: float) -> None:
        try:
            job.deliver(result, seconds)
        except Exception as exc:  # a task owner: one caller's failure must not keep its neighbours from their answers
            self._loop.call_exception_handler({"message": "an answer could not be delivered", "exception": exc})


def _same_shape(first: Job, other: Job) -> bool:
    if first.decoded.values_nd is not None:
        return True
    a, b = first.decoded.feeds, other.decoded.feeds
    whole = all(len(feed) == job.decoded.n for job in (first, other) for feed in job.decoded.feeds.values())
    return whole and a.keys() == b.keys() and all(a[k].shape[1:] == b[k].shape[1:] for k in a)


def _run(version: Runnable, batch: list[Job], handle: RunHandle | None) -> Outputs | Exception:
    try:
        if len(batch) == 1:
            decoded = batch[0].decoded
            return version.run(decoded.feeds, decoded.n, handle)
        parts = [job.decoded.feeds for job in batch]
        feeds = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return version.run(feeds, sum(job.decoded.n for job in batch), handle)
    except RunFailed as exc:
        return exc
    except Exception as exc:  # a task owner: whatever a run raises belongs to its jobs, not to the loop
        return RunFailed(f"{type(exc).__name__}: {exc}")
