"""Where the time of a request goes, on a sample: waiting and running apart from what the gateway itself adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.metrics.shared import SharedCounters
from monitors.records import Variant

if TYPE_CHECKING:
    from gateway.batching.jobs import Run
    from gateway.call import Call

__all__ = ["PhaseTimes"]

_EVERY = 8
"""Of so many runs one is looked at: a fixed count, since a fixed time would prefer long runs."""


class PhaseTimes:
    """Observes ``weir_phase_duration_seconds`` of one request of every eighth run of an arm. On the event loop.

    ``decode`` lasts from the first byte to the queue (a canary's failed attempt included where stable answers for it;
    of calls that are decoded together, an equal share), ``queue`` from there to the run, ``encode`` is the writing of
    the answer, ``overhead`` is everything but waiting and running. The run itself is
    ``weir_inference_duration_seconds``.

    Notes
    -----
    2.7 us for the run that is looked at, 0.08 us for each other, so 0.4 us a run on average.
    """

    __slots__ = ("_decode", "_encode", "_overhead", "_queue", "_turn")

    def __init__(self, counters: SharedCounters, model: str, variant: Variant) -> None:
        self._decode, self._queue, self._encode, self._overhead = (
            counters.histogram("weir_phase_duration_seconds", model=model, variant=variant, phase=phase)
            for phase in ("decode", "queue", "encode", "overhead")
        )
        self._turn = -1

    def is_next(self) -> bool:
        """Count a run; return whether it is one to look at."""
        self._turn = turn = self._turn + 1
        return not turn % _EVERY

    def observe(self, calls: Sequence[Call], run: Run, replied_s: float) -> None:
        """Look at one of the calls that a run answered; ``replied_s`` is what the replies to all took together."""
        call = calls[self._turn // _EVERY % len(calls)]
        waited_s, encoded_s = run.started_at - call.queued_at, replied_s / len(calls)
        self._decode.observe(call.queued_at - call.received_at)
        self._queue.observe(waited_s)
        self._encode.observe(encoded_s)
        self._overhead.observe(max(0.0, call.total_s - waited_s - run.seconds) + encoded_s)
