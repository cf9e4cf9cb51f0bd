"""The cost model: it follows what lasts, hardly notices what does not, and never says that more rows cost less."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batching.cost import CostModel
from gateway.engine.timing import RateCurve

SIZES = [1, 2, 4, 8, 16, 32, 64, 128]
CURVES = {
    "flat": RateCurve.of((n, 5.6e-6 + n * 2.4e-8) for n in SIZES),
    "trees": RateCurve.of((n, 5e-6 + n * (1.7e-6 if n <= 32 else 4e-6)) for n in SIZES),
    "mlp": RateCurve.of((n, 2e-3 + n * 2.5e-4) for n in SIZES),
    "cnn": RateCurve.of((n, n * 1e-3) for n in SIZES[:4]),
}
curves = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())


def taught(curve: RateCurve, seconds: Callable[[int], float], rows: list[int]) -> CostModel:
    cost = CostModel(curve, 128)
    for n in rows:
        cost.observe(n, seconds(n))
    return cost


@curves
def test_it_begins_with_the_curve(curve: RateCurve) -> None:
    cost = CostModel(curve, 128)
    for rows in (1, 3, 7, 64, 100, 128, 1000):
        assert cost.estimate(rows) == pytest.approx(curve.seconds(rows), rel=0.02)


@curves
@pytest.mark.parametrize("rows", [1, 3, 32, 48, 128])
@pytest.mark.parametrize("times", [3.0, 1 / 3])
def test_it_follows_a_lasting_change_within_twenty_runs(curve: RateCurve, rows: int, times: float) -> None:
    cost = taught(curve, lambda n: times * curve.seconds(n), [rows] * 20)
    assert cost.estimate(rows) == pytest.approx(times * curve.seconds(rows), rel=0.2)


@curves
@pytest.mark.parametrize("rows", [1, 3, 32, 128])
def test_a_single_outlier_is_hardly_noticed(curve: RateCurve, rows: int) -> None:
    cost = taught(curve, lambda n: 50 * curve.seconds(n), [rows])
    assert cost.estimate(rows) == pytest.approx(curve.seconds(rows), rel=0.1)


@curves
def test_rare_outliers_leave_no_lasting_trace(curve: RateCurve) -> None:
    rng = np.random.default_rng(4)
    cost = CostModel(curve, 128)
    for _ in range(3000):
        rows = int(2 ** rng.uniform(0, 7))
        cost.observe(rows, curve.seconds(rows) * float(rng.lognormal(0, 0.1)) * (50 if rng.random() < 0.01 else 1))
    for rows in SIZES:
        assert cost.estimate(rows) == pytest.approx(curve.seconds(rows), rel=0.2)


@curves
def test_a_change_of_shape_is_learned_size_by_size(curve: RateCurve) -> None:
    """Large batches alone become slower, as where they no longer fit the cache."""

    def seconds(n: int) -> float:
        return curve.seconds(n) * (1 + min(n / 64, 1))

    rng = np.random.default_rng(5)
    cost = taught(curve, seconds, [int(2 ** rng.uniform(0, 7)) for _ in range(600)])
    for rows in (2, 12, 40, 100):
        assert cost.estimate(rows) == pytest.approx(seconds(rows), rel=0.2)


@curves
def test_what_concerns_every_run_is_learned_for_sizes_that_were_not_seen(curve: RateCurve) -> None:
    cost = taught(curve, lambda n: 3 * curve.seconds(n), [1] * 60)
    assert 1.3 * curve.seconds(128) < cost.estimate(128) < 3.3 * curve.seconds(128)


RUNS = st.lists(st.tuples(st.integers(0, 20_000), st.floats(0, 1e3)), max_size=60)


@given(
    runs=RUNS,
    rows=st.lists(st.integers(0, 40_000), min_size=2, max_size=2).map(sorted),
    curve=st.sampled_from(list(CURVES.values())),
    most=st.sampled_from([1, 7, 128, 2**20]),
)
def test_more_rows_never_cost_less_whatever_was_seen(
    runs: list[tuple[int, float]], rows: list[int], curve: RateCurve, most: int
) -> None:
    cost = CostModel(curve, most)
    for n, seconds in runs:
        cost.observe(n, seconds)
    assert 0 < cost.estimate(rows[0]) <= cost.estimate(rows[1]) * (1 + 1e-9)


@given(runs=RUNS, seconds=st.floats(0, 1), most=st.integers(1, 300), curve=st.sampled_from(list(CURVES.values())))
def test_rows_within_a_time_are_the_most_that_fit(
    runs: list[tuple[int, float]], seconds: float, most: int, curve: RateCurve
) -> None:
    cost = CostModel(curve, most)
    for n, took_s in runs:
        cost.observe(n, took_s)
    rows = cost.rows_within(seconds, most)
    assert 0 <= rows <= most
    assert rows == 0 or cost.estimate(rows) <= seconds
    assert rows == most or cost.estimate(rows + 1) > seconds


def test_runs_that_take_no_time_do_no_harm() -> None:
    cost = taught(CURVES["flat"], lambda _: 0.0, [1] * 30_000)
    assert 0 < cost.estimate(1) < 1e-8
