"""Rates from cumulative counters."""

from typing import Any

import pytest

from gateway.metrics.totals import Series
from gateway.traffic import StreamName, Traffic, TrafficBook, traffic_view
from tests.serving import HandClock

STABLE = {"model": "m", "version": "1", "variant": "stable"}


def requests(count: float, outcome: str = "ok", **labels: str) -> Series:
    return Series("weir_requests_total", {**STABLE, **labels, "outcome": outcome}, "counter", count)


def taken(clock: HandClock, book: TrafficBook, seconds: float, *series: Series) -> None:
    clock.now_s += seconds
    book.take(series)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def book(clock: HandClock) -> TrafficBook:
    return TrafficBook(clock)


def test_rates_are_what_was_counted_since_by_the_time_that_went_by(clock: HandClock, book: TrafficBook) -> None:
    assert book.now() == {}
    taken(clock, book, 0.0, requests(100), requests(5, "timeout"), requests(1, "shed"))
    taken(clock, book, 2.0, requests(140), requests(9, "timeout"), requests(3, "shed"), requests(4, "client_error"))
    found = book.now()[StreamName("m", "1", "stable")]
    assert found == Traffic(22.0, 2.0, 0.0, 3.0, None, None)


def test_what_stable_answered_for_a_canary_is_told_beside_its_requests(clock: HandClock, book: TrafficBook) -> None:
    def fallback(count: float) -> Series:
        labels = {"model": "m", "version": "2", "reason": "error"}
        return Series("weir_canary_fallback_total", labels, "counter", count)

    def shadowed(count: float, result: str) -> Series:
        labels = {"model": "m", "version": "3", "result": result}
        return Series("weir_shadow_requests_total", labels, "counter", count)

    taken(clock, book, 0.0, fallback(0), shadowed(0, "agree"), shadowed(0, "error"), shadowed(0, "dropped"))
    taken(clock, book, 2.0, fallback(8), shadowed(4, "agree"), shadowed(2, "error"), shadowed(9, "dropped"))
    view = traffic_view(book.now(), "m")
    assert [(each["variant"], each["requests_per_s"], each["errors_per_s"], each["masked_per_s"]) for each in view] == [
        ("canary", 0.0, 0.0, 4.0),
        ("shadow", 3.0, 1.0, 0.0),
    ]


def test_quantiles_are_of_the_answers_since(clock: HandClock, book: TrafficBook) -> None:
    def durations(*buckets: int) -> Series:
        whole = (*buckets, *[0] * (12 - len(buckets)))
        return Series("weir_request_duration_seconds", STABLE, "histogram", sum(whole), whole)

    taken(clock, book, 0.0, durations(500), requests(500))
    taken(clock, book, 2.0, durations(500, 0, 98, 0, 0, 0, 0, 2), requests(600))
    found = book.now()[StreamName("m", "1", "stable")]
    assert found.p50_ms == pytest.approx(1.0 + 1.5 * 50 / 98, abs=1e-3)
    assert found.p99_ms == pytest.approx(75.0)


def test_counts_that_come_too_soon_are_passed_over_and_the_past_is_bounded(clock: HandClock, book: TrafficBook) -> None:
    taken(clock, book, 0.0, requests(0))
    taken(clock, book, 1.0, requests(1000))
    assert book.now() == {}
    for step in range(400):
        taken(clock, book, 2.0, requests(10.0 * step))
    history = book.history()
    assert len(history["at"]) <= 152
    (stream,) = history["streams"]
    assert set(stream["requests_per_s"]) == {5.0}
    assert history["at"][-1] == clock.now_s


def test_a_stream_without_traffic_in_all_that_time_is_left_out(clock: HandClock, book: TrafficBook) -> None:
    taken(clock, book, 0.0, requests(7), requests(7, version="2"))
    taken(clock, book, 2.0, requests(7), requests(9, version="2"))
    assert [name.version for name in book.now()] == ["2"]


def test_a_version_nobody_chose_is_no_stream(clock: HandClock, book: TrafficBook) -> None:
    taken(clock, book, 0.0, requests(0, version=""))
    taken(clock, book, 2.0, requests(9, version=""))
    found: dict[Any, Any] = book.now()
    assert found == {}
