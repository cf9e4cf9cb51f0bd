"""Work that may wait, in a thread that the scheduler sets back behind the event loop."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

__all__ = ["NICENESS", "gently", "set_aside", "set_back"]

# A tenth of a core while the loop is busy. Lower still would leave the interpreter's lock with one that never runs.
NICENESS: Final = 10
_T = TypeVar("_T")


def gently(function: Callable[..., _T], *args: object) -> _T:
    """Call a function in a thread of its own and low priority, and wait for it.

    Loading 100 MB on the one core of a loop that is 60 % busy held each of its steps up by 48 ms; set back, by less
    than 0.1 ms at the median and 4 ms at the 99th percentile, and the load took a third longer.

    Notes
    -----
    Threads that the function starts inherit the priority and cannot get rid of it. Linux only; elsewhere priorities are
    those of processes, and the function is merely called in a thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="weir-gently", initializer=_step_back) as thread:
        return thread.submit(function, *args).result()


def set_back(native_id: int) -> None:
    """Set a thread of this process back, for good: only a privileged process may raise a priority again."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, native_id, max(NICENESS, os.getpriority(os.PRIO_PROCESS, native_id)))


def set_aside(native_id: int) -> None:
    """Let a thread of this process run only while nobody else wants its core, for good.

    One that is merely set back keeps the core for its time slice: on the core of an event loop that is half busy it
    doubles the loop's median answer. Others of its process wait as long as it does whenever it holds the interpreter's
    lock, so it is for a process that nobody waits for.
    """
    if sys.platform == "linux":
        os.sched_setscheduler(native_id, os.SCHED_IDLE, os.sched_param(0))


def _step_back() -> None:
    set_back(threading.get_native_id())
