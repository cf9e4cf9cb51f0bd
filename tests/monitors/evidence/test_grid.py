import numpy as np
import pytest

from monitors.evidence.grid import LARGEST_CATEGORY_COUNT, Grid, category_axis, number_axis, rank_axis


def cells(values: list[float], *, reference: list[float]) -> list[int]:
    grid = Grid([number_axis(np.array(reference))])
    return [int(cell) for cell in grid.positions(np.array(values)[:, None])[:, 0]]


def test_few_values_have_a_cell_each_and_what_lies_between_is_unseen() -> None:
    assert cells([-1.0, 0.0, 1.0, 2.0, 1.5, 9.0, np.nan], reference=[0.0, 1.0, 2.0, 1.0]) == [0, 1, 2, 3, 6, 4, 5]


def test_infinity_is_above_or_below_and_never_an_error() -> None:
    assert cells([np.inf, -np.inf], reference=list(np.linspace(0.0, 1.0, 1000))) == [19, 0]


def test_the_smallest_and_largest_reference_values_are_inside() -> None:
    reference = list(np.random.default_rng(0).normal(size=500))
    found = cells([min(reference), max(reference), min(reference) - 1e-9, max(reference) + 1e-9], reference=reference)
    assert found == [1, 18, 0, 19]


def test_a_common_value_has_a_cell_of_its_own() -> None:
    rng = np.random.default_rng(0)
    reference = np.where(rng.random(2000) < 0.3, 0.0, rng.exponential(size=2000))
    zero, tiny = cells([0.0, 1e-300], reference=list(reference))
    assert zero != tiny


def test_a_reference_without_a_value_leaves_everything_present_unseen() -> None:
    assert cells([1.0, np.nan], reference=[np.nan, np.inf]) == [3, 2]


def test_a_rank_is_below_with_no_edge_reached_and_above_with_all() -> None:
    grid = Grid([rank_axis(5)])
    assert grid.positions(np.arange(6.0)[:, None])[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert grid.axes[0].inner == 4


def test_categories_beyond_the_most_frequent_share_a_cell() -> None:
    codes = np.repeat(np.arange(40.0), np.arange(1, 41))
    axis = category_axis(codes, 40)
    grid = Grid([axis])
    found = grid.positions(np.array([[39.0], [38.0], [0.0], [1.0], [-1.0], [40.0], [np.nan]]))[:, 0].tolist()
    assert axis.inner == LARGEST_CATEGORY_COUNT
    assert found[2] == found[3] == axis.inner
    assert len({*found[:3]}) == 3
    assert found[4:] == [axis.inner + 3, axis.inner + 3, axis.inner + 2]


@pytest.mark.parametrize("split", [1, 7, 32, 299])
def test_counts_add_up_bit_for_bit_for_any_split(split: int) -> None:
    rng = np.random.default_rng(2)
    axes = [number_axis(rng.normal(size=1000)), number_axis(rng.integers(3, size=1000).astype(float))]
    grid = Grid([*axes, category_axis(rng.integers(5, size=1000).astype(float), 5)])
    rows = np.column_stack([rng.normal(size=300), rng.integers(4, size=300), rng.integers(-1, 6, size=300)])
    rows[rng.random(rows.shape) < 0.1] = np.nan
    parts = sum(grid.counts(rows[i : i + split]) for i in range(0, 300, split))
    assert np.array_equal(parts, grid.counts(rows))
    assert grid.counts(rows).sum() == rows.size
