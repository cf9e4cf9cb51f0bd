"""The one thread of a version on probation, which loses its priority when a run in it does not end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from gateway.gently import set_back

__all__ = ["OwnThread"]

_T = TypeVar("_T")


class OwnThread(Executor):
    """Runs what is submitted in one thread, in order. Belongs to one other thread; that of the event loop.

    Parameters
    ----------
    name
        Prefix of the thread's name.

    Notes
    -----
    A thread that was set back stays so, and ends with what it runs: the next run gets another one. The thread ends with
    this object too.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._renew()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Run a function behind those before it."""
        return self._pool.submit(fn, *args, **kwargs)

    def set_back(self) -> None:
        """Set what is running back behind everything else in the process."""
        for native_id in self._native_ids:
            with suppress(OSError):  # forbidden in some sandboxes: then it goes on as it is
                set_back(native_id)
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
