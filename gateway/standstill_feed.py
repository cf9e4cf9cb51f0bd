"""The standstill feed: tells the watch when this worker's event loop did not turn, or a thread got no core."""

from __future__ import annotations

from collections.abc import Callable

from monitors.ports import Clock, FrameSink
from monitors.records import Standstill

__all__ = ["StandstillFeed"]

_LEAST_S = 0.1
_MOST_KEPT = 64


class StandstillFeed:
    """Looks at how late it is called, and takes word of lanes. Lives on the loop; two readings of the clock a call.

    Parameters
    ----------
    every_s
        Seconds between two calls of ``tick`` where the loop turns; what comes more than 100 ms later was kept from it,
        since the moment when it was due. So a standstill seems shorter than it was, by ``every_s`` at most.
    """

    def __init__(
        self,
        channel: FrameSink,
        encode: Callable[[Standstill], bytes],
        clock: Clock,
        *,
        worker: str,
        every_s: float,
    ) -> None:
        self._channel, self._encode, self._clock = channel, encode, clock
        self._worker, self._every_s = worker, every_s
        self._ticked_at, self._kept = clock.monotonic_s(), 0

    def keep(self, model: str, version: str, seconds: float, ended_ago_s: float = 0.0) -> None:
        """Tell that a run of a version waited so long for its thread; 64 times between two ticks at most."""
        if self._kept < _MOST_KEPT:
            self._kept += 1
            ended_at = self._clock.unix_s() - ended_ago_s
            self._channel.send(self._encode(Standstill(self._worker, ended_at - seconds, ended_at, model, version)))

    def tick(self) -> None:
        """Tell of a standstill, if this call is late; before what was answered since is sent."""
        self._kept, now_s = 0, self._clock.monotonic_s()
        late_s, self._ticked_at = now_s - self._ticked_at - self._every_s, now_s
        if late_s >= _LEAST_S:
            ended_at = self._clock.unix_s()
            self._channel.send(self._encode(Standstill(self._worker, ended_at - late_s, ended_at)))
