"""How much traffic each version takes now, and took in the last minutes: rates from the workers' exact counters."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from gateway.metrics.catalogue import METRICS
from gateway.metrics.totals import Series
from monitors.ports import Clock

__all__ = ["StreamName", "Traffic", "TrafficBook", "quantile_s", "traffic_view"]

STEP_S = 2.0
MOST_STEPS = 150
SPAN_STEPS = 3
MOST_STREAMS = 512
_BOUNDS = METRICS["weir_request_duration_seconds"].buckets
_FAILED = ("server_error", "timeout")


class StreamName(NamedTuple):
    """A version of a model in one role."""

    model: str
    version: str
    variant: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Rates of one stream over the last seconds.

    ``requests_per_s`` were answered or failed by the version, ``errors_per_s`` of them failed; ``masked_per_s`` came to
    a canary besides and were answered by stable in its place. ``refused_per_s`` are those that clients got wrong or
    that were shed. Quantiles are interpolated between the bounds of the histogram; ``None`` without an answer.
    """

    requests_per_s: float
    errors_per_s: float
    masked_per_s: float
    refused_per_s: float
    p50_ms: float | None
    p99_ms: float | None


@dataclass(slots=True)
class _Counts:
    """Cumulative counts of one stream."""

    answered: int = 0
    failed: int = 0
    masked: int = 0
    refused: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    unix_s: float
    counts: Mapping[StreamName, _Counts]


class TrafficBook:
    """Remembers five minutes of counts, every two seconds. One thread at a time.

    Memory: 150 samples of at most 512 streams; streams beyond that, by name, are left out.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[_Sample] = deque(maxlen=MOST_STEPS + SPAN_STEPS)

    def take(self, series: Iterable[Series]) -> None:
        """Take the counters as they stand; those that come within two seconds of the last ones are passed over."""
        now_s = self._clock.monotonic_s()
        if not self._samples or now_s - self._samples[-1].at_s >= STEP_S:
            self._samples.append(_Sample(now_s, self._clock.unix_s(), _counted(series)))

    def now(self) -> dict[StreamName, Traffic]:
        """Return the rates of the last six seconds, of the streams that had any in the time remembered."""
        if len(self._samples) < 2:
            return {}
        newest, before = self._samples[-1], self._samples[max(-len(self._samples), -1 - SPAN_STEPS)]
        oldest = self._samples[0]
        alive = (name for name, found in newest.counts.items() if found != oldest.counts.get(name, _Counts()))
        return {name: _rates(name, before, newest) for name in alive}

    def history(self) -> dict[str, Any]:
        """Return the requests and errors a second of each stream, step by step, the oldest first, ready for JSON."""
        samples = list(self._samples)
        steps = list(pairwise(samples))
        streams = []
        for name in self.now():
            rates = [_rates(name, before, after) for before, after in steps]
            told = {
                "requests_per_s": [round(rate.requests_per_s, 2) for rate in rates],
                "errors_per_s": [round(rate.errors_per_s, 2) for rate in rates],
            }
            streams.append({**name._asdict(), **told})
        return {"step_s": STEP_S, "at": [round(after.unix_s, 1) for _, after in steps], "streams": streams}


def quantile_s(buckets: list[int], quantile: float) -> float | None:
    """Return a quantile of request durations by interpolation within its bucket, ``None`` without any.

    In the last bucket, which has no upper bound, it is the lower one.

    >>> quantile_s([10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0.5)
    0.00025
    """
    total = sum(buckets)
    if total <= 0:
        return None
    wanted, below = quantile * total, 0
    for i, bound in enumerate(_BOUNDS):
        if buckets[i] and below + buckets[i] >= wanted:
            low = _BOUNDS[i - 1] if i else 0.0
            return low + (bound - low) * (wanted - below) / buckets[i]
        below += buckets[i]
    return _BOUNDS[-1]


def _rates(name: StreamName, before: _Sample, after: _Sample) -> Traffic:
    seconds = max(1e-3, after.at_s - before.at_s)
    a, b = before.counts.get(name, _Counts()), after.counts.get(name, _Counts())
    buckets = [max(0, y - x) for x, y in zip(a.buckets, b.buckets, strict=True)]

    def per_s(x: int, y: int) -> float:
        return round(max(0, y - x) / seconds, 3)

    quantiles = [quantile_s(buckets, q) for q in (0.5, 0.99)]
    p50_ms, p99_ms = (None if q is None else round(q * 1e3, 3) for q in quantiles)
    return Traffic(
        requests_per_s=per_s(a.answered + a.failed, b.answered + b.failed),
        errors_per_s=per_s(a.failed, b.failed),
        masked_per_s=per_s(a.masked, b.masked),
        refused_per_s=per_s(a.refused, b.refused),
        p50_ms=p50_ms,
        p99_ms=p99_ms,
    )


def _counted(series: Iterable[Series]) -> dict[StreamName, _Counts]:
    found: dict[StreamName, _Counts] = {}
    for one in series:
        name = _name(one)
        if name is not None and (name in found or len(found) < MOST_STREAMS):
            _add(found.setdefault(name, _Counts()), one)
    return found


def _name(series: Series) -> StreamName | None:
    labels = series.labels
    match series.name:
        case "weir_requests_total" | "weir_request_duration_seconds":
            return StreamName(labels["model"], labels["version"], labels["variant"]) if labels["version"] else None
        case "weir_canary_fallback_total":
            return StreamName(labels["model"], labels["version"], "canary")
        case "weir_shadow_requests_total":
            return StreamName(labels["model"], labels["version"], "shadow")
    return None


def _add(to: _Counts, series: Series) -> None:
    count = int(series.value)
    if series.name == "weir_request_duration_seconds":
        to.buckets = [a + b for a, b in zip(to.buckets, series.buckets, strict=True)]
    elif series.name == "weir_canary_fallback_total":
        to.masked += count
    elif series.name == "weir_shadow_requests_total":
        if series.labels["result"] == "error":
            to.failed += count
        elif series.labels["result"] != "dropped":
            to.answered += count
    elif series.labels["outcome"] == "ok":
        to.answered += count
    elif series.labels["outcome"] in _FAILED:
        to.failed += count
    else:
        to.refused += count


def traffic_view(traffic: Mapping[StreamName, Traffic], model: str) -> list[dict[str, Any]]:
    """Return the streams of one model, ready for JSON."""
    return [
        {"version": name.version, "variant": name.variant, **asdict(rates)}
        for name, rates in sorted(traffic.items())
        if name.model == model
    ]
