import math
import re
from dataclasses import replace

import numpy as np
import pytest

from monitors.calibration import Calibrated, Effort, calibrate
from monitors.evidence.budget import Budget
from monitors.evidence.rows import Rows
from monitors.evidence.ticks import Ticks
from monitors.records import FeatureSchema

SCHEMA = (FeatureSchema("x", "number", "float64"),)
BUDGET = Budget(rows_between_false_pages=2_000)


def normal(n: int, seed: int = 0) -> Rows:
    return Rows(np.random.default_rng(seed).normal(size=(n, 1)))


def calibrated(rows: Rows, budget: Budget = BUDGET, replicas: int = 16) -> Calibrated:
    return calibrate(rows, SCHEMA, budget=budget, effort=Effort(replicas=replicas))


def test_a_steady_baseline_holds_its_promise_as_it_is() -> None:
    found = calibrated(normal(8_000))
    assert (found.level, found.factor, found.budget) == ("baseline", 1.0, BUDGET)
    assert 0.0 <= found.predicted < found.upper < 1.0
    assert found.summaries >= 16_000


@pytest.mark.parametrize("seed", [0, 3])
def test_a_short_steady_baseline_holds_a_strict_promise_without_a_higher_threshold(seed: int) -> None:
    rows, features = np.random.default_rng(seed).normal(size=(7_000, 2)), [*SCHEMA, replace(SCHEMA[0], name="y")]
    budget = Budget(rows_between_false_pages=100_000)
    found = calibrate(Rows(rows), features, budget=budget, effort=Effort(replicas=16))
    assert (found.level, found.factor) == ("baseline", 1.0)


def test_a_short_steady_baseline_told_apart_holds_it_too() -> None:
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.normal(size=8_000), rng.choice([1.0, 2.0, 3.0], 8_000, p=(0.5, 0.3, 0.2))])
    features = [*SCHEMA, replace(SCHEMA[0], name="plan")]
    budget = Budget(rows_between_false_pages=100_000)
    found = calibrate(Rows(rows), features, budget=budget, segment="plan", effort=Effort(replicas=16))
    assert (found.level, found.factor) == ("baseline", 1.0)


def moved(by: float, seed: int) -> Rows:
    """Return a baseline whose last quarter lies elsewhere."""
    rng = np.random.default_rng(seed)
    return Rows((rng.normal(size=8_000) + np.repeat([0.0, 0.0, 0.0, by], 2_000))[:, None])


def test_the_threshold_rises_until_parts_that_differ_a_little_hold_the_promise() -> None:
    found = calibrated(moved(0.22, seed=6))
    assert (found.level, found.upper < 1.0) == ("baseline", True)
    assert 1.5 <= found.factor < 100.0
    raised = found.budget.thresholds(["inputs"])["inputs"]
    assert raised == pytest.approx(found.factor * BUDGET.thresholds(["inputs"])["inputs"])


def test_parts_that_differ_at_any_threshold_get_no_promise() -> None:
    found = calibrated(moved(1.0, seed=6))
    assert (found.level, found.factor, found.budget) == ("uncalibrated", 1.0, BUDGET)
    assert found.predicted > 1.0
    assert "parts of the baseline differ" in found.why
    assert "(part 4 of 4: x)" in found.why


def test_the_part_and_the_feature_that_differ_most_are_named_before_joint_channels() -> None:
    values_nd = np.random.default_rng(7).normal(size=(8_000, 2))
    values_nd[2_000:4_000, 1] += 1.0
    found = calibrate(
        Rows(values_nd), [*SCHEMA, replace(SCHEMA[0], name="y")], budget=BUDGET, effort=Effort(replicas=4)
    )
    assert "(part 2 of 4: y): take rows of steady traffic" in found.why


def test_rows_that_depend_on_each_other_say_how_many_are_enough_and_those_are() -> None:
    budget = Budget(rows_between_false_pages=100_000)
    rows = Rows(np.repeat(np.random.default_rng(0).normal(size=(1_400, 1)), 10, axis=0))
    found = calibrated(rows.part(0, 7_000), budget)
    assert (found.level, found.factor) == ("uncalibrated", 1.0)
    assert found.why == (
        "7,000 rows depend on each other too much to tell change from chance; about 13,334 rows are needed: "
        "take a longer table, or more of the prediction log"
    )
    assert calibrated(rows.part(0, 13_340), budget).level == "baseline"


def test_rows_of_which_no_part_differs_and_that_hardly_depend_are_too_few() -> None:
    rows, short = normal(7_000), Effort(replicas=4, spans=0.5)
    found = calibrate(rows, SCHEMA, budget=Budget(rows_between_false_pages=100_000), effort=short)
    assert (found.level, found.factor) == ("uncalibrated", 1.0)
    assert found.why == (
        "7,000 rows are too few to tell change from chance, though no part differs; about 14,000 rows are needed: "
        "take a longer table, or more of the prediction log"
    )


def test_a_baseline_that_is_too_short_says_how_many_rows_it_needs() -> None:
    found = calibrated(normal(6_000))
    assert (found.level, found.factor) == ("uncalibrated", 1.0)
    assert "6,000 rows; 6,667 are needed" in found.why
    assert found.why.endswith("take a longer table, or more of the prediction log")
    assert math.isnan(found.upper)


def test_runs_of_rows_longer_than_the_baseline_can_show_are_refused() -> None:
    rows = Rows(np.repeat(np.random.default_rng(2).normal(size=(40, 1)), 200, axis=0) + 1e-3 * normal(8_000).values_nd)
    found = calibrated(rows)
    assert found.level == "uncalibrated"
    assert found.why.startswith("8,000 rows hold fewer than 20 runs")
    (needed,) = re.findall(r"about ([0-9,]+) rows are needed: take", found.why)
    assert int(needed.replace(",", "")) > 8_000


def test_a_baseline_of_a_moment_says_that_it_has_too_few_summaries() -> None:
    times = np.linspace(0.0, 2.5, 8_000)
    found = calibrate(normal(8_000), SCHEMA, budget=BUDGET, ticks=Ticks(10, 1.0), times_s=times)
    assert found.why.startswith("8,000 rows in 2 summaries of 1 s or more; 4 are needed: take a longer")


def test_stricter_promises_and_shares_keep_what_was_asked() -> None:
    asked = replace(BUDGET, promise="p95", share=0.5)
    assert calibrated(normal(8_000), asked).budget == asked


def test_ticks_of_seconds_are_replayed_as_they_are() -> None:
    times = np.cumsum(np.random.default_rng(3).exponential(0.02, size=8_000))
    found = calibrate(
        normal(8_000), SCHEMA, budget=BUDGET, ticks=Ticks(10, 1.0), times_s=times, effort=Effort(replicas=8)
    )
    assert found.level == "baseline"
    assert found.pages_per_week is None


def test_weeks_are_told_in_weeks() -> None:
    found = calibrated(normal(8_000), Budget(pages_per_week=2_000))
    assert found.pages_per_week is not None
    assert found.pages_per_week[1] == pytest.approx(2_000 * found.upper)


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert calibrated(normal(7_000), replicas=4) == calibrated(normal(7_000), replicas=4)
