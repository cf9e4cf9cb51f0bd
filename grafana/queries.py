"""The PromQL that panels share: every selector keeps to the job, instance and model that are chosen."""

from __future__ import annotations

__all__ = [
    "BY_STREAM",
    "BY_VERSION",
    "HOST",
    "MODEL",
    "OVER",
    "STREAM",
    "VERSION",
    "latest",
    "mean",
    "quantile",
    "rate",
]

HOST = 'job=~"$job",instance=~"$instance"'
MODEL = f'{HOST},model=~"$model"'
OVER = "[$__rate_interval]"
BY_STREAM = "by (model, version, variant)"
BY_VERSION = "by (model, version)"
STREAM = "{{model}} {{version}} {{variant}}"
VERSION = "{{model}} {{version}}"


def rate(metric: str, by: str = BY_STREAM, matchers: str = MODEL) -> str:
    """Return how much a counter grows a second."""
    return f"sum {by} (rate({metric}{{{matchers}}}{OVER}))"


def latest(metric: str, by: str = BY_STREAM, matchers: str = MODEL, over: str = "max") -> str:
    """Return a gauge as it is now; ``over`` is the aggregation over instances and labels left out."""
    return f"{over} {by} ({metric}{{{matchers}}})"


def quantile(q: float, histogram: str, by: str = "by (le, model, version, variant)", matchers: str = MODEL) -> str:
    """Return a quantile of what a histogram has observed of late."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', by, matchers)})"


def mean(histogram: str, by: str = BY_STREAM, matchers: str = MODEL) -> str:
    """Return the mean of what a histogram has observed of late."""
    return f"{rate(f'{histogram}_sum', by, matchers)} / {rate(f'{histogram}_count', by, matchers)}"
