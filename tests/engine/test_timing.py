"""The rate curve, and measuring it: undisturbed by what disturbs a run, brief, and no larger than batches are worth."""

from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.session import RunFailed
from gateway.engine.timing import Feeds, RateCurve, RunCost, measure


def flat(rows: int) -> float:
    return 6e-6 + rows * 2e-8


def linear(rows: int) -> float:
    return 1e-3 + rows * 1e-4


def cnn(rows: int) -> float:
    return 1e-4 + rows * 2.4e-3


def trees(rows: int) -> float:
    """Give the seconds of a forest whose kernel changes its ways beyond 32 rows."""
    return 5e-6 + rows * (1.7e-6 if rows <= 32 else 4e-6)


class TimedModel:
    """Takes its seconds from a clock of its own; the runs numbered in ``disturbed`` take so much longer."""

    def __init__(self, seconds: Callable[[int], float], disturbed: dict[int, float] | None = None) -> None:
        self.seconds, self.disturbed = seconds, disturbed or {}
        self.now_s, self.sizes = 0.0, list[int]()

    def clock(self) -> float:
        return self.now_s

    def run(self, feeds: Feeds, rows: int) -> None:
        assert len(feeds["x"]) == rows
        self.now_s += self.seconds(rows) + self.disturbed.get(len(self.sizes), 0.0)
        self.sizes.append(rows)

    def measured(self, most: int = 128, large_s: float = inf) -> RateCurve:
        return measure(self.run, feeds_of, most, large_s=large_s, clock=self.clock)


def feeds_of(rows: int) -> Feeds:
    return {"x": np.zeros((rows, 2), np.float32)}


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        pytest.param(flat, 128, id="cost hardly grows with rows"),
        pytest.param(linear, 128, id="a share of the cost is the run's"),
        pytest.param(trees, 32, id="large batches are slower"),
        pytest.param(cnn, 1, id="a batch gains nothing"),
        pytest.param(lambda rows: rows * 1e-3, 1, id="a batch gains nothing at all"),
    ],
)
def test_the_best_batch_is_the_one_whose_doublings_earn_their_wait(seconds: Callable[[int], float], best: int) -> None:
    assert TimedModel(seconds).measured().best_rows == best


@pytest.mark.parametrize(
    ("seconds", "longest_s"),
    [
        pytest.param(flat, 0.06, id="microseconds"),
        pytest.param(trees, 0.06, id="trees"),
        pytest.param(lambda rows: 2e-3 + rows * 2.5e-4, 0.4, id="milliseconds"),
        pytest.param(cnn, 0.4, id="milliseconds and no gain"),
        pytest.param(lambda rows: 0.05 + rows * 0.01, 3.0, id="tens of milliseconds"),
        pytest.param(lambda rows: 2.0 + rows * 1e-3, 2.1, id="seconds: one run"),
    ],
)
def test_measuring_is_brief(seconds: Callable[[int], float], longest_s: float) -> None:
    model = TimedModel(seconds)
    model.measured()
    assert model.now_s < longest_s
    assert model.sizes[0] == 1


def test_measuring_ends_where_rows_a_second_have_fallen() -> None:
    model = TimedModel(trees)
    curve = model.measured(2**20)
    assert curve.most_rows == 64
    assert curve.seconds(64) == pytest.approx(trees(64))


@given(
    disturbed=st.dictionaries(st.integers(0, 20).map(lambda i: 2 * i), st.floats(0, 1e-3)),
    seconds=st.sampled_from([flat, trees]),
)
def test_disturbed_runs_do_not_decide(disturbed: dict[int, float], seconds: Callable[[int], float]) -> None:
    calm, found = TimedModel(seconds).measured(), TimedModel(seconds, disturbed).measured()
    assert dict(found.points) == pytest.approx(dict(calm.points))


def test_a_long_disturbance_does_not_end_the_measuring() -> None:
    assert TimedModel(flat, {15: 0.02}).measured().most_rows == 128


def test_sizes_are_measured_in_turn() -> None:
    model = TimedModel(flat)
    model.measured(4)
    assert model.sizes[:12] == [1, 1, 1, 2, 2, 2, 4, 4, 4, 1, 2, 4]


def test_the_maximum_is_measured_though_it_is_no_power_of_two() -> None:
    assert [rows for rows, _ in TimedModel(flat).measured(100).points] == [1, 2, 4, 8, 16, 32, 64, 100]


def test_a_model_of_single_rows_has_one_point() -> None:
    curve = TimedModel(flat).measured(1)
    assert [rows for rows, _ in curve.points] == [1]
    assert curve.best_rows == 1
    assert curve.seconds(3) == pytest.approx(3 * flat(1))


def failing_from(rows: int, *, terminated: bool = False) -> TimedModel:
    def seconds(n: int) -> float:
        if n >= rows:
            raise RunFailed("too large", terminated=terminated)
        return flat(n)

    return TimedModel(seconds)


def test_a_batch_that_fails_ends_the_curve_and_is_remembered() -> None:
    curve = failing_from(10).measured()
    assert (curve.most_rows, curve.failed_rows) == (8, 16)


@pytest.mark.parametrize(("rows", "terminated"), [(1, False), (8, True)], ids=["one row", "terminated"])
def test_a_failure_of_one_row_or_a_termination_is_no_measurement(rows: int, terminated: bool) -> None:
    with pytest.raises(RunFailed):
        failing_from(rows, terminated=terminated).measured()


def test_inputs_beyond_a_quarter_of_a_gigabyte_are_not_made() -> None:
    made: list[int] = []

    def wide(rows: int) -> Feeds:
        made.append(rows)
        return {"x": np.broadcast_to(np.float32(0), (rows, 1 << 24))}

    assert measure(lambda _feeds, _rows: None, wide, 128, clock=lambda: 0.0).most_rows == 4
    assert max(made) == 4


MEASURED = st.lists(
    st.tuples(st.integers(2, 4096), st.floats(1e-7, 10)), max_size=12, unique_by=lambda point: point[0]
).flatmap(lambda rest: st.floats(1e-7, 10).map(lambda one_s: [(1, one_s), *rest]))


@given(measured=MEASURED, rows=st.lists(st.integers(1, 10_000), min_size=2, max_size=2).map(sorted))
def test_more_rows_never_take_less_time(measured: list[tuple[int, float]], rows: list[int]) -> None:
    curve = RateCurve.of(measured)
    assert 0 < curve.seconds(rows[0]) <= curve.seconds(rows[1]) * (1 + 1e-9)
    assert curve.best_rows in dict(measured)


def test_a_disturbed_small_run_is_corrected_by_the_larger_one() -> None:
    assert RateCurve.of([(1, 5.0), (2, 1.0), (4, 2.0)]).points == ((1, 1.0), (2, 1.0), (4, 2.0))


@pytest.mark.parametrize("measured", [[], [(2, 1.0)]], ids=["nothing", "no single row"])
def test_a_curve_begins_at_one_row(measured: list[tuple[int, float]]) -> None:
    with pytest.raises(ValueError, match="begins at one row"):
        RateCurve.of(measured)


def test_the_straight_line_goes_through_one_row_and_the_best_batch() -> None:
    cost = TimedModel(linear).measured().cost
    assert [cost.run_s, cost.row_s] == pytest.approx([1e-3, 1e-4])
    cost = TimedModel(cnn).measured().cost
    assert [cost.run_s, cost.row_s] == pytest.approx([0.0, 2.5e-3])


@pytest.mark.parametrize(
    ("cost", "seconds", "rows"),
    [
        (RunCost(0.0, 0.0), 1e-3, 100),
        (RunCost(0.25, 0.125), 1.0, 6),
        (RunCost(1e-3, 1e-5), 1e-3, 0),
        (RunCost(0.0, 1e-3), 1e-3, 1),
        (RunCost(0.0, 2e-3), 1e-3, 0),
    ],
)
def test_rows_within_a_time_follow_from_the_straight_line(cost: RunCost, seconds: float, rows: int) -> None:
    assert cost.rows_within(seconds, 100) == rows


@pytest.mark.parametrize(("large_s", "most"), [(0.0, 128), (30e-6, 512), (1.0, 1024)])
def test_more_rows_than_usual_are_tried_only_where_such_a_run_is_brief(large_s: float, most: int) -> None:
    assert TimedModel(flat).measured(1024, large_s).most_rows == most
