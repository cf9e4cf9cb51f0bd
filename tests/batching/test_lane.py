"""Lanes: what runs together, who gets which rows, and that nobody disturbs anybody else."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor, Future
from contextvars import Context
from functools import partial
from math import inf
from time import perf_counter, sleep
from types import SimpleNamespace as Counts
from typing import Any, TypeVarTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.batching.jobs import LaneFull, LaneLate, LaneOverdue, Run
from gateway.batching.lane import Lane
from gateway.batching.solitude import Solitude
from gateway.codec.decoded import Decoded
from gateway.engine.outputs import Outputs
from gateway.engine.session import RunFailed, RunHandle

POISON, CRASH = -1.0, -2.0
FOR_EVER_S = 60.0
_Args = TypeVarTuple("_Args")


class Doubler:
    """Answers every row doubled; fails for a poisoned one. Keeps the rows of each run."""

    def __init__(self, max_batch_rows: int | None = 128) -> None:
        self.max_batch_rows = max_batch_rows
        self.runs: list[list[float]] = []
        self.handles: list[RunHandle | None] = []
        self.during: Callable[[], object] = lambda: None

    def run(self, feeds: dict[str, npt.NDArray[Any]], n: int, handle: RunHandle | None = None) -> Outputs:
        x_n = feeds["x"]
        assert len(x_n) == n
        self.runs.append(x_n.reshape(len(x_n), -1)[:, 0].tolist())
        self.handles.append(handle)
        self.during()
        if (x_n == CRASH).any():
            raise ZeroDivisionError("a bug")
        if (x_n == POISON).any() or (handle is not None and handle.terminated):
            raise RunFailed("poisoned")
        scores_n1 = x_n.reshape(len(x_n), -1)[:, :1] * 2
        return Outputs([scores_n1], None, scores_n1, bool(np.isfinite(scores_n1).all()))


class FakeJob:
    """A job that calls a function with its result, or refuses its rows when they are looked at."""

    def __init__(self, decoded: Decoded, take: Callable[[Outputs | Exception], None]) -> None:
        self.decoded, self.take = decoded, take
        self.cancelled, self.has_started, self.deadline = False, False, inf

    def settle(self) -> bool:
        assert self.decoded.cells is not None
        if (POISON,) in self.decoded.cells:
            self.take(ValueError("refused"))
            return False
        x_nd = np.array(self.decoded.cells, np.float32)
        self.decoded = Decoded(len(x_nd), {"x": x_nd}, x_nd)
        return True


class FixedSizer:
    """Batches of one size, and runs that cost ``row_s`` a row; keeps what it was told."""

    row_s = 1.0

    def __init__(self, limit: int, inline_rows: int) -> None:
        self.limit, self.inline_rows = limit, inline_rows
        self.seen: list[tuple[int, bool]] = []

    @property
    def cost(self) -> "FixedSizer":
        return self

    def estimate(self, rows: int) -> float:
        return rows * self.row_s

    def observe(self, rows: int, seconds: float, was_full: bool) -> None:
        assert seconds >= 0.0
        self.seen.append((rows, was_full))


def stacked(batch: Sequence[Decoded]) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]] | None:
    """Put pending rows together, unless one has to be looked at."""
    rows = [row for decoded in batch for row in decoded.cells or ()]
    if (POISON,) in rows or any(decoded.cells is None for decoded in batch):
        return None
    x_nd = np.array(rows, np.float32)
    return {"x": x_nd}, x_nd


def stall(seconds: float) -> None:
    """Hold the loop."""
    sleep(seconds)


class HandExecutor(Executor):
    """Runs what was submitted when it is pumped, so that a test decides what happens while a run is under way."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.waiting.append(partial(fn, *args, **kwargs))
        return Future()

    def pump(self) -> None:
        self.waiting.pop(0)()


class Bench:
    """One lane on the running loop, and what came out of it."""

    def __init__(
        self,
        version: Doubler | None = None,
        *,
        inline_rows: int = 0,
        queue_rows: int = 1_000,
        slice_s: float = FOR_EVER_S,
        set_back: Callable[[], None] | None = None,
        has_one_core: bool = False,
    ) -> None:
        self.version, self.executor = version or Doubler(), HandExecutor()
        self.runs: list[tuple[int, int]] = []
        self.waits: list[tuple[float, float]] = []
        self.traffic = Counts(in_flight=0, entered=0)
        self.answers: dict[str, list[list[float] | Exception]] = {}
        self.sizer = FixedSizer(self.version.max_batch_rows or 1, inline_rows)
        self.lane: Lane[FakeJob] = Lane(
            self.version,
            loop=asyncio.get_running_loop(),
            executor=self.executor,
            sizer=self.sizer,
            queue_rows=queue_rows,
            slice_s=slice_s,
            solitude=Solitude(self.traffic, above_s=1e-3, most_s=5e-3, has_one_core=has_one_core),
            set_back=set_back,
            stack=stacked,
            deliver=self.deliver,
            on_run=lambda rows, requests, _seconds: self.runs.append((rows, requests)),
            on_wait=lambda seconds, ended_ago_s: self.waits.append((seconds, ended_ago_s)),
        )

    async def told(self, *names: str) -> None:
        """Let the loop turn until these have an answer, whichever."""
        while not self.answers.keys() >= set(names):
            await passes()

    def ask(self, name: str, *values: float, named: bool = True) -> FakeJob:
        x_n1 = np.array(values, np.float32).reshape(-1, 1)
        decoded = Decoded(len(values), {"x": x_n1}, x_n1 if named else None)
        job = FakeJob(decoded, lambda result: self.take(name, result))
        self.lane.submit(job)
        return job

    def ask_together(self, **values: float) -> bool:
        """Ask for a row each in a pass that is over."""
        jobs = [
            FakeJob(Decoded(1, {}, None, cells=[(value,)]), partial(self.take, name)) for name, value in values.items()
        ]
        return self.lane.submit_all(jobs)

    def ask_pending(self, name: str, *values: float) -> FakeJob:
        decoded = Decoded(len(values), {}, None, cells=[(value,) for value in values])
        job = FakeJob(decoded, lambda result: self.take(name, result))
        self.lane.submit(job)
        return job

    def deliver(self, jobs: Sequence[FakeJob], result: Run | Exception) -> None:
        assert jobs, "a delivery to nobody"
        self.traffic.in_flight -= len(jobs)
        stop = 0
        for job in jobs:
            start, stop = stop, stop + job.decoded.n
            if not job.cancelled:
                job.take(result if isinstance(result, Exception) else result.outputs.rows(slice(start, stop)))

    def take(self, name: str, result: Outputs | Exception) -> None:
        told = result if isinstance(result, Exception) else result.raw[0].ravel().tolist()
        self.answers.setdefault(name, []).append(told)

    def answer(self, name: str) -> list[float] | Exception:
        (only,) = self.answers[name]
        return only

    def error(self, name: str) -> str:
        answer = self.answer(name)
        assert isinstance(answer, Exception)
        return type(answer).__name__


async def passes(n: int = 1) -> None:
    """Let the loop go round."""
    for _ in range(n):
        await asyncio.sleep(0)


async def begun() -> None:
    """Let what was asked for begin in a thread: a pass brings it, and another one brings no more."""
    await passes(2)


def on_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test(), debug=True)

    run.__name__ = test.__name__
    return run


@on_loop
async def test_everything_of_one_pass_of_the_loop_is_one_run() -> None:
    bench = Bench(inline_rows=128)
    for i in range(20):
        asyncio.get_running_loop().call_soon(bench.ask, f"r{i}", float(i))
    await passes(2)
    assert bench.version.runs == [[float(i) for i in range(20)]]
    assert bench.runs == [(20, 20)]
    assert [bench.answer(f"r{i}") for i in range(20)] == [[2.0 * i] for i in range(20)]


@pytest.mark.parametrize("inline_rows", [128, 0])
def test_a_version_that_is_let_go_is_freed_at_once(inline_rows: int) -> None:
    """Without the help of the garbage collector: it may be of hundreds of megabytes."""

    async def scenario() -> None:
        bench = Bench(inline_rows=inline_rows)
        bench.ask("a", 1.0)
        bench.lane.run_now()
        await begun()
        bench.ask("b", 1.0)
        while len(bench.answers) < 2:
            if bench.executor.waiting:
                bench.executor.pump()
            await passes()
        alive = weakref.ref(bench.lane)
        del bench.lane
        await begun()
        assert alive() is None

    gc.disable()
    try:
        asyncio.run(scenario())
    finally:
        gc.enable()


@on_loop
async def test_a_lonely_request_runs_at_the_end_of_its_own_pass() -> None:
    bench = Bench(inline_rows=128)
    bench.ask("a", 1.0)
    assert bench.answers == {}
    await passes()
    assert bench.answer("a") == [2.0]


@on_loop
async def test_a_longer_run_is_on_the_loop_where_its_request_is_the_only_one() -> None:
    bench = Bench()
    bench.sizer.row_s = 2e-3

    async def leaves_loop(*values: float, of_others: int = 0, deadline_s: float = inf) -> bool:
        traffic = bench.traffic
        traffic.in_flight, traffic.entered = 1, traffic.entered + of_others + 1
        job = bench.ask("a", *values)
        job.deadline = perf_counter() + deadline_s
        await begun()
        if left := bool(bench.executor.waiting):
            bench.executor.pump()
            await passes()
        assert bench.answers.pop("a") == [[2.0 * value for value in values]]
        return left

    assert [await leaves_loop(1.0) for _ in range(9)] == [True] * 8 + [False]
    assert not await leaves_loop(1.0, 2.0)
    assert await leaves_loop(1.0, 2.0, 3.0), "it is expected to take more than 5 ms"
    assert not await leaves_loop(1.0, deadline_s=10.0)
    assert await leaves_loop(1.0, deadline_s=0.0015), "it may not be back in time"
    bench.version.during = partial(stall, 0.011)
    assert not await leaves_loop(1.0)
    bench.version.during = lambda: None
    assert [await leaves_loop(1.0) for _ in range(65)] == [True] * 64 + [False], "it stays away after an overrun"
    assert await leaves_loop(1.0, of_others=1)
    assert await leaves_loop(1.0)


@on_loop
async def test_on_one_core_a_longer_run_is_on_the_loop_where_all_requests_are_its_version_s() -> None:
    bench = Bench(Doubler(max_batch_rows=2), has_one_core=True)
    bench.sizer.row_s = 2e-3

    async def runs_that_left(*, of_others: int = 0, deadline_s: float = inf) -> int:
        """Ask for three rows, of which two fit a run."""
        bench.traffic.in_flight = 3 + of_others
        bench.traffic.entered += 3 + of_others
        jobs = [bench.ask(name, 1.0) for name in "abc"]
        jobs[1].deadline = perf_counter() + deadline_s
        left = 0
        while not bench.answers.keys() >= set("abc"):
            await passes()
            if bench.executor.waiting:
                left += 1
                bench.executor.pump()
        assert [bench.answers.pop(name) for name in "abc"] == [[[2.0]]] * 3
        return left

    assert [await runs_that_left() for _ in range(5)] == [2, 2, 2, 2, 0]
    assert await runs_that_left(deadline_s=0.0039) == 1, "the second may not be back in time"
    assert [await runs_that_left(of_others=1), await runs_that_left()] == [2, 2]


@on_loop
async def test_what_came_together_in_a_pass_that_is_over_runs_at_once() -> None:
    bench = Bench(inline_rows=128)
    assert bench.ask_together(a=1.0, b=2.0)
    assert bench.runs == [(2, 2)]
    assert (bench.answer("a"), bench.answer("b")) == ([2.0], [4.0])


@on_loop
async def test_it_runs_with_what_is_to_run_in_the_next_pass_anyway() -> None:
    bench = Bench(inline_rows=128)
    bench.ask_pending("a", 1.0)
    assert bench.ask_together(b=2.0, c=3.0)
    assert bench.runs == []
    await passes()
    assert bench.version.runs == [[1.0, 2.0, 3.0]]


@on_loop
async def test_it_waits_for_a_run_that_is_under_way() -> None:
    bench = Bench()
    bench.ask_pending("a", 1.0)
    await begun()
    assert bench.ask_together(b=2.0, c=3.0)
    bench.executor.pump()
    await passes(4)
    bench.executor.pump()
    await passes()
    assert bench.version.runs == [[1.0], [2.0, 3.0]]


@on_loop
async def test_what_came_together_is_queued_together_or_not_at_all() -> None:
    bench = Bench(queue_rows=2)
    assert not bench.ask_together(a=1.0, b=2.0, c=3.0)
    assert bench.lane.queued_rows == 0
    assert bench.ask_together(a=1.0, b=2.0)
    assert bench.lane.queued_rows == 2
    assert not bench.ask_together(c=3.0)


@on_loop
async def test_what_arrives_during_a_run_is_the_next_run() -> None:
    bench = Bench()
    bench.ask("a", 1.0)
    await begun()
    bench.ask("b", 2.0)
    bench.ask("c", 3.0)
    await passes(4)
    assert len(bench.executor.waiting) == 1
    bench.executor.pump()
    await passes(3)
    bench.executor.pump()
    await passes()
    assert bench.version.runs == [[1.0], [2.0, 3.0]]
    assert (bench.answer("a"), bench.answer("b"), bench.answer("c")) == ([2.0], [4.0], [6.0])


@on_loop
async def test_a_run_in_a_thread_begins_when_a_pass_brings_no_more() -> None:
    bench = Bench()
    for i in range(5):
        bench.ask(f"r{i}", float(i))
        await passes()
        assert bench.executor.waiting == []
    await passes()
    bench.executor.pump()
    assert bench.version.runs == [[0.0, 1.0, 2.0, 3.0, 4.0]]


@on_loop
async def test_a_full_batch_in_a_thread_begins_at_once() -> None:
    bench = Bench(Doubler(max_batch_rows=3))
    bench.ask("a", 1.0, 2.0)
    bench.ask("b", 3.0)
    await passes()
    assert len(bench.executor.waiting) == 1


@on_loop
async def test_requests_that_keep_coming_do_not_put_off_a_run_by_more_than_its_eighth() -> None:
    bench = Bench()
    bench.sizer.row_s = 1e-9
    bench.ask("a", 1.0)
    await passes()
    bench.ask("b", 2.0)
    await passes()
    bench.executor.pump()
    assert bench.version.runs == [[1.0, 2.0]]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    most=st.none() | st.integers(1, 12),
    inline_rows=st.sampled_from([0, 1, 4, 100]),
    cancelled=st.sets(st.integers(0, 29)),
    poisoned=st.sets(st.integers(0, 29), max_size=3),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_each_caller_gets_its_own_rows_once(
    sizes: list[int], most: int | None, inline_rows: int, cancelled: set[int], poisoned: set[int]
) -> None:
    async def check() -> None:
        bench = Bench(Doubler(most), inline_rows=inline_rows)
        for i, size in enumerate(sizes):
            values = [i * 100.0 + j for j in range(size)]
            if i in poisoned:
                values[-1] = POISON
            job = bench.ask(str(i), *values)
            job.cancelled = i in cancelled
        for _ in range(4 * len(sizes) + 4):
            await passes(2)
            while bench.executor.waiting:
                bench.executor.pump()
        for i, size in enumerate(sizes):
            if i in cancelled:
                assert str(i) not in bench.answers
            elif i in poisoned:
                assert bench.error(str(i)) == "RunFailed"
            else:
                assert bench.answer(str(i)) == [2 * (i * 100.0 + j) for j in range(size)]
        assert bench.lane.queued_rows == 0
        if most is not None:
            biggest = max(sizes)
            assert all(len(run) <= max(most, biggest) for run in bench.version.runs)

    asyncio.run(check())


@on_loop
async def test_a_batch_holds_whole_requests_up_to_its_limit() -> None:
    bench = Bench(Doubler(max_batch_rows=4), inline_rows=4)
    for name, size in (("a", 2), ("b", 2), ("c", 3), ("d", 2), ("e", 9)):
        bench.ask(name, *[1.0] * size)
    await passes(6)
    assert bench.runs == [(4, 2), (3, 1), (2, 1)]
    bench.executor.pump()
    await passes()
    assert bench.runs[-1] == (9, 1)


@on_loop
async def test_the_loop_goes_round_between_two_runs_on_it() -> None:
    bench = Bench(Doubler(max_batch_rows=1), inline_rows=1)
    seen: list[int] = []
    for i in range(3):
        bench.ask(f"r{i}", 1.0)
        asyncio.get_running_loop().call_soon(lambda: seen.append(len(bench.version.runs)))
    await passes()
    assert len(bench.version.runs) == 1
    await passes(3)
    assert len(bench.version.runs) == 3


@on_loop
async def test_small_runs_happen_on_the_loop_and_large_ones_in_the_executor() -> None:
    bench = Bench(inline_rows=2)
    bench.ask("small", 1.0, 2.0)
    await begun()
    bench.ask("large", 1.0, 2.0, 3.0)
    await passes(3)
    assert bench.answer("small") == [2.0, 4.0]
    assert "large" not in bench.answers
    assert bench.version.handles == [None]
    bench.executor.pump()
    await passes()
    assert bench.answer("large") == [2.0, 4.0, 6.0]
    assert bench.version.handles[1] is not None


@on_loop
async def test_requests_run_one_by_one_where_rows_do_not_keep_their_place() -> None:
    bench = Bench(Doubler(max_batch_rows=None), inline_rows=1)
    for name in "abc":
        bench.ask(name, 1.0)
    await passes(4)
    assert bench.runs == [(1, 1)] * 3


@on_loop
async def test_tensors_of_another_shape_run_apart() -> None:
    bench = Bench(inline_rows=128)

    def ask(name: str, shape: tuple[int, ...], n: int) -> None:
        decoded = Decoded(n, {"x": np.ones(shape, np.float32)}, None)
        bench.lane.submit(FakeJob(decoded, lambda result: bench.take(name, result)))

    for name, shape in (("a", (1, 2)), ("b", (1, 2)), ("c", (1, 3))):
        ask(name, shape, 1)
    await passes(3)
    assert bench.runs == [(2, 2), (1, 1)]


@on_loop
async def test_tensors_whose_first_axis_is_not_the_rows_run_alone() -> None:
    bench = Bench(inline_rows=128)
    feeds = {"x": np.ones((2, 1), np.float32), "y": np.ones((1, 1), np.float32)}
    for _ in range(2):
        bench.lane.submit(FakeJob(Decoded(2, feeds, None), lambda result: bench.take("a", result)))
    await passes(3)
    assert bench.runs == [(2, 1), (2, 1)]


@on_loop
async def test_a_caller_that_leaves_before_its_run_takes_nothing_with_it() -> None:
    bench = Bench(inline_rows=128)
    bench.ask("a", 1.0)
    gone = bench.ask("gone", 5.0, 6.0)
    bench.ask("b", 2.0)
    gone.cancelled = True
    await passes()
    assert bench.version.runs == [[1.0, 2.0]]
    assert (bench.answer("a"), bench.answer("b")) == ([2.0], [4.0])
    assert "gone" not in bench.answers
    assert bench.lane.queued_rows == 0


@on_loop
async def test_a_caller_that_leaves_during_its_run_does_not_disturb_its_batch() -> None:
    bench = Bench()
    bench.ask("a", 1.0)
    gone = bench.ask("gone", 5.0, 6.0)
    bench.ask("b", 2.0)
    await begun()
    gone.cancelled = True
    bench.executor.pump()
    await passes()
    assert (bench.answer("a"), bench.answer("b")) == ([2.0], [4.0])
    assert "gone" not in bench.answers


@on_loop
async def test_callers_that_all_leave_cost_no_run() -> None:
    bench = Bench()
    for name in "ab":
        bench.ask(name, 1.0).cancelled = True
    await passes(3)
    assert bench.executor.waiting == []
    bench.ask("c", 1.0)
    await begun()
    assert len(bench.executor.waiting) == 1


@pytest.mark.parametrize("inline_rows", [0, 128], ids=["in a thread", "on the loop"])
@pytest.mark.parametrize("poison", [POISON, CRASH], ids=["run failed", "bug"])
def test_a_poisoned_request_fails_alone(inline_rows: int, poison: float) -> None:
    async def check() -> None:
        bench = Bench(inline_rows=inline_rows)
        for name, value in (("a", 1.0), ("bad", poison), ("b", 2.0)):
            bench.ask(name, value)
        for _ in range(8):
            await passes(2)
            while bench.executor.waiting:
                bench.executor.pump()
        assert (bench.answer("a"), bench.answer("b")) == ([2.0], [4.0])
        assert bench.error("bad") == "RunFailed"
        assert [len(run) for run in bench.version.runs] == [3, 1, 2, 1, 1]

    asyncio.run(check(), debug=True)


@on_loop
async def test_a_full_queue_refuses() -> None:
    bench = Bench(queue_rows=5)
    bench.ask("a", 1.0, 2.0, 3.0)
    bench.ask("b", 1.0, 2.0)
    with pytest.raises(LaneFull):
        bench.ask("c", 1.0)
    assert bench.lane.queued_rows == 5
    await begun()
    assert bench.lane.queued_rows == 0
    bench.ask("d", 1.0)


@on_loop
async def test_a_request_above_the_limit_is_taken_when_nothing_waits() -> None:
    bench = Bench(queue_rows=2)
    bench.ask("big", *[1.0] * 9)
    with pytest.raises(LaneFull):
        bench.ask("c", 1.0)


@on_loop
async def test_a_run_that_got_no_thread_in_its_slice_is_terminated_and_its_jobs_are_told() -> None:
    bench = Bench(slice_s=0.0)
    bench.ask("a", 1.0)
    bench.ask("b", 2.0)
    await begun()
    bench.ask("waits", 3.0)
    await bench.told("a", "b", "waits")
    assert [bench.error(name) for name in ("a", "b", "waits")] == ["RunCutShort", "RunCutShort", "LaneOverdue"]
    assert bench.lane.queued_rows == 0
    with pytest.raises(LaneOverdue):
        bench.ask("late", 4.0)
    bench.executor.pump()
    (handle,) = bench.version.handles
    assert handle is not None
    assert handle.terminated


@on_loop
async def test_a_lane_serves_again_when_its_overdue_run_has_come_back() -> None:
    bench = Bench(slice_s=0.0)
    bench.ask("a", 1.0)
    await bench.told("a")
    bench.executor.pump()
    await passes()
    bench.ask("b", 2.0)
    await begun()
    bench.executor.pump()
    await passes()
    assert bench.answer("b") == [4.0]
    assert bench.error("a") == "RunCutShort"
    assert bench.runs == [(1, 1)]


@on_loop
async def test_a_run_that_comes_back_as_its_slice_ends_is_answered_once() -> None:
    bench = Bench(slice_s=0.0)
    bench.ask("a", 1.0)
    await begun()
    bench.executor.pump()
    await bench.told("a")
    await passes(3)
    assert bench.answers["a"] == [[2.0]]


class NotingLoop(asyncio.SelectorEventLoop):
    """A loop that remembers the timers it was asked for."""

    timers: list[asyncio.TimerHandle]
    fire: Callable[[], object]

    def call_later(
        self, delay: float, callback: Callable[[*_Args], object], *args: *_Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.timers = [*getattr(self, "timers", []), super().call_later(delay, callback, *args, context=context)]
        self.fire = partial(callback, *args)
        return self.timers[-1]


def test_the_only_timer_is_the_slice_and_it_ends_with_its_run() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NotingLoop)
        bench = Bench()
        bench.ask("a", 1.0)
        await begun()
        (timer,) = loop.timers
        assert not timer.cancelled()
        bench.executor.pump()
        await passes()
        assert timer.cancelled()
        assert bench.answer("a") == [2.0]

    with asyncio.Runner(loop_factory=NotingLoop) as runner:
        runner.run(check())


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_run_that_takes_far_longer_than_it_should_is_set_back_and_keeps_its_slice(*, has_begun: bool) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NotingLoop)
        set_back: list[float] = []
        bench = Bench(version := Doubler(), set_back=lambda: set_back.append(perf_counter()))
        bench.ask("a", 1.0)
        await begun()
        (impatient,) = loop.timers
        assert impatient.when() == pytest.approx(loop.time() + 8 * bench.sizer.row_s, abs=1.0)
        if has_begun:
            version.during = loop.fire
        else:
            loop.fire()
        bench.executor.pump()
        await passes()
        assert len(set_back) == has_begun
        _, slice_end = loop.timers
        assert slice_end.when() == pytest.approx(loop.time() + FOR_EVER_S, abs=1.0)
        assert slice_end.cancelled(), "the run has ended"
        assert bench.answer("a") == [2.0]

    with asyncio.Runner(loop_factory=NotingLoop) as runner:
        runner.run(check())


def test_a_run_that_should_take_an_eighth_of_its_slice_is_not_set_back() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NotingLoop)
        bench = Bench(slice_s=8.0, set_back=lambda: pytest.fail("set back"))
        bench.ask("a", 1.0)
        await begun()
        (timer,) = loop.timers
        assert timer.when() == pytest.approx(loop.time() + 8.0, abs=1.0)

    with asyncio.Runner(loop_factory=NotingLoop) as runner:
        runner.run(check())


@on_loop
async def test_an_answer_may_ask_again_on_the_same_lane() -> None:
    bench = Bench(inline_rows=128)
    x_n1 = np.ones((1, 1), np.float32)

    def ask_again(_result: Outputs | Exception) -> None:
        bench.ask("again", 3.0)

    bench.lane.submit(FakeJob(Decoded(1, {"x": x_n1}, x_n1), ask_again))
    await passes(3)
    assert bench.answer("again") == [6.0]


@on_loop
async def test_a_run_that_got_no_thread_is_told_with_its_slice() -> None:
    bench = Bench(slice_s=0.0)
    bench.ask("a", 1.0)
    await bench.told("a")
    assert str(bench.answer("a")) == "no thread got to it within 0 s"


def test_a_run_that_is_past_its_slice_has_timed_out() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NotingLoop)
        bench = Bench(version := Doubler(), slice_s=60.0)
        bench.ask("a", 1.0)
        await begun()
        version.during = loop.fire
        bench.executor.pump()
        await passes()
        assert str(bench.answer("a")) == "no answer within 60 s"
        assert bench.error("a") == "RunTimedOut"
        assert [handle.terminated for handle in version.handles if handle] == [True]

    with asyncio.Runner(loop_factory=NotingLoop) as runner:
        runner.run(check())


def test_a_run_in_whose_slice_the_loop_stood_still_gets_that_time_anew_once() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NotingLoop)
        bench = Bench(slice_s=0.1)
        bench.ask("a", 1.0)
        await begun()
        stall(0.15)
        await bench.told("a")
        assert bench.error("a") == "RunCutShort"
        assert len(loop.timers) == 2

    with asyncio.Runner(loop_factory=NotingLoop) as runner:
        runner.run(check())


@on_loop
async def test_a_run_that_waits_for_its_thread_or_for_the_loop_is_told() -> None:
    bench = Bench()
    bench.ask("a", 1.0)
    await begun()
    stall(0.03)
    bench.executor.pump()
    stall(0.04)
    await passes()
    (out_s, ago_s), (back_s, now) = bench.waits
    assert out_s >= 0.03
    assert ago_s >= back_s >= 0.04
    assert now == 0.0


@on_loop
async def test_pending_rows_of_a_batch_are_put_together_at_once() -> None:
    bench = Bench(inline_rows=128)
    bench.ask_pending("a", 1.0)
    bench.ask_pending("b", 2.0, 3.0)
    await passes()
    assert bench.version.runs == [[1.0, 2.0, 3.0]]
    assert (bench.answer("a"), bench.answer("b")) == ([2.0], [4.0, 6.0])


@on_loop
async def test_rows_refused_when_they_are_looked_at_leave_their_neighbours_alone() -> None:
    bench = Bench(inline_rows=128)
    bench.ask_pending("a", 1.0)
    bench.ask_pending("bad", 5.0, POISON)
    bench.ask("b", 2.0)
    await passes()
    assert bench.version.runs == [[1.0, 2.0]]
    assert (bench.answer("a"), bench.answer("b"), bench.error("bad")) == ([2.0], [4.0], "ValueError")


@on_loop
async def test_rows_that_are_all_refused_cost_no_run() -> None:
    bench = Bench()
    bench.ask_pending("bad", POISON)
    await passes(2)
    assert bench.error("bad") == "ValueError"
    assert bench.executor.waiting == []


@on_loop
async def test_one_poisoned_request_among_many_is_found_by_halves() -> None:
    bench = Bench(inline_rows=128)
    for i in range(64):
        bench.ask(f"r{i}", POISON if i == 37 else float(i))
    await passes(40)
    assert bench.error("r37") == "RunFailed"
    assert [bench.answer(f"r{i}") for i in range(64) if i != 37] == [[2.0 * i] for i in range(64) if i != 37]
    assert len(bench.version.runs) == 13


@on_loop
async def test_a_job_whose_deadline_has_passed_is_not_run() -> None:
    bench = Bench(inline_rows=128)
    late = bench.ask("late", 5.0)
    bench.ask("b", 2.0)
    late.deadline = perf_counter() - 1.0
    await passes()
    assert bench.version.runs == [[2.0]]
    assert bench.error("late") == "LaneExpired"


@on_loop
async def test_a_job_that_cannot_make_its_deadline_is_refused_at_once() -> None:
    bench = Bench()
    bench.ask("a", 1.0, 2.0, 3.0)
    await begun()
    hasty = FakeJob(Decoded(1, {"x": np.ones((1, 1), np.float32)}, None), lambda _: None)
    hasty.deadline = perf_counter() + 2.0
    with pytest.raises(LaneLate):
        bench.lane.submit(hasty)
    hasty.deadline = perf_counter() + 60.0
    bench.lane.submit(hasty)
    assert bench.lane.queued_rows == 1


@on_loop
async def test_the_sizer_learns_from_every_run_that_succeeds_and_whether_it_was_full() -> None:
    bench = Bench(Doubler(max_batch_rows=2), inline_rows=2)
    for name, value in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("bad", POISON)):
        bench.ask(name, value)
    await passes(8)
    assert bench.sizer.seen == [(2, True), (1, False)]


@on_loop
async def test_a_version_that_fails_on_everything_costs_two_runs_a_request_and_serves_on() -> None:
    bench = Bench(inline_rows=128)
    for i in range(64):
        bench.ask(f"r{i}", POISON)
    await passes(200)
    assert [bench.error(f"r{i}") for i in range(64)] == ["RunFailed"] * 64
    assert len(bench.version.runs) == 127
    bench.ask("good", 1.0)
    await passes()
    assert bench.answer("good") == [2.0]


@on_loop
async def test_many_poisoned_requests_fail_none_but_themselves() -> None:
    bench = Bench(inline_rows=128)
    for i in range(100):
        bench.ask(f"r{i}", POISON if i % 2 else float(i))
    await passes(300)
    assert [bench.answer(f"r{i}") for i in range(0, 100, 2)] == [[2.0 * i] for i in range(0, 100, 2)]
    assert [bench.error(f"r{i}") for i in range(1, 100, 2)] == ["RunFailed"] * 50


@on_loop
async def test_pending_jobs_that_leave_the_queue_take_nobody_with_them() -> None:
    bench = Bench()
    bench.ask_pending("runs", 1.0)
    await begun()
    gone = bench.ask_pending("gone", 2.0)
    bench.ask_pending("stays", 3.0)
    gone.cancelled = True
    bench.executor.pump()
    await passes(3)
    bench.executor.pump()
    await passes()
    assert (bench.answer("runs"), bench.answer("stays")) == ([2.0], [6.0])
    assert "gone" not in bench.answers


@on_loop
async def test_jobs_that_nobody_waits_for_do_not_fill_the_queue() -> None:
    bench = Bench(queue_rows=3)
    bench.ask("runs", 1.0)
    await begun()
    for i in range(3):
        bench.ask(f"gone{i}", 1.0).cancelled = True
    bench.ask("a", 1.0)
    assert bench.lane.queued_rows == 1
    bench.ask("b", 1.0, 2.0)
    with pytest.raises(LaneFull):
        bench.ask("c", 1.0)
