"""The thread budget of one process: how many threads its sessions may use together."""

from __future__ import annotations

import os
import threading
from weakref import WeakKeyDictionary

__all__ = ["ThreadBudget", "cores_of_one_worker"]


def cores_of_one_worker(workers: int) -> int:
    """Return how many of the cores that this process may use fall to one of ``workers``; at least one."""
    try:
        free = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such mask
        free = os.cpu_count() or 1
    return max(1, free // max(1, workers))


class ThreadBudget:
    """Grants threads to versions that ask for more than one. Safe from any thread.

    A version of one thread runs on the thread that calls it and takes nothing. What versions of one model are granted
    counts once, as much as the largest: traffic moves between them, and a new version must not get less than the one
    that it replaces because that is still loaded. A grant ends when its owner is gone.

    Parameters
    ----------
    total
        Threads for all models together.

    Examples
    --------
    >>> class Version: pass
    >>> budget, fraud = ThreadBudget(4), Version()
    >>> budget.grant("fraud", 3)
    3
    >>> budget.hold(fraud, "fraud", 3)
    >>> budget.grant("iris", 4), budget.grant("fraud", 4)
    (1, 4)
    >>> del fraud
    >>> budget.grant("iris", 4)
    4
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._held: WeakKeyDictionary[object, tuple[str, int]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def grant(self, model: str, asked: int) -> int:
        """Return how many threads a version of a model may have; 1 is always granted."""
        taken: dict[str, int] = {}
        with self._lock:
            held = list(self._held.values())
        for name, threads in held:
            if name != model:
                taken[name] = max(taken.get(name, 0), threads)
        return max(1, min(asked, self.total - sum(taken.values())))

    def hold(self, owner: object, model: str, threads: int) -> None:
        """Keep a grant for as long as ``owner`` lives."""
        if threads > 1:
            with self._lock:
                self._held[owner] = (model, threads)
