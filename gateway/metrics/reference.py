"""The reference of metrics, ``docs/metrics.md``, written from the catalogue by ``scripts/generate``."""

from __future__ import annotations

import sys

from gateway.metrics.catalogue import CATALOGUE, Metric

__all__ = ["reference"]

_HEAD = """\
# Metrics

Everything on `/metrics`. This page is generated from `gateway/metrics/catalogue.py` by `scripts/generate`.

Counters and histograms are sums over all workers since this gateway was started, those that have ended included; they
never go back. Gauges speak of the workers that are alive. Durations are in seconds, ratios between 0 and 1.

## All metrics

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""


def reference() -> str:
    """Return the page in Markdown."""
    labels = sorted({label for metric in CATALOGUE for label in metric.values})
    return "".join(
        [
            _HEAD,
            *(_row(metric) for metric in CATALOGUE),
            "\n## Buckets\n\n| Histogram | Upper bounds |\n|---|---|\n",
            *(f"| `{metric.name}` | {_listed(metric.buckets)} |\n" for metric in CATALOGUE if metric.buckets),
            "\n## Labels with a closed set of values\n\n| Label | Metrics | Values |\n|---|---|---|\n",
            *(row for label in labels for row in _label_rows(label)),
        ]
    )


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help}. |\n"


def _label_rows(label: str) -> list[str]:
    by_values: dict[tuple[str, ...], list[str]] = {}
    for metric in CATALOGUE:
        if label in metric.values:
            by_values.setdefault(metric.values[label], []).append(metric.name)
    return [
        f"| `{label}` | {_users(names)} | {', '.join(f'`{value}`' for value in values)} |\n"
        for values, names in by_values.items()
    ]


def _users(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) if len(names) < 4 else "all that have it"


def _listed(buckets: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in buckets)


if __name__ == "__main__":
    sys.stdout.write(reference())
