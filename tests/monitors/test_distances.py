"""Distances: their values, and what their null bands promise at any sample size."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon  # type: ignore[import-untyped]  # SciPy has no types
from scipy.stats import ks_2samp  # type: ignore[import-untyped]  # SciPy has no types

from monitors.distances import Distance, jensen_shannon, kolmogorov_smirnov, population_stability

SIXTEEN = np.full(16, 1 / 16)
SKEWED = np.array([0.6, 0.2, 0.1, 0.05, 0.05])


@pytest.mark.parametrize("rows", [100, 1_000, 20_000])
@pytest.mark.parametrize("shares", [SIXTEEN, SKEWED, np.array([0.5, 0.5])], ids=["sixteen", "skewed", "two"])
@pytest.mark.parametrize("distance", [population_stability, jensen_shannon, kolmogorov_smirnov])
def test_at_most_a_twentieth_of_unchanged_windows_is_above_the_band(
    distance: Callable[..., Distance], shares: "np.ndarray[tuple[int], np.dtype[np.float64]]", rows: int
) -> None:
    rng = np.random.default_rng(rows)
    found = [distance(rng.multinomial(5_000, shares), rng.multinomial(rows, shares)) for _ in range(600)]
    above = np.mean([each.value > each.band for each in found])
    assert above <= 0.08
    if distance is not kolmogorov_smirnov:
        assert above >= 0.02, "the band is no wider than it must be"


def test_the_band_of_the_largest_gap_is_sharp_on_two_cells() -> None:
    rng = np.random.default_rng(1)
    found = [
        kolmogorov_smirnov(rng.multinomial(5_000, [0.5, 0.5]), rng.multinomial(500, [0.5, 0.5])) for _ in range(600)
    ]
    assert 0.03 <= np.mean([each.value > each.band for each in found]) <= 0.07


def test_the_distance_is_that_of_scipy() -> None:
    a, b = np.array([5, 0, 30, 2]), np.array([1, 7, 9, 2])
    assert jensen_shannon(a, b).value == pytest.approx(jensenshannon(a, b, base=2))


def test_the_gap_is_that_of_scipy_where_the_cells_are_the_values() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 6, 300), rng.integers(1, 6, 200)
    found = kolmogorov_smirnov(np.bincount(a, minlength=6), np.bincount(b, minlength=6))
    assert found.value == pytest.approx(ks_2samp(a, b).statistic)


@pytest.mark.parametrize("distance", [population_stability, jensen_shannon, kolmogorov_smirnov])
def test_one_cell_shows_nothing(distance: Callable[..., Distance]) -> None:
    found = distance(np.array([0, 5, 0]), np.array([0, 45, 0]))
    assert (found.value, found.band) == (0.0, 0.0)


@pytest.mark.parametrize("distance", [jensen_shannon, kolmogorov_smirnov])
def test_without_rows_there_is_no_distance(distance: Callable[..., Distance]) -> None:
    some, none = np.array([0, 5, 0]), np.zeros(3, dtype=np.int64)
    assert {distance(some, none), distance(none, some), distance(none, none)} == {Distance(0.0, 0.0)}
