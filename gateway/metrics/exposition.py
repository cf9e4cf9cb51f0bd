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

__all__ = ["prefers_open_metrics", "render"]

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily
_LabelValues = tuple[str, ...]
_OPEN_METRICS = "application/openmetrics-text"
_OF_THE_PAGE = ("weir_series", "weir_series_allowed", "weir_series_left_out")


def render(
    series: Iterable[Series],
    gauges: Iterable[tuple[str, dict[str, str], float]],
    accept: str = "",
    *,
    most_series: int = 20_000,
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
    most_series
        Samples that the page may have. A metric that would not fit is left out whole: part of its series would be
        numbers that are wrong. What the catalogue names first stays.

    Raises
    ------
    KeyError
        The catalogue does not have the name, or a label of it is missing.

    Notes
    -----
    About 7 us a line of the page; call it from a thread where there may be thousands.
    """
    page = _Page(most_series)
    for found in series:
        page.put(found)
    for name, labels, value in gauges:
        page.put(Series(name, labels, METRICS[name].kind, value))
    registry = CollectorRegistry()
    registry.register(page)
    # Without a version the library falls back to OpenMetrics 1.0; later ones it would answer with drafts.
    encode, content_type = choose_encoder(_OPEN_METRICS if prefers_open_metrics(accept) else "")
    return encode(registry), content_type


def prefers_open_metrics(accept: str) -> bool:
    """Return whether an ``Accept`` header names OpenMetrics, and nothing that this page has with more weight.

    >>> prefers_open_metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    True
    >>> prefers_open_metrics("application/openmetrics-text;q=0.2, text/plain"), prefers_open_metrics("*/*")
    (False, False)
    """
    weights = {"": 0.0, _OPEN_METRICS: 0.0}
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        name = _OPEN_METRICS if kind == _OPEN_METRICS else ""
        if name or kind in ("text/plain", "text/*"):
            weights[name] = max(weights[name], _weight(parameters))
    return weights[_OPEN_METRICS] > 0 and weights[_OPEN_METRICS] >= weights[""]


def _weight(parameters: list[str]) -> float:
    """Return the weight that the parameters of a media range give it; one that cannot be read is none."""
    weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
    try:
        return float(weights[0]) if weights else 1.0
    except ValueError:
        return 0.0


class _Page(Collector):
    """Series sorted into families, in the order of the catalogue."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._series: dict[str, dict[_LabelValues, Series]] = {}

    def put(self, series: Series) -> None:
        """Add one series."""
        values = tuple(series.labels[label] for label in METRICS[series.name].labels)
        self._series.setdefault(series.name, {})[values] = series

    def collect(self) -> Iterator[_Family]:
        """Give the families that have series and find room, and last what there is to say of the page itself."""
        samples, left_out = len(_OF_THE_PAGE), 0
        for name in METRICS:
            if name in self._series and name not in _OF_THE_PAGE:
                family = _family(METRICS[name], self._series[name])
                if samples + len(family.samples) > self._most:
                    left_out += len(family.samples)
                else:
                    samples += len(family.samples)
                    yield family
        for name, value in zip(_OF_THE_PAGE, (samples, self._most, left_out), strict=True):
            yield _gauge(METRICS[name], {(): Series(name, {}, "gauge", value)})

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
