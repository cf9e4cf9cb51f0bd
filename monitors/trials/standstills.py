"""Standstills: what a request lost to an event loop that did not turn is the host's fault, and no version's."""

from __future__ import annotations

from collections import deque

from monitors.records import Standstill

__all__ = ["Standstills"]

_MOST_WORKERS, _MOST_OF_ONE = 256, 64


class Standstills:
    """The latest standstills of each worker, at most 64 of 256 workers.

    A stall of the host hits both arms, but not alike: who takes longer anyway, as a canary in a thread of its own does,
    has more requests under way than its weight says, and so more that a stall makes late.

    Examples
    --------
    >>> standstills = Standstills()
    >>> standstills.note(Standstill("w", 10.0, 11.0))
    >>> standstills.lost_s("w", 10.5, 12.0), standstills.lost_s("v", 10.5, 12.0)
    (0.5, 0.0)
    """

    def __init__(self) -> None:
        self._of_worker: dict[str, deque[Standstill]] = {}

    def note(self, found: Standstill) -> None:
        """Take one; a worker's come in order."""
        if found.worker not in self._of_worker and len(self._of_worker) >= _MOST_WORKERS:
            del self._of_worker[next(iter(self._of_worker))]
        self._of_worker.setdefault(found.worker, deque(maxlen=_MOST_OF_ONE)).append(found)

    def lost_s(self, worker: str, began_at: float, ended_at: float) -> float:
        """Return how much of a request's time its worker stood still."""
        shares = (min(ended_at, one.ended_at) - max(began_at, one.began_at) for one in self._of_worker.get(worker, ()))
        return sum((share for share in shares if share > 0), 0.0)
