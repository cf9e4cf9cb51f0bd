"""What the metrics page says of one model's traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.metrics.exposition import render
from gateway.metrics.page_reading import quantile_s, read_traffic
from gateway.metrics.shared import SharedCounters, read_counters


def page_of(folder: Path) -> str:
    """Return the page after some requests of two models."""
    counters = SharedCounters.create(folder, "w", role="worker")
    for model in ("m", "other"):
        labels = {"model": model, "version": "1", "variant": "stable"}
        counters.counter("weir_requests_total", **labels, outcome="ok").inc(9)
        counters.counter("weir_requests_total", **labels, outcome="timeout").inc(1)
        counters.counter("weir_rows_total", **labels).inc(30)
        for seconds in (0.002, 0.004):
            counters.histogram("weir_request_duration_seconds", **labels).observe(seconds)
    counters.counter("weir_requests_total", model="m", version="2", variant="canary", outcome="ok")
    counters.close()
    body, _ = render(read_counters(folder), [])
    return body.decode()


def test_requests_rows_and_time_are_those_of_one_model_by_version_and_role(tmp_path: Path) -> None:
    (traffic,) = read_traffic(page_of(tmp_path), "m")
    assert (traffic.version, traffic.variant, traffic.requests, traffic.failed, traffic.rows) == (
        "1",
        "stable",
        10,
        1,
        30,
    )
    assert traffic.mean_s == pytest.approx(0.003)
    assert traffic.p50_s == pytest.approx(0.0025)
    assert traffic.p99_s == pytest.approx(0.00495)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile_s([(0.1, 1.0), (float("inf"), 10.0)], 0.99) == 0.1


def test_nothing_observed_has_no_quantile() -> None:
    assert quantile_s([(0.1, 0.0), (float("inf"), 0.0)], 0.5) is None
    assert quantile_s([], 0.5) is None
