"""The metrics page, as Prometheus reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gateway.metrics.catalogue import CATALOGUE
from gateway.metrics.exposition import render
from gateway.metrics.shared import Series, SharedCounters, read_counters

PROMETHEUS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
STREAM = {"model": "m", "version": "1", "variant": "stable"}


def one_of_each() -> list[Series]:
    """Return a series of every metric in the catalogue."""
    return [
        Series(
            metric.name,
            {label: metric.values.get(label, ("x",))[0] for label in metric.labels},
            metric.kind,
            3,
            (1,) * (len(metric.buckets) + 1) if metric.buckets else (),
            0.5,
        )
        for metric in CATALOGUE
        if metric.name not in ("weir_series", "weir_series_allowed", "weir_series_left_out")
    ]


def test_promtool_has_nothing_to_say_against_any_metric() -> None:
    body, _ = render(one_of_each(), [])
    checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_the_text_format_is_the_default() -> None:
    body, content_type = render(one_of_each(), [], "*/*")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert body.startswith(b"# HELP weir_requests_total ")
    assert len({family.name for family in parse_text(body.decode())}) == len(CATALOGUE)


def test_prometheus_gets_open_metrics() -> None:
    body, content_type = render(one_of_each(), [], PROMETHEUS_ACCEPT)
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    parsed = parse_open_metrics(body.decode())  # type: ignore[no-untyped-call]  # the parser has no annotations
    families = {family.name: family.type for family in parsed}
    assert families["weir_requests"] == "counter"
    assert families["weir_build"] == "info"
    assert body.endswith(b"# EOF\n")
    assert b"_created" not in body


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", "text/plain"),
        ("application/openmetrics-text", "application/openmetrics-text"),
        ("application/openmetrics-text;q=0", "text/plain"),
        ("text/plain, application/openmetrics-text;q=0.9", "text/plain"),
        ("text/plain;q=0.4, application/openmetrics-text;q=0.9", "application/openmetrics-text"),
        ("application/openmetrics-text;q=x", "text/plain"),
        (";;,,", "text/plain"),
    ],
)
def test_the_format_is_the_one_that_the_header_prefers(accept: str, format_: str) -> None:
    _, content_type = render([], [], accept)
    assert content_type.partition(";")[0] == format_


def test_buckets_are_cumulative(tmp_path: Path) -> None:
    counters = SharedCounters.create(tmp_path, "w-1", role="worker")
    durations = counters.histogram("weir_request_duration_seconds", **STREAM)
    for seconds in (0.0001, 0.001, 0.2, 7.0):
        durations.observe(seconds)
    body, _ = render(read_counters(tmp_path), [])
    counters.close()
    (family,) = [f for f in parse_text(body.decode()) if f.name == "weir_request_duration_seconds"]
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert [buckets[bound] for bound in ("0.0005", "0.001", "0.1", "0.25", "1.0", "+Inf")] == [1, 2, 2, 3, 3, 4]
    others = {sample.name.rpartition("_")[2]: sample.value for sample in family.samples}
    assert (others["count"], others["sum"]) == (4, 7.2011)


def test_the_page_counts_its_own_series() -> None:
    body, _ = render([], [("weir_workers", {"role": "worker"}, 2), ("weir_workers", {"role": "shadow"}, 1)])
    assert b"\nweir_series 5.0\n" in body
    assert b"\nweir_series_allowed 20000.0\n" in body
    assert b"\nweir_series_left_out 0.0\n" in body


def test_what_does_not_fit_the_page_is_left_out_whole_and_counted() -> None:
    revisions = [("weir_route_revision", {"model": f"m{n}"}, 1.0) for n in range(900)]
    effects = [("weir_false_pages", {"model": f"m{n}"}, 1.0) for n in range(900)]
    body, _ = render([], [*revisions, *effects, ("weir_workers", {"role": "worker"}, 1)], most_series=1_000)
    assert body.count(b"\nweir_route_revision{") == 900
    assert b"weir_false_pages" not in body
    assert b"\nweir_workers{" in body
    assert b"\nweir_series 904.0\n" in body
    assert b"\nweir_series_left_out 900.0\n" in body


def test_what_the_watch_says_replaces_what_the_workers_counted() -> None:
    counted = Series("weir_inflight_requests", {}, "gauge", 1)
    body, _ = render([counted], [("weir_inflight_requests", {}, 2)])
    assert body.count(b"\nweir_inflight_requests ") == 1
    assert b"\nweir_inflight_requests 2.0\n" in body


def test_a_label_value_cannot_break_out_of_its_line() -> None:
    body, _ = render([], [("weir_route_revision", {"model": 'a"b\\\n'}, 1)])
    (family,) = [f for f in parse_text(body.decode()) if f.name == "weir_route_revision"]
    assert family.samples[0].labels == {"model": 'a"b\\\n'}


def test_a_name_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(KeyError):
        render([], [("weir_nonsense", {}, 1)])
