"""Whether a run may hold the event loop for longer than others may, since nobody is there who would wait for it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Solitude", "Traffic"]

_ALONE_BEFORE = 8
_OVERRUN, _AWAY_RUNS = 2.0, 64


class Traffic(Protocol):
    """The requests of this worker: ``gateway.admission.gate.Gate``."""

    @property
    def in_flight(self) -> int:
        """Requests let in and not yet counted out."""

    @property
    def entered(self) -> int:
        """Requests let in since the start."""


class Solitude:
    """Whether all requests of this worker are a lane's own, and have been for some runs.

    Behind the run of an only request nobody collects the next batch. Behind that of several somebody does, which is
    worth the way to a thread and back where another core is free for it; where the worker has but one, it is not.

    That no other lane has a request when a run begins does not say that nobody waits: of two clients who take turns,
    each comes while the run for the other holds the loop, and is alone by the time it is read. So no other request may
    have come since this lane's eighth last run. One that took far longer than it may keeps the lane away for a while.

    Parameters
    ----------
    traffic
        What is in flight, and has come, of all lanes.
    above_s, most_s
        Seconds that such a run is expected to take: more than any run may hold the loop for, since a shorter one that
        is not there has been sent away, and at most so many. ``most_s`` 0 is for never.
    has_one_core
        Whether a thread would share the loop's core.

    Notes
    -----
    Pure, not safe from several threads.

    Examples
    --------
    >>> from types import SimpleNamespace as Counts
    >>> traffic = Counts(in_flight=1, entered=1)
    >>> solitude = Solitude(traffic, above_s=0.5e-3, most_s=5e-3)
    >>> for traffic.entered in range(1, 10): spares = solitude.spares(2e-3, in_flight=1, entered=traffic.entered)
    >>> spares
    True
    >>> traffic.entered = 11  # its next request, and somebody else's before it
    >>> solitude.spares(2e-3, in_flight=1, entered=10)
    False
    """

    def __init__(self, traffic: Traffic, *, above_s: float, most_s: float, has_one_core: bool = False) -> None:
        self._traffic, self._above_s, self._most_s = traffic, above_s, most_s
        self._has_one_core = has_one_core
        self._others_entered = self._alone_runs = self._away_runs = 0

    def spares(self, cost_s: float, *, in_flight: int, entered: int) -> bool:
        """Return whether a run may hold the loop; to be asked before every run that else may not.

        Parameters
        ----------
        cost_s
            Seconds that it is expected to take.
        in_flight, entered
            Requests of this lane that are in flight, and have come since the start.
        """
        traffic, before = self._traffic, self._others_entered
        self._others_entered = traffic.entered - entered
        is_alone = self._others_entered == before and traffic.in_flight == in_flight
        self._alone_runs = self._alone_runs + 1 if is_alone and (in_flight == 1 or self._has_one_core) else 0
        if self._away_runs:
            self._away_runs -= 1
            return False
        return self._alone_runs > _ALONE_BEFORE and self._above_s < cost_s <= self._most_s

    def took(self, seconds: float) -> None:
        """Take note of how long a run held the loop."""
        if seconds > _OVERRUN * self._most_s:
            self._away_runs = _AWAY_RUNS
