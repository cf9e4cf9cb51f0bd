"""The gate counts what is in flight, and closes a window every tenth of a second."""

from gateway.admission.deadline import HIGH, LOW, NORMAL
from gateway.admission.gate import TICK_S, Gate
from gateway.admission.limit import ConcurrencyLimit


def gate(most: int = 10) -> Gate:
    return Gate(ConcurrencyLimit(most=most), now_s=0.0, seed=3)


def run_for(tested: Gate, ticks: int, start_s: float = 0.0) -> list[bool]:
    return [tested.tick(start_s + TICK_S * n) for n in range(1, ticks + 1)]


def test_each_priority_has_its_share_of_the_limit() -> None:
    tested = gate()
    assert [tested.enter(LOW) for _ in range(8)] == [True] * 7 + [False]
    assert [tested.enter(NORMAL) for _ in range(3)] == [True, True, False]
    assert [tested.enter(HIGH) for _ in range(2)] == [True, False]
    assert tested.in_flight == 10


def test_those_that_came_together_come_in_together_or_not_at_all() -> None:
    tested = gate(most=4)
    assert [tested.enter_all(3), tested.enter_all(2)] == [True, False]
    assert tested.in_flight == 3
    assert tested.enter_all(1)
    assert not tested.enter()


def test_what_was_ever_let_in_is_counted() -> None:
    tested = gate(most=4)
    assert [tested.enter(), tested.enter_all(2), tested.enter_all(2), tested.enter(LOW), tested.enter()] == [
        True, True, False, False, True,
    ]  # fmt: skip
    tested.leave_all(1, 0.001, on_loop=False)
    assert (tested.entered, tested.in_flight) == (4, 3)


def test_every_way_out_makes_room() -> None:
    tested = gate(most=4)
    assert [tested.enter() for _ in range(5)] == [True] * 4 + [False]
    tested.leave_all(1, 0.001, on_loop=False)
    tested.leave_all(2, 0.002, on_loop=False)
    tested.abandon()
    assert tested.in_flight == 0
    assert tested.enter()


def test_every_fifth_tick_closes_a_window() -> None:
    assert run_for(gate(), 10) == [False, False, False, False, True] * 2


def test_a_window_without_requests_is_ended_by_one_tick() -> None:
    tested = gate()
    run_for(tested, 5)
    assert tested.pause_s == 5 * TICK_S
    tested.enter()
    assert tested.tick(0.1 + tested.pause_s)
    assert (tested.lag_s, tested.pause_s) == (0.0, TICK_S)
    tested.leave_all(1, 0.001, on_loop=False)
    assert run_for(tested, 10, start_s=0.2)[4::5] == [True, True]
    assert tested.pause_s == 5 * TICK_S


def test_the_lag_is_the_longest_lateness_of_a_tick() -> None:
    tested = gate()
    for now_s in (0.02, 0.07, 0.09):
        tested.tick(now_s)
    assert tested.tick(0.111)
    assert round(tested.lag_s, 6) == 0.03


def test_shadows_stop_before_any_client_is_refused_and_start_again() -> None:
    tested = gate(most=4096)
    for _ in range(500):
        tested.enter()
    for _ in range(20):
        tested.leave_all(1, 0.1, on_loop=False)
    run_for(tested, 5)
    assert (tested.sheds_shadow, tested.is_shedding, tested.limits[NORMAL]) == (True, False, 3687)
    for _ in range(480):
        tested.leave_all(1, 0.1, on_loop=False)
    run_for(tested, 5, start_s=0.1)
    assert not tested.sheds_shadow


def test_the_more_are_refused_the_later_they_are_told_to_come_back() -> None:
    tested = gate(most=2)
    assert {tested.retry_after_s() for _ in range(100)} == {1}
    for _ in range(1_000):
        tested.enter()
    run_for(tested, 5)
    assert {tested.retry_after_s() for _ in range(1_000)} == {1, 2, 3, 4, 5}
