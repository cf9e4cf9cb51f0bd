"""Effects: their size, their noise, their words."""

import numpy as np
import pytest

from monitors.cells import Cells
from monitors.effects import feature_effects, rank_wasserstein
from monitors.reference import FeatureProfile
from tests.monitors.material import profile, rows

AGE = profile().features[1]


def effects_of(values_n: "np.ndarray[tuple[int], np.dtype[np.float64]]", feature: FeatureProfile = AGE) -> float:
    """Return the distance of values from the reference."""
    found = feature_effects(feature.name, feature.cells, feature.cells.count(values_n), feature)
    assert found.wasserstein is not None
    return found.wasserstein


def test_the_distance_grows_with_the_shift_and_stays_below_one() -> None:
    values_n = rows(np.random.default_rng(5), 2000)[:, 1]
    found = [effects_of(values_n + shift) for shift in (0.0, 2.0, 5.0, 10.0, 1e9)]
    assert found == sorted(found)
    assert found[0] < 0.02
    assert 0.4 < found[-1] <= 1.0


def test_no_outlier_dominates_the_distance() -> None:
    values_n = rows(np.random.default_rng(5), 2000)[:, 1]
    values_n[0] = 1e30
    assert effects_of(values_n) < 0.02


def test_the_distance_is_symmetric_and_zero_only_without_change() -> None:
    a, b = np.array([0, 5, 3, 2, 0]), np.array([1, 2, 3, 4, 0])
    assert rank_wasserstein(a, b) == rank_wasserstein(b, a) > 0
    assert rank_wasserstein(a, 7 * a) == 0.0
    assert rank_wasserstein(a, np.zeros(5, dtype=np.int64)) == 0.0


@pytest.mark.parametrize("column", [0, 1, 2], ids=["values", "quantiles", "categories"])
def test_the_excess_is_nothing_in_nearly_all_windows_without_change(column: int) -> None:
    rng = np.random.default_rng(11)
    feature = profile().features[column]
    loud = 0
    for _ in range(300):
        counts = feature.cells.count(rows(rng, 200)[:, column])
        moved = feature_effects(feature.name, feature.cells, counts, feature).moved()
        assert moved is not None
        loud += moved.excess > 0.0
    assert loud <= 9


def test_a_feature_that_vanished_says_so() -> None:
    counts = AGE.cells.count(np.full(300, np.nan))
    found = feature_effects("age", AGE.cells, counts, AGE)
    gone, moved = found.vanished(), found.moved()
    assert (gone.effect, gone.after) == (1.0, "missing 100 %")
    assert gone.before == "median 39.97, missing 0 %"
    assert moved is not None
    assert 0.2 < moved.effect < 0.3


def test_a_category_nobody_knows_is_unseen() -> None:
    colour = profile().features[2]
    found = feature_effects("colour", colour.cells, colour.cells.count(np.array([0.0, -1.0, 1.0, 2.0])), colour)
    assert (found.unseen, found.strayed().after) == (0.25, "unseen 25 %")


def test_categories_are_all_one_step_apart() -> None:
    cells = Cells("categories", categories=("a", "b", "c"))
    feature = FeatureProfile("x", "category", cells, (0, 100, 100, 100, 0, 0, 0))
    to_b = feature_effects("x", cells, np.array([0, 0, 200, 100, 0, 0, 0]), feature)
    to_c = feature_effects("x", cells, np.array([0, 0, 100, 200, 0, 0, 0]), feature)
    assert to_b.wasserstein == to_c.wasserstein == pytest.approx(1 / 3)


def test_without_a_reference_there_is_no_distance() -> None:
    found = feature_effects("x", Cells("any"), np.array([0, 8, 0, 2, 0]), None)
    assert (found.wasserstein, found.psi, found.moved(), found.missing) == (None, None, None, 0.2)


def test_a_constant_reference_notices_another_value() -> None:
    cells = Cells("values", (3.0,))
    feature = FeatureProfile("x", "number", cells, (0, 500, 0, 0, 0))
    found = feature_effects("x", cells, cells.count(np.full(300, 4.0)), feature)
    assert found.wasserstein == 1.0


def test_a_few_known_values_among_unseen_ones_are_no_drift() -> None:
    cells = Cells("categories", categories=("red", "green"))
    profile = FeatureProfile("colour", "category", cells, (0, 500, 500, 0, 0, 0))
    effects = feature_effects("colour", cells, np.array([0, 3, 0, 0, 0, 297]), profile)
    moved = effects.moved()
    assert moved is not None
    assert (moved.excess, moved.after) == (0.0, "unseen 99 %")
    assert effects.strayed().effect == 0.99
