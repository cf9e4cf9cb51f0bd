"""The tap: answers become observations for the watch. Never waits, samples, drops and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.arm import Arm
from gateway.call import Call
from gateway.metrics.shared import Counter, Gauge, SharedCounters
from gateway.routing.split import key_hash
from gateway.sampling import RateSampler
from monitors.ports import Clock, FrameSink
from monitors.records import BROKEN_FLAG, FALLBACK_FLAG, Observation, StreamKey

__all__ = ["Tap"]

_FLUSH_ROWS = 512
_IDLE_FLUSHES = 20
"""Two seconds. An arm that left and answered once more is held so long, and with it the memory of its version."""


class Tap:
    """Collect sampled answers by arm and send them as frames; a full channel drops and counts. Lives on the loop.

    Parameters
    ----------
    encode
        Turns an observation into a frame.
    key_salt
        Salt of the routing-key hashes in observations, at most 64 bytes.
    """

    def __init__(
        self,
        channel: FrameSink,
        encode: Callable[[Observation], bytes],
        counters: SharedCounters,
        clock: Clock,
        *,
        worker: str,
        rows_per_s: int,
        key_salt: bytes,
    ) -> None:
        self._channel, self._encode, self._counters, self._clock = channel, encode, counters, clock
        self._worker, self._rows_per_s, self._key_salt = worker, rows_per_s, key_salt
        self._streams: dict[Arm, _Stream] = {}

    def take(self, calls: Sequence[Call], rows_of: Sequence[int]) -> None:
        """Sample the answered calls of one run, each with its number of rows.

        One that is not kept costs nothing; arrays are packed when flushed.
        """
        arm = calls[0].arm
        stream = self._streams.get(arm)
        if stream is None:
            stream = self._streams[arm] = _Stream(arm, self._counters, self._rows_per_s)
        stream.idle_flushes = 0
        stream.add(calls, rows_of, self._clock.unix_s())
        if stream.rows >= _FLUSH_ROWS:
            self._send(stream)

    def flush(self) -> None:
        """Send what is collected; called every tenth of a second by the owner."""
        for arm, stream in list(self._streams.items()):
            stream.ratio.set(stream.sampler.ratio)
            if stream.rows:
                self._send(stream)
            stream.idle_flushes += 1
            if stream.idle_flushes > _IDLE_FLUSHES:
                del self._streams[arm]  # of an arm that answered once more after it was forgotten, for one

    def forget(self, arms: set[Arm]) -> None:
        """Send and drop the streams of arms that are no longer routed."""
        for arm in arms & self._streams.keys():
            stream = self._streams.pop(arm)
            if stream.rows:
                self._send(stream)

    def _send(self, stream: _Stream) -> None:
        groups: dict[int, list[_Kept]] = {}
        for kept in stream.held:
            groups.setdefault(kept.revision, []).append(kept)
        for revision, group in groups.items():
            observation = self._observation(stream, revision, group)
            count = stream.sampled if self._channel.send(self._encode(observation)) else stream.dropped
            count.inc(len(observation.request_ids))
        stream.held.clear()
        stream.rows = 0

    def _observation(self, stream: _Stream, revision: int, held: list[_Kept]) -> Observation:
        """Pack calls, column by column: a few numpy calls for a run and for all of them instead of a dozen a call."""
        counts = [count for kept in held for count in kept.counts]
        calls = [call for kept in held for call in kept.calls]
        servable = stream.arm.servable
        scores_nk = _put_together([kept.scores_nk() for kept in held], sum(counts))
        labels = [label for kept in held for label in kept.labels()]
        return Observation(
            key=StreamKey(servable.model, servable.version, servable.digest, stream.arm.variant),
            worker=self._worker,
            route_revision=revision,
            sampled_ratio=stream.sampler.ratio,
            request_ids=tuple(c.request_id for c, k in zip(calls, counts, strict=True) for _ in range(k)),
            answered_at_n=np.repeat([kept.now_s for kept in held], [len(kept.at) for kept in held]),
            key_hashes_n=np.repeat(np.array([self._key(c) for c in calls], np.uint64), counts),
            values_nd=_put_together([part for kept in held for part in kept.values()], sum(counts)),
            labels_n=servable.reader.codes_of(labels or None, scores_nk, len(scores_nk)),
            scores_nk=scores_nk,
            durations_n=np.repeat(np.array([c.total_s for c in calls], np.float32), counts),
            flags_n=_flags(calls, counts),
        )

    def _key(self, call: Call) -> int:
        return key_hash(self._key_salt, call.key) if call.key else 0


class _Kept:
    """The calls of one run under one route that are sampled; ``at`` is where their kept rows are in the run."""

    __slots__ = ("at", "calls", "counts", "now_s", "revision")

    def __init__(self, revision: int, calls: list[Call], counts: list[int], now_s: float) -> None:
        self.revision, self.calls, self.counts, self.now_s = revision, calls, counts, now_s
        starts = [call.span.start or 0 for call in calls]
        each = zip(starts, counts, strict=True)
        self.at = starts if max(counts) == 1 else [row for start, count in each for row in range(start, start + count)]

    def scores_nk(self) -> npt.NDArray[Any] | None:
        scores_nk = self.calls[0].run.outputs.run.scores_nk
        return None if scores_nk is None else scores_nk[self.at]

    def labels(self) -> list[Any]:
        labels = self.calls[0].run.outputs.labels_list()
        return [labels[row] for row in self.at] if labels else []

    def values(self) -> list[npt.NDArray[Any] | None]:
        """Return raw features, (n, d) together: of rows that were stacked at once, of others a call."""
        values_nd = self.calls[0].run.values_nd
        if values_nd is not None:
            return [values_nd[self.at]]
        each = zip((call.values_nd for call in self.calls), self.counts, strict=True)
        return [None if part is None else part[:count] for part, count in each]


class _Stream:
    """What is held back for one arm until the next flush, and its counters."""

    __slots__ = ("arm", "dropped", "held", "idle_flushes", "ratio", "rows", "sampled", "sampler", "skipped")

    def __init__(self, arm: Arm, counters: SharedCounters, rows_per_s: int) -> None:
        labels = {"model": arm.model, "version": arm.version, "variant": arm.variant}
        name = "weir_monitor_observations_total"
        self.arm = arm
        self.sampler = RateSampler(rows_per_s, seed=0)
        self.sampled: Counter = counters.counter(name, **labels, result="sampled")
        self.skipped: Counter = counters.counter(name, **labels, result="skipped")
        self.dropped: Counter = counters.counter(name, **labels, result="dropped")
        self.ratio: Gauge = counters.gauge("weir_monitor_sampled_ratio", **labels)
        self.held: list[_Kept] = []
        self.rows = self.idle_flushes = 0

    def add(self, calls: Sequence[Call], rows_of: Sequence[int], now_s: float) -> None:
        skipped = sum(rows_of)
        picked = self.sampler.pick(rows_of, now_s)
        for revision, some in groupby(picked, key=lambda one: calls[one[0]].route.revision):
            indices, counts = zip(*some, strict=True)
            kept = _Kept(revision, [calls[index] for index in indices], list(counts), now_s)
            self.held.append(kept)
            self.rows += len(kept.at)
            skipped -= len(kept.at)
        if skipped:
            self.skipped.inc(skipped)


def _flags(calls: Sequence[Call], counts: Sequence[int]) -> npt.NDArray[np.uint16]:
    flags_n: npt.NDArray[np.uint16] = np.zeros(sum(counts), np.uint16)
    stop = 0
    for call, kept in zip(calls, counts, strict=True):
        start, stop = stop, stop + kept
        if call.decoded.flags_n is not None:
            flags_n[start:stop] |= call.decoded.flags_n[:kept]
        if call.is_fallback:
            flags_n[start:stop] |= FALLBACK_FLAG
        if not call.run.outputs.is_finite:
            flags_n[start:stop][call.outputs.broken_n(call.decoded.n)[:kept]] |= BROKEN_FLAG
    return flags_n


def _put_together(parts: Sequence[npt.NDArray[Any] | None], rows: int) -> npt.NDArray[np.float64]:
    """Return the rows of all parts as float64; a matrix without columns where the version has none."""
    if parts[0] is None:
        return np.empty((rows, 0), np.float64)
    return np.concatenate([part for part in parts if part is not None], dtype=np.float64)
