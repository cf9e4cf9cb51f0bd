"""Batch sizes: within their bounds whatever happens, at the best rate or the target where runs are as they are."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batching.sizing import BatchSizer
from gateway.engine.timing import RateCurve

Seconds = Callable[[int], float]
SIZES = [1, 2, 4, 8, 16, 32, 64, 128]


def flat(rows: int) -> float:
    return 6e-6 + rows * 2e-8


def mlp(rows: int) -> float:
    return 2e-3 + rows * 2.5e-4


def cnn(rows: int) -> float:
    return rows * 1e-3


def trees(rows: int) -> float:
    return 5e-6 + rows * 1.7e-6 + max(rows - 32, 0) * 6e-6


def curve_of(seconds: Seconds, sizes: list[int] = SIZES) -> RateCurve:
    return RateCurve.of((n, seconds(n)) for n in sizes)


def saturated(sizer: BatchSizer, seconds: Seconds, runs: int, *, noise: float = 0.1, seed: int = 1) -> list[int]:
    """Give the limits of runs that are always full."""
    rng = np.random.default_rng(seed)
    limits = []
    for _ in range(runs):
        rows = sizer.limit
        sizer.observe(rows, seconds(rows) * float(rng.lognormal(0, noise)), was_full=True)
        limits.append(rows)
    return limits


@pytest.mark.parametrize(
    ("seconds", "low", "high"),
    [
        pytest.param(flat, 128, 128, id="flat"),
        pytest.param(mlp, 64, 128, id="mlp"),
        pytest.param(trees, 32, 32, id="trees"),
        pytest.param(cnn, 1, 1, id="a batch gains nothing"),
    ],
)
def test_the_limit_begins_and_stays_where_batches_are_worth_most(seconds: Seconds, low: int, high: int) -> None:
    sizer = BatchSizer(curve_of(seconds), most=128)
    assert low <= sizer.limit <= high
    limits = saturated(sizer, seconds, 2000)
    rates = [n / seconds(n) for n in limits[100:]]
    assert np.mean(rates) > 0.95 * max(n / seconds(n) for n in SIZES if n <= high)


def test_a_batch_that_gains_nothing_stays_small() -> None:
    limits = saturated(BatchSizer(curve_of(cnn), most=128), cnn, 2000)
    assert max(limits) <= 8
    assert np.mean(limits) < 2


def test_the_limit_grows_beyond_what_was_measured() -> None:
    limits = saturated(BatchSizer(curve_of(mlp, [1, 2, 4, 8]), most=128), mlp, 300)
    assert limits[0] == 8
    assert limits[-1] > 64


def test_the_limit_grows_by_a_step_at_a_time() -> None:
    limits = saturated(BatchSizer(curve_of(mlp, [1, 2, 4, 8]), most=128), mlp, 50, noise=0)
    assert set(np.diff(limits)) <= {0, 2}


def test_the_limit_leaves_a_size_that_has_become_a_bad_one() -> None:
    """The kernel falls off a cliff in production that the rows of the warm-up did not show."""
    sizer = BatchSizer(curve_of(mlp), most=128)

    def cliff(rows: int) -> float:
        return mlp(rows) * (3 if rows > 40 else 1)

    limits = saturated(sizer, cliff, 600)
    assert np.median(limits[300:]) < 60


def test_what_was_measured_badly_is_found_out() -> None:
    """The warm-up was disturbed just as it measured the largest batch that it knows."""
    disturbed = RateCurve.of([*((n, mlp(n)) for n in SIZES[:4]), (16, 2.5 * mlp(16))])
    sizer = BatchSizer(disturbed, most=128)
    assert sizer.limit == 8
    limits = saturated(sizer, mlp, 3000)
    assert np.median(limits[2000:]) >= 16


def test_one_full_batch_in_sixty_four_may_be_twice_as_large() -> None:
    limits = saturated(BatchSizer(curve_of(trees), most=128), trees, 640, noise=0)
    assert limits.count(64) == 9
    assert limits.count(32) == 631


def test_the_larger_batch_is_allowed_for_one_run_only() -> None:
    sizer = BatchSizer(curve_of(trees), most=128)
    saturated(sizer, trees, 64, noise=0)
    assert sizer.limit == 64
    sizer.observe(40, trees(40), was_full=False)
    assert sizer.limit == 32


def test_without_full_batches_the_limit_stays() -> None:
    sizer = BatchSizer(curve_of(mlp, [1, 2, 4, 8]), most=128)
    for _ in range(500):
        sizer.observe(3, mlp(3), was_full=False)
    assert sizer.limit == 8


def test_a_target_bounds_the_runs_from_the_start() -> None:
    sizer = BatchSizer(curve_of(mlp), most=128, target_s=0.01)
    assert 26 <= sizer.limit <= 28
    assert BatchSizer(curve_of(mlp), most=128, target_s=1e-3).limit == 1


def test_runs_past_the_target_shrink_the_limit_and_shorter_ones_let_it_grow_again() -> None:
    sizer = BatchSizer(curve_of(mlp), most=128, target_s=0.01)
    slow = saturated(sizer, lambda n: 2 * mlp(n), 200)
    assert np.mean([2 * mlp(n) <= 0.0105 for n in slow[100:]]) > 0.9
    assert np.mean(slow[100:]) > 8
    again = saturated(sizer, mlp, 300)
    assert 24 <= np.mean(again[200:]) <= 32


def test_a_single_run_past_the_target_changes_nothing() -> None:
    sizer = BatchSizer(curve_of(mlp), most=128, target_s=0.01)
    limit = sizer.limit
    sizer.observe(limit, 50 * mlp(limit), was_full=False)
    assert sizer.limit == limit


def test_a_large_request_past_the_target_does_not_shrink_the_limit() -> None:
    sizer = BatchSizer(curve_of(mlp), most=128, target_s=0.01)
    limit = sizer.limit
    for _ in range(50):
        sizer.observe(1000, mlp(1000), was_full=False)
    assert sizer.limit == limit


def test_a_version_whose_rows_do_not_keep_their_place_runs_its_requests_one_by_one() -> None:
    sizer = BatchSizer(RateCurve.of([(1, 1e-5)]), most=None, on_loop_s=5e-4)
    assert (sizer.limit, sizer.inline_rows) == (1, 1)
    assert set(saturated(sizer, flat, 100)) == {1}


def test_rows_on_the_loop_follow_from_the_curve() -> None:
    assert BatchSizer(curve_of(flat), most=128, on_loop_s=5e-4).inline_rows == 128
    assert BatchSizer(curve_of(mlp), most=128, on_loop_s=5e-4).inline_rows == 0
    assert BatchSizer(curve_of(flat), most=128).inline_rows == 0


def test_a_version_leaves_the_loop_when_its_runs_grow_and_comes_back_with_room_to_spare() -> None:
    sizer = BatchSizer(curve_of(flat), most=128, on_loop_s=5e-4)

    def slowed(times: float) -> int:
        for i in range(400):
            rows = 1 + i % 4
            sizer.observe(rows, times * flat(rows), was_full=False)
        return sizer.inline_rows

    assert slowed(50) > 4
    assert slowed(100) == 0
    assert slowed(70) == 0
    assert slowed(20) > 0


def test_runs_that_are_far_too_long_leave_the_loop_at_once() -> None:
    sizer = BatchSizer(curve_of(flat), most=128, on_loop_s=5e-4)
    for _ in range(2):
        sizer.observe(4, 0.05, was_full=False)
    assert sizer.inline_rows > 0
    sizer.observe(4, 0.05, was_full=False)
    assert sizer.inline_rows == 0
    for _ in range(63):
        sizer.observe(4, flat(4), was_full=False)
        assert sizer.inline_rows == 0
    for _ in range(64):
        sizer.observe(4, flat(4), was_full=False)
    assert sizer.inline_rows == 128


def test_one_disturbed_run_does_not_leave_the_loop() -> None:
    sizer = BatchSizer(curve_of(flat), most=128, on_loop_s=5e-4)
    for i in range(1000):
        sizer.observe(4, 0.05 if i % 50 == 0 else flat(4), was_full=False)
        assert sizer.inline_rows == 128


def test_batches_are_cut_to_fit_the_loop_where_that_costs_little() -> None:
    sizer = BatchSizer(curve_of(trees), most=128, on_loop_s=5e-5)
    assert sizer.inline_rows < 32
    assert sizer.limit == sizer.inline_rows


def test_batches_leave_the_loop_where_large_ones_are_worth_it() -> None:
    sizer = BatchSizer(curve_of(mlp), most=128, on_loop_s=3e-3)
    assert sizer.inline_rows == 4
    assert sizer.limit >= 64


@given(
    runs=st.lists(st.tuples(st.integers(1, 20_000), st.floats(0, 100), st.booleans()), max_size=80),
    seconds=st.sampled_from([flat, mlp, cnn, trees]),
    most=st.sampled_from([None, 1, 2, 7, 100, 128, 4096]),
    on_loop_s=st.sampled_from([0.0, 5e-5, 5e-4, 1.0]),
    target_s=st.sampled_from([0.0, 1e-4, 0.01, 1.0]),
    follow=st.booleans(),
)
def test_limits_stay_within_their_bounds_whatever_is_seen(
    runs: list[tuple[int, float, bool]],
    seconds: Seconds,
    most: int | None,
    on_loop_s: float,
    target_s: float,
    follow: bool,
) -> None:
    sizer = BatchSizer(curve_of(seconds), most=most, on_loop_s=on_loop_s, target_s=target_s)
    for rows, took_s, was_full in runs:
        sizer.observe(sizer.limit if follow else rows, took_s, was_full=was_full)
        assert 1 <= sizer.limit <= (most or 1)
        assert 0 <= sizer.inline_rows <= (most or 1)
        assert on_loop_s or not sizer.inline_rows
        assert sizer.cost.estimate(sizer.limit) > 0
