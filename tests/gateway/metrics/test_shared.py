"""Counters that a worker keeps in shared memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.metrics.shared import Series, SharedCounters, read_counters

OK = {"model": "m", "version": "1", "variant": "stable", "outcome": "ok"}
STREAM = {"model": "m", "version": "1", "variant": "stable"}


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[SharedCounters]:
    made = SharedCounters.create(tmp_path, "w-1", role="worker")
    yield made
    made.close()


def only(directory: Path, name: str) -> Series:
    (found,) = [series for series in read_counters(directory) if series.name == name]
    return found


def test_a_count_is_visible_to_readers_at_once(counters: SharedCounters, tmp_path: Path) -> None:
    requests = counters.counter("weir_requests_total", **OK)
    assert only(tmp_path, "weir_requests_total") == Series("weir_requests_total", OK, "counter", 0)
    requests.inc()
    requests.inc(4)
    assert only(tmp_path, "weir_requests_total").value == 5


def test_the_same_labels_give_the_same_object(counters: SharedCounters) -> None:
    swapped = dict(reversed(OK.items()))
    assert counters.counter("weir_requests_total", **OK) is counters.counter("weir_requests_total", **swapped)
    assert counters.histogram("weir_batch_rows", model="m", version="1") is counters.histogram(
        "weir_batch_rows", version="1", model="m"
    )


def test_a_gauge_goes_up_and_down(counters: SharedCounters, tmp_path: Path) -> None:
    inflight = counters.gauge("weir_inflight_requests")
    inflight.set(2.5)
    inflight.inc()
    inflight.dec(3)
    assert only(tmp_path, "weir_inflight_requests").value == 0.5


def test_a_value_on_a_bound_belongs_to_the_bucket_of_that_bound(counters: SharedCounters, tmp_path: Path) -> None:
    batches = counters.histogram("weir_batch_rows", model="m", version="1")
    for rows in (1, 2, 3, 4, 5000):
        batches.observe(rows)
    batches.observe_many(8, 10)
    found = only(tmp_path, "weir_batch_rows")
    assert found.buckets == (1, 1, 2, 10, 0, 0, 0, 0, 0, 0, 1)
    assert (found.value, found.sum) == (15, 5090)


def test_a_sum_of_seconds_is_kept_to_the_nanosecond(counters: SharedCounters, tmp_path: Path) -> None:
    durations = counters.histogram("weir_request_duration_seconds", **STREAM)
    for _ in range(1000):
        durations.observe(0.001)
    assert only(tmp_path, "weir_request_duration_seconds").sum == 1.0


@pytest.mark.parametrize(
    ("name", "labels", "complaint"),
    [
        pytest.param("weir_nonsense_total", {}, "no counter 'weir_nonsense_total'", id="unknown-name"),
        pytest.param("weir_inflight_requests", {}, "no counter", id="another-kind"),
        pytest.param("weir_requests_total", STREAM, "has the labels", id="label-missing"),
        pytest.param("weir_requests_total", OK | {"user": "u"}, "has the labels", id="label-too-much"),
        pytest.param("weir_requests_total", OK | {"outcome": "meh"}, "outcome of weir_requests_total", id="open-value"),
    ],
)
def test_what_the_catalogue_does_not_list_cannot_be_counted(
    counters: SharedCounters, name: str, labels: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        counters.counter(name, **labels)


def test_series_over_the_budget_share_one_place_and_are_counted(tmp_path: Path) -> None:
    counters = SharedCounters.create(tmp_path, "w-1", role="worker", capacity=15)
    kept = counters.histogram("weir_request_duration_seconds", **STREAM)
    refused = counters.counter("weir_requests_total", **OK)
    counters.gauge("weir_queue_rows", model="m", version="1").set(-1.5)
    counters.histogram("weir_batch_rows", model="m", version="1").observe_many(1e6, 1000)
    refused.inc(7)
    kept.observe(0.2)
    found = {series.name: series.value for series in read_counters(tmp_path)}
    assert found == {"weir_series_dropped_total": 2, "weir_request_duration_seconds": 1, "weir_requests_total": 7}
    counters.close()


def test_a_worker_id_is_used_once(counters: SharedCounters, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        SharedCounters.create(tmp_path, "w-1", role="worker")


@pytest.mark.parametrize("worker_id", ["", "../w", ".hidden", "a/b", "w" * 200])
def test_a_worker_id_must_be_able_to_name_a_file(tmp_path: Path, worker_id: str) -> None:
    with pytest.raises(ValueError, match="cannot name a worker"):
        SharedCounters.create(tmp_path, worker_id, role="worker")


def test_only_the_owner_of_the_directory_can_read_the_files(counters: SharedCounters, tmp_path: Path) -> None:
    assert [path.stat().st_mode & 0o777 for path in sorted(tmp_path.iterdir())] == [0o600, 0o600]
