"""The tap: answers become observations for the watch. Never waits, samples, drops and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.arm import Arm
from gateway.metrics.shared import Counter, Gauge, SharedCounters
from gateway.pipeline import Answer
from gateway.routing.split import key_hash
from gateway.sampling import RateSampler
from monitors.ports import Clock, FrameSink
from monitors.records import BROKEN_FLAG, FALLBACK_FLAG, Observation, StreamKey

__all__ = ["Tap"]

_FLUSH_ROWS = 512
_IDLE_FLUSHES = 600


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

    def take(self, answer: Answer) -> None:
        """Sample one answer. Costs a microsecond when it is not kept; the arrays are packed at the next flush."""
        stream = self._streams.get(answer.arm)
        if stream is None:
            stream = self._streams[answer.arm] = _Stream(answer.arm, self._counters, self._rows_per_s)
        stream.idle_flushes = 0
        now_s = self._clock.unix_s()
        kept = stream.sampler.keep(answer.decoded.n, now_s)
        if not kept:
            stream.skipped.inc(answer.decoded.n)
            return
        if kept < answer.decoded.n:
            stream.skipped.inc(answer.decoded.n - kept)
        stream.add(answer, kept, now_s)
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
        groups: dict[int, list[tuple[Answer, int, float]]] = {}
        for held in stream.held:
            groups.setdefault(held[0].revision, []).append(held)
        for revision, group in groups.items():
            observation = self._observation(stream, revision, group)
            count = stream.sampled if self._channel.send(self._encode(observation)) else stream.dropped
            count.inc(len(observation.request_ids))
        stream.held.clear()
        stream.rows = 0

    def _observation(self, stream: _Stream, revision: int, held: list[tuple[Answer, int, float]]) -> Observation:
        counts = [kept for _, kept, _ in held]
        answers = [answer for answer, _, _ in held]
        servable = stream.arm.servable
        codes = servable.reader.label_codes
        labels = [codes(a.outputs, a.decoded.n)[:k] for a, k in zip(answers, counts, strict=True)]
        flags = [_flags(answer)[:kept] for answer, kept, _ in held]
        return Observation(
            key=StreamKey(servable.model, servable.version, servable.digest, stream.arm.variant),
            worker=self._worker,
            route_revision=revision,
            sampled_ratio=stream.sampler.ratio,
            request_ids=tuple(a.call.request_id for a, k in zip(answers, counts, strict=True) for _ in range(k)),
            answered_at_n=np.repeat([now_s for _, _, now_s in held], counts),
            key_hashes_n=np.repeat(np.array([self._key(a) for a in answers], np.uint64), counts),
            values_nd=_stacked([a.decoded.values_nd for a in answers], counts),
            labels_n=np.concatenate(labels),
            scores_nk=_stacked([a.outputs.scores_nk for a in answers], counts),
            durations_n=np.repeat(np.array([a.total_s for a in answers], np.float32), counts),
            flags_n=np.concatenate(flags),
        )

    def _key(self, answer: Answer) -> int:
        return key_hash(self._key_salt, answer.call.key) if answer.call.key else 0


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
        self.held: list[tuple[Answer, int, float]] = []
        self.rows = self.idle_flushes = 0

    def add(self, answer: Answer, kept: int, now_s: float) -> None:
        self.held.append((answer, kept, now_s))
        self.rows += kept


def _flags(answer: Answer) -> npt.NDArray[np.uint16]:
    flags_n: npt.NDArray[np.uint16] = np.zeros(answer.decoded.n, np.uint16)
    if answer.decoded.flags_n is not None:
        flags_n |= answer.decoded.flags_n
    if answer.is_fallback:
        flags_n |= FALLBACK_FLAG
    flags_n[answer.outputs.broken_n(answer.decoded.n)] |= BROKEN_FLAG
    return flags_n


def _stacked(parts: list[npt.NDArray[Any] | None], counts: list[int]) -> npt.NDArray[np.float64]:
    """Return the kept rows of all parts as float64; a matrix without columns where the version has none."""
    total = sum(counts)
    if parts[0] is None:
        return np.empty((total, 0), np.float64)
    kept = [part[:count] for part, count in zip(parts, counts, strict=True) if part is not None]
    return np.concatenate(kept).astype(np.float64, copy=False)
