"""The metrics page as its readers have it: what one model's versions have answered, from the text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Traffic", "quantile_s", "read_traffic"]

_Sample = tuple[str, dict[str, str], float]


@dataclass(slots=True)
class Traffic:
    """What one version answered in one role, as totals.

    ``outcomes`` are requests by outcome; ``p50_s`` and ``p99_s`` are read off the buckets of the histogram, ``None``
    where nothing was answered.
    """

    version: str
    variant: str
    outcomes: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    mean_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None

    @property
    def requests(self) -> int:
        """Requests of all outcomes."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """Requests that were not the client's fault, and got no answer."""
        return sum(self.outcomes.get(outcome, 0) for outcome in ("server_error", "timeout", "shed"))


def read_traffic(page: str, model: str) -> list[Traffic]:
    """Return what each version of a model answered in each role, by version; roles without requests are left out.

    Raises
    ------
    ValueError
        The text is no metrics page.
    """
    found: dict[tuple[str, str], Traffic] = {}
    buckets: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for name, labels, value in _samples(page, model):
        key = (labels["version"], labels["variant"])
        traffic = found.setdefault(key, Traffic(*key))
        if name == "weir_requests_total":
            traffic.outcomes[labels["outcome"]] = int(value)
        elif name == "weir_rows_total":
            traffic.rows = int(value)
        elif name == "weir_request_duration_seconds_bucket":
            buckets[key].append((float(labels["le"]), value))
        elif name == "weir_request_duration_seconds_sum":
            traffic.mean_s = value
    for key, traffic in found.items():
        counted = sorted(buckets[key])
        answered = counted[-1][1] if counted else 0.0
        traffic.mean_s = traffic.mean_s / answered if answered and traffic.mean_s is not None else None
        traffic.p50_s, traffic.p99_s = quantile_s(counted, 0.5), quantile_s(counted, 0.99)
    return [traffic for _, traffic in sorted(found.items()) if traffic.requests]


def quantile_s(buckets: Sequence[tuple[float, float]], q: float) -> float | None:
    """Return a quantile of cumulative buckets as Prometheus does: even within a bucket, the last bound at most.

    >>> quantile_s([(0.1, 50), (0.2, 100), (float("inf"), 100)], 0.75)
    0.15000000000000002
    """
    if not buckets or not buckets[-1][1]:
        return None
    wanted, low, below = q * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted and count > below:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        if bound != float("inf"):
            low, below = bound, count
    return low


def _samples(page: str, model: str) -> Iterator[_Sample]:
    families: Iterable[object] = text_string_to_metric_families(page)
    for family in families:
        for sample in getattr(family, "samples"):  # noqa: B009  # the parser has no annotations
            if sample.labels.get("model") == model and "variant" in sample.labels and "version" in sample.labels:
                yield sample.name, sample.labels, sample.value
