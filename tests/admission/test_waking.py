"""The event loop's scheduling policy while requests are shed."""

import os

from gateway.admission.waking import Waking


def test_the_loop_interrupts_no_run_while_requests_are_shed() -> None:
    waking = Waking()
    before = os.sched_getscheduler(0)
    try:
        found = []
        for is_shedding in (False, True, True, False):
            waking.follow(is_shedding)
            found.append(os.sched_getscheduler(0))
        assert found == [before, os.SCHED_BATCH, os.SCHED_BATCH, os.SCHED_OTHER]
    finally:
        waking.follow(False)
