"""Totals that outlive the process that counts them."""

from pathlib import Path

from gateway.metrics.lasting import LastingTotals
from gateway.metrics.shared import SharedCounters, read_counters

NAME = "weir_monitor_rows_total"
LABELS = {"model": "m", "version": "1", "variant": "stable"}


def shown(directory: Path) -> list[float]:
    return [series.value for series in read_counters(directory) if series.name == NAME]


def test_growth_is_added_and_a_total_that_begins_anew_goes_on_from_where_it_was(tmp_path: Path) -> None:
    totals = LastingTotals(SharedCounters.create(tmp_path, "watch-1", role="watch"))
    for value, expected in [(5.0, 5.0), (5.0, 5.0), (8.0, 8.0), (2.0, 10.0)]:
        totals.take([(NAME, LABELS, value)])
        assert shown(tmp_path) == [expected]


def test_the_next_process_adds_to_what_the_last_one_counted(tmp_path: Path) -> None:
    for i in range(2):
        counters = SharedCounters.create(tmp_path, f"watch-{i}", role="watch")
        LastingTotals(counters).take([(NAME, LABELS, 7.0)])
        counters.close()
    assert shown(tmp_path) == [14.0]
