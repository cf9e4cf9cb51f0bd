"""Totals over workers that live, workers that ended, and workers that were killed while they counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.metrics.catalogue import METRICS
from gateway.metrics.shared import SharedCounters
from gateway.metrics.totals import CounterReader, Series, fold_ended, live_workers, read_counters

OK = {"model": "m", "version": "1", "variant": "stable", "outcome": "ok"}
STREAM = {"model": "m", "version": "1", "variant": "stable"}

COUNTING_CHILD = """
import os, sys
from pathlib import Path
from gateway.metrics.shared import SharedCounters
counters = SharedCounters.create(Path(sys.argv[1]), sys.argv[2], role="worker")
stream = {"model": "m", "version": "1", "variant": "stable"}
requests = counters.counter("weir_requests_total", **stream, outcome="ok")
durations = counters.histogram("weir_request_duration_seconds", **stream)
counters.gauge("weir_inflight_requests").set(3)
while True:
    requests.inc()
    durations.observe(0.003)
    os.write(1, b".")
"""


def count_until_killed(directory: Path, worker_id: str, at_least: int) -> int:
    """Let a child count, kill it while it does, and return how many counts it had confirmed before it died."""
    command = [sys.executable, "-c", COUNTING_CHILD, str(directory), worker_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        confirmed = 0
        while confirmed < at_least:
            confirmed += len(os.read(child.stdout.fileno(), 4096))
        child.send_signal(signal.SIGKILL)
        confirmed += len(child.stdout.read())
    assert child.returncode == -signal.SIGKILL
    return confirmed


def values(directory: Path) -> dict[str, float]:
    return {series.name: series.value for series in read_counters(directory)}


def snapshot(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.iterdir()}


def restore(files: dict[Path, bytes]) -> None:
    for path, data in files.items():
        path.write_bytes(data)


def ended_worker(directory: Path, worker_id: str, n: int) -> None:
    counters = SharedCounters.create(directory, worker_id, role="worker")
    counters.counter("weir_requests_total", **OK).inc(n)
    counters.histogram("weir_request_duration_seconds", **STREAM).observe_many(0.1, n)
    counters.gauge("weir_inflight_requests").set(n)
    counters.close()


def test_a_worker_killed_while_it_counts_loses_nothing_and_folding_moves_no_total(tmp_path: Path) -> None:
    confirmed = 0
    for life in range(3):
        confirmed += count_until_killed(tmp_path, f"w-{life}", at_least=2_000)
        before = {series.name: series for series in read_counters(tmp_path)}
        # The kill may fall between a count and its confirmation, once a life.
        assert confirmed <= before["weir_requests_total"].value <= confirmed + life + 1
        assert confirmed <= before["weir_request_duration_seconds"].value <= confirmed + life + 1
        assert fold_ended(tmp_path) == 1
        assert {series.name: series for series in read_counters(tmp_path)} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["totals.json"]


def test_counters_add_up_over_the_living_and_the_ended_but_gauges_over_the_living_only(tmp_path: Path) -> None:
    ended_worker(tmp_path, "w-1", 10)
    living = [SharedCounters.create(tmp_path, name, role="worker") for name in ("w-2", "w-3")]
    for counters in living:
        counters.counter("weir_requests_total", **OK).inc(5)
        counters.gauge("weir_inflight_requests").set(2)
        counters.gauge("weir_monitor_sampled_ratio", **STREAM).set(0.5)
    found = values(tmp_path)
    assert found["weir_requests_total"] == 20
    assert found["weir_inflight_requests"] == 4
    assert found["weir_monitor_sampled_ratio"] == 0.5
    for counters in living:
        counters.close()


def test_living_workers_are_told_from_ended_ones_by_their_lock(tmp_path: Path) -> None:
    ended_worker(tmp_path, "w-1", 1)
    living = SharedCounters.create(tmp_path, "s-1", role="shadow")
    assert live_workers(tmp_path) == {"s-1": "shadow"}
    assert fold_ended(tmp_path) == 1
    assert live_workers(tmp_path) == {"s-1": "shadow"}
    living.close()
    assert live_workers(tmp_path) == {}


def test_folding_again_changes_nothing(tmp_path: Path) -> None:
    ended_worker(tmp_path, "w-1", 3)
    before = read_counters(tmp_path)
    assert fold_ended(tmp_path) == 1
    assert fold_ended(tmp_path) == 0
    assert read_counters(tmp_path) == before


@pytest.mark.parametrize("survivors", [(".cells", ".index"), (".cells",)], ids=["before-deleting", "between-deletions"])
def test_a_crash_after_the_totals_are_stored_counts_nobody_twice(tmp_path: Path, survivors: tuple[str, ...]) -> None:
    ended_worker(tmp_path, "w-1", 3)
    ended_worker(tmp_path, "w-2", 4)
    before = read_counters(tmp_path)
    files = snapshot(tmp_path)
    fold_ended(tmp_path)
    totals = tmp_path / "totals.json"
    totals.write_text(totals.read_text().replace('"folded":[]', '"folded":["w-1","w-2"]'))
    restore({path: data for path, data in files.items() if path.suffix in survivors})
    assert read_counters(tmp_path) == before
    assert fold_ended(tmp_path) == 0
    assert read_counters(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["totals.json"]


def test_a_crash_before_the_totals_are_stored_loses_nobody(tmp_path: Path) -> None:
    ended_worker(tmp_path, "w-1", 3)
    (tmp_path / "totals.json.making").write_text('{"version":1,"fol')
    before = read_counters(tmp_path)
    assert fold_ended(tmp_path) == 1
    assert read_counters(tmp_path) == before


def test_an_id_may_come_back_once_its_files_are_folded(tmp_path: Path) -> None:
    for _ in range(3):
        ended_worker(tmp_path, "w-1", 2)
        fold_ended(tmp_path)
    assert values(tmp_path)["weir_requests_total"] == 6


def test_a_reader_that_is_kept_finds_what_one_does_that_is_made_anew(tmp_path: Path) -> None:
    reader = CounterReader(tmp_path)
    first = SharedCounters.create(tmp_path, "a", role="worker")
    for step in range(4):
        first.counter("weir_requests_total", **OK).inc()
        if step == 1:
            first.gauge("weir_inflight_requests").set(3)
        if step == 2:
            first.close()
            fold_ended(tmp_path)
            first = SharedCounters.create(tmp_path, "a", role="shadow")
        assert reader.read() == reader.read() == read_counters(tmp_path)
    first.close()


def test_a_torn_last_line_of_an_index_hides_only_its_own_series(tmp_path: Path) -> None:
    ended_worker(tmp_path, "w-1", 3)
    with (tmp_path / "w-1.index").open("ab") as index:
        index.write(b'{"name":"weir_rows_total","lab')
    assert values(tmp_path)["weir_requests_total"] == 3


def test_a_file_that_is_not_of_this_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "w-1.cells").write_bytes(b"something else, but long enough to have a header")
    assert read_counters(tmp_path) == []
    assert fold_ended(tmp_path) == 0
    assert (tmp_path / "w-1.cells").exists()


@pytest.mark.parametrize("edges", [0, 1, 99], ids=["one bucket", "a bound", "every bound and beyond"])
@pytest.mark.parametrize("value", [0.0, 0.004, 500.0])
def test_values_counted_together_are_counted_as_one_by_one(tmp_path: Path, value: float, edges: int) -> None:
    counters = SharedCounters.create(tmp_path, "w-1", role="worker")
    seconds = [value, value, *METRICS["weir_request_duration_seconds"].buckets[3 : 3 + edges]]
    counters.histogram("weir_request_duration_seconds", **STREAM).observe_all(seconds)
    single = counters.histogram("weir_request_duration_seconds", **STREAM | {"version": "2"})
    for each in seconds:
        single.observe(each)
    counters.close()
    first, second = (series for series in read_counters(tmp_path) if series.kind == "histogram")
    assert (first.value, first.buckets) == (len(seconds), second.buckets)
    assert first.sum == pytest.approx(second.sum)


def test_sums_do_not_depend_on_what_is_folded_first(tmp_path: Path) -> None:
    for worker, seconds in enumerate((0.1, 0.2, 0.3, 1e-9)):
        counters = SharedCounters.create(tmp_path, f"w-{worker}", role="worker")
        counters.histogram("weir_request_duration_seconds", **STREAM).observe(seconds)
        counters.close()
        before = read_counters(tmp_path)
        if worker % 2:
            fold_ended(tmp_path)
        assert read_counters(tmp_path) == before
    (found,) = [series for series in read_counters(tmp_path) if series.kind == "histogram"]
    assert found == Series("weir_request_duration_seconds", STREAM, "histogram", 4, found.buckets, 0.600000001)
