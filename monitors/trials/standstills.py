"""Standstills: what a request lost to a host that gave its worker no core is the host's fault, and no version's."""

from __future__ import annotations

from collections import deque
from heapq import merge
from itertools import takewhile

from monitors.records import Standstill

__all__ = ["Standstills"]

_MOST_SUBJECTS, _MOST_OF_ONE = 1_024, 256


class Standstills:
    """The latest standstills of workers and of the versions on them, at most 256 of 1,024 of these.

    A stall of the host hits both arms, but not alike: who takes longer anyway, as a canary in a thread of its own does,
    has more requests under way than its weight says, and so more that a stall makes late.

    Examples
    --------
    >>> standstills = Standstills()
    >>> standstills.note(Standstill("w", 10.0, 11.0))
    >>> standstills.note(Standstill("w", 10.9, 11.2, "fraud", "2"))
    >>> [round(standstills.lost_s("w", version, 10.5, 12.0), 3) for version in "12"]
    [0.5, 0.7]
    """

    def __init__(self) -> None:
        self._of_subject: dict[tuple[str, str], deque[Standstill]] = {}

    def note(self, found: Standstill) -> None:
        """Take one of a model's, or of a worker's loop; those of a subject come in order."""
        subject = found.worker, found.version
        if subject not in self._of_subject and len(self._of_subject) >= _MOST_SUBJECTS:
            del self._of_subject[next(iter(self._of_subject))]
        self._of_subject.setdefault(subject, deque(maxlen=_MOST_OF_ONE)).append(found)

    def lost_s(self, worker: str, version: str, began_at: float, ended_at: float) -> float:
        """Return how much of a request's time its worker stood still, or the version's thread; both at once is once."""
        each = (
            takewhile(lambda one: one.ended_at > began_at, reversed(self._of_subject.get(subject, ())))
            for subject in ((worker, ""), (worker, version))
        )
        lost_s, counted_from = 0.0, ended_at
        for one in merge(*each, key=lambda one: one.ended_at, reverse=True):
            share_s = min(counted_from, one.ended_at) - max(began_at, one.began_at)
            if share_s > 0:
                lost_s, counted_from = lost_s + share_s, max(began_at, one.began_at)
        return lost_s
