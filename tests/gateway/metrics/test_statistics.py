"""What the counters say of each version of a model."""

from pathlib import Path

from gateway.metrics.shared import SharedCounters
from gateway.metrics.statistics import version_statistics
from gateway.metrics.totals import read_counters


def test_requests_rows_and_runs_are_counted_apart_and_over_all_workers(tmp_path: Path) -> None:
    names = {"model": "m", "version": "1"}
    for worker in ("a", "b"):
        counters = SharedCounters.create(tmp_path, worker, role="worker")
        for variant in ("stable", "pinned", "shadow"):
            of_stream = {**names, "variant": variant}
            counters.counter("weir_requests_total", **of_stream, outcome="ok").inc(2)
            counters.counter("weir_requests_total", **of_stream, outcome="shed").inc()
            counters.counter("weir_rows_total", **of_stream).inc(5)
            counters.counter("weir_runs_total", **of_stream).inc()
            counters.histogram("weir_request_duration_seconds", **of_stream).observe(0.25)
            counters.histogram("weir_inference_duration_seconds", **of_stream).observe(0.125)
        counters.counter("weir_rows_total", model="other", version="1", variant="stable").inc()
        counters.histogram("weir_batch_rows", **names).observe(3)
        counters.close()
    found = version_statistics(read_counters(tmp_path), "m")
    assert list(found) == ["1"]
    document = found["1"].document("m", "1")
    assert (document["inference_count"], document["execution_count"]) == (20, 4)
    assert document["inference_stats"]["success"] == {"count": 4, "ns": 1_000_000_000}
    assert document["inference_stats"]["fail"] == {"count": 4, "ns": 0}
    assert document["inference_stats"]["compute_infer"] == {"count": 4, "ns": 500_000_000}
    assert document["inference_stats"]["queue"] == {"count": 0, "ns": 0}
