"""Fault rates of a window."""

from monitors.quality import FaultBook, FaultRates
from monitors.records import FaultTotals


def totals(rows: int, missing: int) -> FaultTotals:
    """Return cumulative totals of one feature."""
    return FaultTotals("m", "1", rows, {("age", "missing"): missing})


def test_a_rate_is_a_difference_of_totals() -> None:
    book = FaultBook(window_ticks=6, minimum_rows=100)
    book.take(1, totals(1000, 500))
    book.take(2, totals(1200, 550))
    assert book.rates() == FaultRates(200, {("age", "missing"): 0.25})


def test_a_window_is_as_short_as_the_minimum_sample_allows() -> None:
    book = FaultBook(window_ticks=6, minimum_rows=100)
    for tick, (rows, missing) in enumerate([(0, 0), (1000, 0), (1050, 50), (1100, 100)]):
        book.take(tick, totals(rows, missing))
    assert book.rates() == FaultRates(100, {("age", "missing"): 1.0})


def test_a_window_reaches_back_no_further_than_its_ticks() -> None:
    book = FaultBook(window_ticks=2, minimum_rows=10_000)
    for tick in range(5):
        book.take(tick, totals(100 * tick, 0))
    assert book.rates().rows == 200


def test_the_last_totals_of_a_tick_count() -> None:
    book = FaultBook(window_ticks=2, minimum_rows=1)
    for rows in (0, 10, 20):
        book.take(rows // 20, totals(rows, rows))
    assert book.rates().rows == 10


def test_counters_that_were_reset_start_anew() -> None:
    book = FaultBook(window_ticks=6, minimum_rows=1)
    book.take(1, totals(1000, 10))
    book.take(2, totals(5, 5))
    assert book.rates().rows == 0


def test_a_column_the_contract_ignores_is_no_movement() -> None:
    rates = FaultRates(200, {("x", "unknown"): 1.0, ("age", "missing"): 0.5})
    assert [movement.name for movement in rates.movements({("age", "missing"): 0.1})] == ["age"]


def test_a_broken_rule_is_named_as_a_rule() -> None:
    (movement,) = FaultRates(200, {("in-order", "rule"): 0.25}).movements({})
    assert (movement.name, movement.statistic, movement.effect) == ("rule in-order", "rule", 0.25)
    assert (movement.before, movement.after) == ("broken 0 %", "broken 25 %")
