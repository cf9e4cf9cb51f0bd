"""The tap: answers become observations for the watch. Never waits, samples, drops and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

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
_IDLE_FLUSHES = 6
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
        """Send what is collected; called three times a second by the owner."""
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
        for held in stream.held.values():
            if not held.counts:  # the first of its layout was refused
                continue
            observation = self._observation(stream, held)
            count = stream.sampled if self._channel.send(self._encode(observation)) else stream.dropped
            count.inc(len(observation.request_ids))
        stream.held.clear()
        stream.rows = 0

    def _observation(self, stream: _Stream, held: _Held) -> Observation:
        """Put together what was kept, column by column."""
        servable, counts = stream.arm.servable, held.counts
        rows = sum(counts)
        scores_nk = _put_together(held.scores, held.layout.scores, rows)
        return Observation(
            key=StreamKey(servable.model, servable.version, servable.digest, stream.arm.variant),
            worker=self._worker,
            route_revision=held.layout.revision,
            sampled_ratio=stream.sampler.ratio,
            request_ids=tuple(chain.from_iterable(map(repeat, held.request_ids, counts))),
            answered_at_n=np.repeat(held.answered_at, counts),
            key_hashes_n=np.repeat(np.array([self._key(key) for key in held.keys], np.uint64), counts),
            values_nd=_put_together(held.values, held.layout.values, rows),
            labels_n=servable.reader.codes_of(held.labels or None, scores_nk, rows),
            scores_nk=scores_nk,
            durations_n=np.repeat(np.array(held.durations_s, np.float32), counts),
            flags_n=held.flags_n(),
        )

    def _key(self, key: str | None) -> int:
        return key_hash(self._key_salt, key) if key else 0


class _Layout(NamedTuple):
    """What rows share that are put together: the revision of their route, and dtype and width of their numbers."""

    revision: int
    values: tuple[np.dtype[Any], int] | None
    scores: tuple[np.dtype[Any], int] | None

    @classmethod
    def of(cls, call: Call) -> _Layout:
        run = call.run
        values_nd = call.decoded.values_nd if run.values_nd is None else run.values_nd
        scores_nk = run.outputs.run.scores_nk
        return cls(
            call.route.revision,
            None if values_nd is None else (values_nd.dtype, values_nd.shape[1]),
            None if scores_nk is None else (scores_nk.dtype, scores_nk.shape[1]),
        )


class _Held:
    """What is kept of sampled requests until the next flush, an entry each.

    Their numbers are copied at once, while they are in a core's cache, and as bytes, which costs a third of an array;
    nothing of a run is held: to let go of the others in it at the flush, a third of a second later, costs more.
    """

    __slots__ = (
        "answered_at", "counts", "durations_s", "keys", "labels", "layout", "marked", "request_ids", "scores", "values",
    )  # fmt: skip

    def __init__(self, layout: _Layout) -> None:
        self.layout = layout
        self.counts: list[int] = []
        self.request_ids: list[str] = []
        self.keys: list[str | None] = []
        self.durations_s: list[float] = []
        self.answered_at: list[float] = []
        self.values: list[bytes] = []
        self.scores: list[bytes] = []
        self.labels: list[Any] = []
        self.marked: list[tuple[int, npt.NDArray[np.uint16]]] = []

    def add(self, call: Call, count: int, now_s: float) -> None:
        """Keep the first rows of an answered call, so many.

        Raises
        ------
        ValueError
            The model answered fewer rows than it was asked for.
        """
        run, start, decoded = call.run, call.start or 0, call.decoded
        outputs, stop = run.outputs, start + count
        scores_nk, labels = outputs.run.scores_nk, outputs.labels_list()
        for answered in (scores_nk, labels):
            if answered is not None and len(answered) < stop:
                raise ValueError(f"expected answers for {stop} rows, found {len(answered)}")
        if not outputs.is_finite or call.is_fallback or decoded.flags_n is not None:
            self.marked.append((len(self.counts), _flags(call, count)))
        self.counts.append(count)
        self.request_ids.append(call.request_id)
        self.keys.append(call.key)
        self.durations_s.append(call.total_s)
        self.answered_at.append(now_s)
        if run.values_nd is not None:
            self.values.append(run.values_nd[start:stop].tobytes())
        elif decoded.values_nd is not None:
            self.values.append(decoded.values_nd[:count].tobytes())
        if scores_nk is not None:
            self.scores.append(scores_nk[start:stop].tobytes())
        if labels is not None:
            self.labels += labels[start:stop]

    def flags_n(self) -> npt.NDArray[np.uint16]:
        """Return the flags of each row."""
        stops = np.cumsum(self.counts)
        flags_n: npt.NDArray[np.uint16] = np.zeros(stops[-1], np.uint16)
        for at, marked_n in self.marked:
            flags_n[stops[at] - len(marked_n) : stops[at]] = marked_n
        return flags_n


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
        self.held: dict[_Layout, _Held] = {}
        self.rows = self.idle_flushes = 0

    def add(self, calls: Sequence[Call], rows_of: Sequence[int], now_s: float) -> None:
        skipped, route, held = sum(rows_of), None, None
        for index, count in self.sampler.pick(rows_of, now_s):
            call = calls[index]
            if held is None or call.route is not route or call.run.values_nd is None:
                route, held = call.route, self._like(call)
            held.add(call, count, now_s)
            self.rows += count
            skipped -= count
        if skipped:
            self.skipped.inc(skipped)

    def _like(self, call: Call) -> _Held:
        layout = _Layout.of(call)
        held = self.held.get(layout)
        if held is None:
            held = self.held[layout] = _Held(layout)
        return held


def _flags(call: Call, count: int) -> npt.NDArray[np.uint16]:
    flags_n: npt.NDArray[np.uint16] = np.zeros(count, np.uint16)
    if call.decoded.flags_n is not None:
        flags_n |= call.decoded.flags_n[:count]
    if call.is_fallback:
        flags_n |= FALLBACK_FLAG
    if not call.run.outputs.is_finite:
        flags_n[call.outputs.broken_n(call.decoded.n)[:count]] |= BROKEN_FLAG
    return flags_n


def _put_together(parts: list[bytes], like: tuple[np.dtype[Any], int] | None, rows: int) -> npt.NDArray[np.float64]:
    """Return the rows of all parts as float64; a matrix without columns where the version has none."""
    if like is None:
        return np.empty((rows, 0), np.float64)
    dtype, width = like
    return np.frombuffer(b"".join(parts), dtype).reshape(rows, width).astype(np.float64)
