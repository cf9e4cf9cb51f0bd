"""The metrics page: text format 0.0.4, or OpenMetrics 1.0 for those who accept it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.metrics.catalogue import METRICS, Metric
from gateway.metrics.totals import Series

__all__ = ["render"]

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily
_LabelValues = tuple[str, ...]
_OPEN_METRICS = "application/openmetrics-text"


def render(
    series: Iterable[Series], gauges: Iterable[tuple[str, dict[str, str], float]], accept: str = ""
) -> tuple[bytes, str]:
    """Return the body and the content type of the metrics page.

    Parameters
    ----------
    series
        What the workers counted, from ``read_counters``.
    gauges
        What the watch itself knows, as (name, labels, value): gauges, infos and counters of the catalogue. It replaces
        a series of the same name and labels.
    accept
        The request's ``Accept`` header.

    Raises
    ------
    KeyError
        The catalogue does not have the name, or a label of it is missing.

    Notes
    -----
    About 7 us a line of the page; call it from a thread where there may be thousands.
    """
    page = _Page()
    for found in series:
        page.put(found)
    for name, labels, value in gauges:
        page.put(Series(name, labels, METRICS[name].kind, value))
    registry = CollectorRegistry()
    registry.register(page)
    # Without a version the library falls back to OpenMetrics 1.0; later ones it would answer with drafts.
    encode, content_type = choose_encoder(_OPEN_METRICS if _OPEN_METRICS in accept else "")
    return encode(registry), content_type


class _Page(Collector):
    """Series sorted into families, in the order of the catalogue."""

    def __init__(self) -> None:
        self._series: dict[str, dict[_LabelValues, Series]] = {}

    def put(self, series: Series) -> None:
        """Add one series."""
        values = tuple(series.labels[label] for label in METRICS[series.name].labels)
        self._series.setdefault(series.name, {})[values] = series

    def collect(self) -> Iterator[_Family]:
        """Give the families that have series, and last the number of all samples."""
        samples = 1
        for name in METRICS:
            if name in self._series and name != "weir_series":
                family = _family(METRICS[name], self._series[name])
                samples += len(family.samples)
                yield family
        yield _gauge(METRICS["weir_series"], {(): Series("weir_series", {}, "gauge", samples)})

    def describe(self) -> list[_Family]:
        """Give nothing: the registry holds only this collector, there is no name to clash with."""
        return []


def _family(metric: Metric, series: dict[_LabelValues, Series]) -> _Family:
    if metric.kind == "counter":
        return _counter(metric, series)
    if metric.kind == "histogram":
        return _histogram(metric, series)
    return _info(metric, series) if metric.kind == "info" else _gauge(metric, series)


def _counter(metric: Metric, series: dict[_LabelValues, Series]) -> CounterMetricFamily:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for values, found in series.items():
        family.add_metric(values, found.value)
    return family


def _gauge(metric: Metric, series: dict[_LabelValues, Series]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for values, found in series.items():
        family.add_metric(values, found.value)
    return family


def _info(metric: Metric, series: dict[_LabelValues, Series]) -> InfoMetricFamily:
    family = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
    for found in series.values():
        family.add_metric((), {label: found.labels[label] for label in metric.labels})
    return family


def _histogram(metric: Metric, series: dict[_LabelValues, Series]) -> HistogramMetricFamily:
    bounds = [*map(str, metric.buckets), "+Inf"]
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for values, found in series.items():
        family.add_metric(values, list(zip(bounds, accumulate(found.buckets), strict=True)), found.sum)
    return family
