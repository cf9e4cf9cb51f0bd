"""The thread of a version on probation: set back during a run, replaced for the next, and gone with its owner."""

import os
import sys
import threading
from concurrent.futures import Future

import pytest

from gateway.batching.own_thread import OwnThread
from gateway.gently import NICENESS


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
