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
        """Put together what was kept, column by column."""
        servable = stream.arm.servable
        rows = sum(len(kept.request_ids) for kept in held)
        scores_nk = _put_together([kept.scores_nk for kept in held], rows)
        labels = [label for kept in held for label in kept.labels]
        return Observation(
            key=StreamKey(servable.model, servable.version, servable.digest, stream.arm.variant),
            worker=self._worker,
            route_revision=revision,
            sampled_ratio=stream.sampler.ratio,
            request_ids=tuple(name for kept in held for name in kept.request_ids),
            answered_at_n=np.repeat([kept.now_s for kept in held], [len(kept.request_ids) for kept in held]),
            key_hashes_n=np.array([self._key(key) for kept in held for key in kept.keys], np.uint64),
            values_nd=_put_together([part for kept in held for part in kept.values], rows),
            labels_n=servable.reader.codes_of(labels or None, scores_nk, rows),
            scores_nk=scores_nk,
            durations_n=np.array([total_s for kept in held for total_s in kept.durations_s], np.float32),
            flags_n=np.concatenate([kept.flags() for kept in held]),
        )

    def _key(self, key: str | None) -> int:
        return key_hash(self._key_salt, key) if key else 0


class _Kept:
    """The rows of one run under one route that are sampled.

    They are copied at once, while they are in a core's cache, and hold nothing of the run: to let go of the others in
    it at the next flush, a tenth of a second later, costs more than the copy.
    """

    __slots__ = (
        "_marked_n", "durations_s", "keys", "labels", "now_s", "request_ids", "revision", "scores_nk", "values",
    )  # fmt: skip

    def __init__(self, revision: int, calls: list[Call], counts: list[int], now_s: float) -> None:
        self.revision, self.now_s = revision, now_s
        run, each = calls[0].run, calls
        starts = [call.start or 0 for call in calls]
        at = starts
        if max(counts) > 1:
            at = [row for start, count in zip(starts, counts, strict=True) for row in range(start, start + count)]
            each = [call for call, count in zip(calls, counts, strict=True) for _ in range(count)]
        self.request_ids = [call.request_id for call in each]
        self.keys = [call.key for call in each]
        self.durations_s = [call.total_s for call in each]
        scores_nk, labels = run.outputs.run.scores_nk, run.outputs.labels_list()
        self.scores_nk = None if scores_nk is None else scores_nk.take(at, axis=0)
        self.labels: list[Any] = [labels[row] for row in at] if labels else []
        self.values = _values(calls, counts, at)
        is_plain = run.outputs.is_finite and not any(
            call.decoded.flags_n is not None or call.is_fallback for call in calls
        )
        self._marked_n = None if is_plain else _flags(calls, counts)

    def flags(self) -> npt.NDArray[np.uint16]:
        """Return the flags of each row."""
        return np.zeros(len(self.request_ids), np.uint16) if self._marked_n is None else self._marked_n


def _values(calls: list[Call], counts: list[int], at: list[int]) -> list[npt.NDArray[Any] | None]:
    """Return raw features, (n, d) together: of rows that were stacked at once, of others a call."""
    values_nd = calls[0].run.values_nd
    if values_nd is not None:
        return [values_nd.take(at, axis=0)]
    each = zip((call.values_nd for call in calls), counts, strict=True)
    return [None if part is None else part[:count].copy() for part, count in each]


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
            self.rows += len(kept.request_ids)
            skipped -= len(kept.request_ids)
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
