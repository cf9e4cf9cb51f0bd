"""A thread of its own for runs that may hang: it loses its priority when one does not end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from time import process_time
from typing import Any, TypeVar

from gateway.gently import set_back

__all__ = ["OwnThread", "Patience", "patience_s"]

_PATIENT_S, _PATIENT_RUNS = 0.01, 8

_T = TypeVar("_T")


def patience_s(expected_s: float) -> float:
    """Return how long a run may take before it is taken for one that hangs: 10 ms, and 8 times what it should."""
    return max(_PATIENT_S, _PATIENT_RUNS * expected_s)


class OwnThread(Executor):
    """Runs what is submitted in one thread, in order. Belongs to one other thread; that of the event loop.

    Parameters
    ----------
    name
        Prefix of the thread's name.
    lower
        Takes a thread's native id and lowers its priority.

    Notes
    -----
    A thread that was set back stays so, and ends with what it runs: the next run gets another one. The thread ends with
    this object too.
    """

    def __init__(self, name: str, lower: Callable[[int], None] = set_back) -> None:
        self._name, self._lower = name, lower
        self._renew()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Run a function behind those before it."""
        return self._pool.submit(fn, *args, **kwargs)

    def set_back(self) -> None:
        """Lower the priority of what is running."""
        for native_id in self._native_ids:
            with suppress(OSError):  # forbidden in some sandboxes: then it goes on as it is
                self._lower(native_id)
        self._pool.shutdown(wait=False)
        self._renew()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _renew(self) -> None:
        self._native_ids = ids = list[int]()
        self._pool = ThreadPoolExecutor(
            1, thread_name_prefix=self._name, initializer=lambda: ids.append(threading.get_native_id())
        )


class Patience:
    """Lowers the priority of what a thread runs once the process has spent so much CPU time from now on.

    Time on a core and not on the clock: a run that gets no core hangs as little as it disturbs. Belongs to the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: OwnThread, cpu_s: float) -> None:
        self._loop, self._thread, self._until_s = loop, thread, process_time() + cpu_s
        self._timer = loop.call_later(cpu_s, self._look)

    def end(self) -> None:
        """Take note that the run has ended."""
        self._timer.cancel()

    def _look(self) -> None:
        left_s = self._until_s - process_time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._thread.set_back()
