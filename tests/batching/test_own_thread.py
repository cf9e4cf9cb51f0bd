"""A thread for runs that may hang: lowered during one, replaced for the next, and gone with its owner."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.batching.own_thread import OwnThread, Patience, patience_s
from gateway.gently import NICENESS, set_aside


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class Hung:
    """A run that goes on until it is let go; then it tells its priority."""

    def __init__(self, thread: OwnThread) -> None:
        self._has_begun, self._may_end = threading.Event(), threading.Event()
        self._told: Future[int] = thread.submit(self._run)
        self._has_begun.wait()

    def _run(self) -> int:
        self._has_begun.set()
        self._may_end.wait()
        return priority()

    def let_go(self) -> int:
        self._may_end.set()
        return self._told.result()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_only_the_run_that_is_set_back_loses_its_priority() -> None:
    thread, usual = OwnThread("probation"), priority()
    assert thread.submit(priority).result() == usual
    hung = Hung(thread)
    thread.set_back()
    assert thread.submit(priority).result() == usual, "the next run has a thread of its own"
    assert hung.let_go() == max(NICENESS, usual)
    assert priority() == usual
    thread.shutdown()


def test_threads_end_with_their_owner_and_after_they_were_set_back() -> None:
    thread = OwnThread("probation-that-ends")
    hung = Hung(thread)
    thread.set_back()
    thread.submit(priority).result()
    ours = [one for one in threading.enumerate() if one.name.startswith("probation-that-ends")]
    assert len(ours) == 2
    hung.let_go()
    del thread, hung
    for one in ours:
        one.join()


def test_what_waits_behind_a_run_that_is_set_back_is_still_run() -> None:
    thread = OwnThread("probation")
    hung, behind = Hung(thread), thread.submit(threading.get_native_id)
    thread.set_back()
    hung.let_go()
    assert behind.result()
    thread.shutdown()


def policy() -> int:
    return os.sched_getscheduler(threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="the idle policy is Linux's")
def test_a_run_that_takes_too_much_of_a_core_is_set_aside_and_the_next_one_is_not() -> None:
    def burn() -> int:
        while policy() != os.SCHED_IDLE:
            pass
        return policy()

    async def run() -> tuple[int, int]:
        loop, thread = asyncio.get_running_loop(), OwnThread("shadow", set_aside)
        patience = Patience(loop, thread, patience_s(0.0))
        burnt = await loop.run_in_executor(thread, burn)
        patience.end()
        usual = await loop.run_in_executor(thread, policy)
        thread.shutdown()
        return burnt, usual

    assert asyncio.run(run()) == (os.SCHED_IDLE, policy())


def test_a_run_that_gets_no_core_keeps_its_priority_until_it_has_had_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    spent_s, timers, lowered = [5.0], list[tuple[float, Callable[[], None]]](), list[bool]()
    monkeypatch.setattr("gateway.batching.own_thread.process_time", lambda: spent_s[0])
    loop = SimpleNamespace(call_later=lambda delay_s, look: timers.append((delay_s, look)))
    thread = SimpleNamespace(set_back=lambda: lowered.append(True))
    Patience(cast(Any, loop), cast(Any, thread), 0.01)
    spent_s[0] += 0.004
    timers[-1][1]()
    assert [delay_s for delay_s, _ in timers] == pytest.approx([0.01, 0.006])
    assert not lowered
    spent_s[0] += 0.007
    timers[-1][1]()
    assert lowered == [True]
    assert len(timers) == 2


@pytest.mark.parametrize(("expected_s", "patient_s"), [(0.0, 0.01), (1e-3, 0.01), (0.01, 0.08)])
def test_a_run_hangs_after_ten_milliseconds_and_eight_times_what_it_should_take(
    expected_s: float, patient_s: float
) -> None:
    assert patience_s(expected_s) == pytest.approx(patient_s)
