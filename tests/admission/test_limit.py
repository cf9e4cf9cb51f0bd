"""The limit, on a simulated worker: no load that fits is shed, and an overload costs nothing but what does not fit."""

from collections.abc import Callable

import pytest

from gateway.admission.deadline import HIGH, LOW, NORMAL
from gateway.admission.gate import Gate
from gateway.admission.limit import ConcurrencyLimit, Window
from tests.admission.simulation import Model, Worker, bursts, mlp, small

MLP_RATE, SMALL_RATE = 3_300.0, 66_000.0
"""What each answers a second with 64 connections."""


def worker(model: Model) -> Worker:
    return Worker(model, Gate(ConcurrencyLimit(), now_s=0.0, seed=1))


@pytest.mark.parametrize("make", [small, mlp])
@pytest.mark.parametrize("connections", [1, 16, 64, 512])
def test_clients_that_wait_for_their_answers_are_never_shed(make: Callable[[], Model], connections: int) -> None:
    assert worker(make()).closed_loop(connections, 2.0 if make is mlp else 0.7).refusals() == 0


def test_a_model_that_batches_badly_is_not_shed_for_that() -> None:
    assert worker(Model(0.0, 0.008, 14e-6, is_inline=False, most_rows=1)).closed_loop(64, 8.0).refusals() == 0


@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_a_bursty_load_that_fits_is_not_shed(share: float) -> None:
    assert worker(mlp()).open_loop(bursts([(share * MLP_RATE, 6.0)]), 6.0).refusals() == 0


@pytest.mark.parametrize("share", [1.2, 2.0, 5.0])
def test_an_overloaded_worker_goes_on_at_its_capacity(share: float) -> None:
    result = worker(mlp()).open_loop(bursts([(share * MLP_RATE, 4.0)]), 4.0)
    assert result.rate(1.0, 4.0) > 0.98 * MLP_RATE


def test_what_is_accepted_in_an_overload_is_answered_as_fast_as_in_a_sound_load() -> None:
    sound = worker(mlp()).open_loop(bursts([(0.8 * MLP_RATE, 3.0)]), 3.0)
    overload = worker(mlp()).open_loop(bursts([(2.0 * MLP_RATE, 3.0)]), 3.0)
    assert overload.latency_s(0.99, 1.0, 2.9) < 2.0 * sound.latency_s(0.99, 1.0, 2.9)
    assert overload.latency_s(1.0, 0.0, 2.9) < 0.5


def test_where_refusing_costs_as_much_as_a_third_of_an_answer_the_rest_is_answered() -> None:
    model = small()
    result = worker(model).open_loop(bursts([(2.0 * SMALL_RATE, 1.8)]), 1.8)
    r = model.refusal_s * SMALL_RATE
    assert result.rate(0.8, 1.8) / SMALL_RATE > (1.0 - 2.0 * r) / (1.0 - r) - 0.05
    assert result.latency_s(0.99, 1.0, 1.7) < 0.05


@pytest.mark.parametrize("share", [1.3, 1.6, 2.0])
def test_answers_made_on_the_loop_do_not_wait_in_a_crowd(share: float) -> None:
    """Runs of a thousand requests cost a third more than those of two hundred: nothing is gained by letting them in."""
    model = small()
    model.crowded = 1.35
    result = worker(model).open_loop(bursts([(share * SMALL_RATE, 2.5)]), 2.5)
    r = model.refusal_s * SMALL_RATE
    assert result.rate(1.0, 2.5) / SMALL_RATE > (1.0 - share * r) / (1.0 - r) - 0.05
    assert result.latency_s(0.99, 1.0, 2.4) < 0.02


def test_a_load_that_fits_again_is_let_in_again_within_a_second() -> None:
    """A storm leaves a low limit; the bursts of a load that fits meet it, and must not keep it low."""
    run = worker(small())
    result = run.open_loop(bursts([(3.0 * SMALL_RATE, 1.0), (0.8 * SMALL_RATE, 2.5)]), 3.5)
    assert result.refusals(2.5, 3.5) == 0
    assert not run.gate.is_shedding


def test_the_lag_of_a_loop_beside_a_model_in_a_thread_leaves_its_batches_alone() -> None:
    by_lag, alone = (ConcurrencyLimit() for _ in range(2))
    for rule, lag_s in ((by_lag, 0.02), (alone, 0.0)):
        for _ in range(12):
            rule.update(Window(0.1, 300, 6.0, 0.0, 400, 300, on_loop=0, mean_lag_s=lag_s))
    assert by_lag.limit == alone.limit > 50


def test_after_an_overload_nothing_is_shed_and_nothing_waits() -> None:
    run = worker(mlp())
    result = run.open_loop(bursts([(0.5 * MLP_RATE, 1.0), (2.0 * MLP_RATE, 2.0), (0.5 * MLP_RATE, 2.0)]), 5.0)
    assert result.refusals(0.0, 1.0) == 0
    assert result.refusals(3.3, 5.0) == 0
    assert result.latency_s(0.99, 3.3, 4.9) < 0.015
    assert not run.gate.is_shedding
    assert not run.gate.sheds_shadow


def test_an_overload_that_lasts_is_looked_at_again_ever_more_rarely() -> None:
    result = worker(mlp()).open_loop(bursts([(2.0 * MLP_RATE, 12.0)]), 12.0)
    looks = [s for s in range(1, 12) if result.latency_s(0.99, s, s + 1) > 0.08]
    assert looks == [3, 9]
    assert max(result.latency_s(1.0, s, s + 0.9) for s in looks) < 0.3


def test_a_model_that_becomes_five_times_slower_is_held_and_comes_back() -> None:
    model = mlp()
    model.slower = lambda now_s: 5.0 if 1.0 < now_s < 5.0 else 1.0
    result = worker(model).open_loop(bursts([(0.8 * MLP_RATE, 8.0)]), 8.0)
    assert result.latency_s(0.5, 3.8, 4.8) < 0.1
    assert result.rate(3.8, 4.8) > 0.6 * 128 / model.seconds(128, 2.0)
    assert result.refusals(6.5, 8.0) == 0


def test_the_floor_gives_a_slow_model_the_room_that_its_batches_need() -> None:
    model = mlp()
    model.slower = lambda _: 5.0
    full = 128 / model.seconds(128, 0.0)
    result = worker(model).open_loop(bursts([(2.0 * full, 9.0)]), 9.0)
    assert result.rate(4.0, 9.0) > 0.78 * full


def test_the_less_urgent_give_way_first() -> None:
    result = worker(mlp()).open_loop(bursts([(2.0 * MLP_RATE, 4.0)]), 4.0, low_every=3)
    high, normal, low = (result.share(priority, 1.0) for priority in (HIGH, NORMAL, LOW))
    assert high > 0.9 > normal > low + 0.1


def test_a_pause_of_the_process_is_no_overload() -> None:
    run = worker(mlp())
    run.stalls = [(0.6, 0.3), (0.95, 0.2), (1.5, 0.6)]
    assert run.closed_loop(512, 3.0).refusals() == 0


def test_patient_clients_that_were_taken_for_an_overload_are_let_in_again() -> None:
    run = worker(mlp())
    run.stalls = [(0.5 + 0.13 * n, 0.12) for n in range(6)]
    result = run.closed_loop(512, 7.0, retry_s=0.05)
    assert result.refusals(1.0, 4.0) > 1_000
    assert result.refusals(5.0, 7.0) == 0


def test_a_window_without_enough_answers_waits_for_the_next() -> None:
    rule = ConcurrencyLimit()
    for _ in range(20):  # two answers in 0.2 s, three in flight: no rate can be told from one window
        rule.update(Window(0.1, 1, 0.3, 0.0, 3, 0))
    assert not rule.is_late


def test_a_worker_that_answers_nothing_is_overloaded_after_a_while() -> None:
    rule = ConcurrencyLimit()
    for n in range(40):
        rule.update(Window(0.1, 0, 0.0, 0.0, 50 + n, 0))
    assert (rule.is_shedding, rule.limit) == (True, 2)


def test_an_idle_worker_is_calm() -> None:
    rule = ConcurrencyLimit()
    for _ in range(40):
        rule.update(Window(0.1, 0, 0.0, 0.2, 0, 0))
    assert (rule.is_late, rule.limit) == (False, 4096)


def test_the_ceiling_holds_in_the_calm_and_meeting_it_is_an_overload() -> None:
    rule = ConcurrencyLimit(most=50)
    assert rule.limit == 50
    for _ in range(3):
        rule.update(Window(0.1, 200, 4.0, 0.0, 50, 10))
    assert rule.is_shedding
    assert rule.limit <= 50
