import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.joint import Components, fit_components

Floats = npt.NDArray[np.float64]


def correlated(rng: np.random.Generator, n: int, correlation: float = 0.9) -> Floats:
    rows = rng.normal(size=(n, 6))
    rows[:, 1] = correlation * rows[:, 0] + np.sqrt(1 - correlation**2) * rows[:, 1]
    return rows


@pytest.fixture(scope="module")
def components() -> Components:
    found = fit_components(correlated(np.random.default_rng(1), 5000))
    assert found is not None
    return found


@pytest.mark.parametrize("split", [1, 3, 32, 100])
def test_a_row_has_the_same_components_bit_for_bit_in_any_batch(components: Components, split: int) -> None:
    rows = correlated(np.random.default_rng(2), 300)
    parts = np.concatenate([components.values(rows[i : i + split]) for i in range(0, 300, split)])
    assert np.array_equal(parts, components.values(rows))


def test_components_have_unit_variance_and_a_flipped_correlation_stands_out(components: Components) -> None:
    rng = np.random.default_rng(3)
    same = components.values(correlated(rng, 4000))[:, :-1].std(axis=0)
    flipped = components.values(correlated(rng, 4000, -0.9))[:, :-1].std(axis=0)
    assert np.abs(same - 1.0).max() < 0.1
    assert flipped.max() > 3.0


def test_missing_and_infinite_values_give_finite_components(components: Components) -> None:
    rows = np.array([[np.nan] * 6, [np.inf, -np.inf, 0, 0, 0, 0]], dtype=np.float64)
    assert np.isfinite(components.values(rows)).all()


def test_a_sum_that_is_constant_by_construction_is_left_out() -> None:
    rows = np.random.default_rng(4).normal(size=(2000, 2))
    found = fit_components(np.column_stack([rows, rows.sum(axis=1)]))
    assert found is not None
    assert found.names == ("component 1", "component 2", "distance")


def test_fewer_than_two_numbers_that_vary_have_no_joint_channel() -> None:
    rows = np.random.default_rng(4).normal(size=(100, 3))
    rows[:, 1:] = 5.0
    assert fit_components(rows) is None


def test_a_constant_feature_that_becomes_infinite_moves_no_component() -> None:
    rows = np.random.default_rng(4).normal(size=(1000, 3))
    rows[:, 2] = 5.0
    found = fit_components(rows)
    assert found is not None
    assert np.array_equal(found.values(np.array([[0.0, 0.0, np.inf]])), found.values(np.array([[0.0, 0.0, 5.0]])))


def test_many_numbers_keep_the_ends_only() -> None:
    found = fit_components(np.random.default_rng(5).normal(size=(1000, 140)))
    assert found is not None
    assert found.values(np.zeros((2, 140))).shape == (2, 8)


@pytest.mark.parametrize("scale", [1e308, 1e-320])
def test_numbers_at_the_ends_of_what_a_double_holds_are_fitted_without_a_warning(scale: float) -> None:
    wide_rd = np.random.default_rng(5).uniform(-1.0, 1.0, size=(400, 3))
    wide_rd[:, 0] *= scale
    components = fit_components(wide_rd)
    assert components is not None
    assert np.isfinite(components.values(wide_rd)).all()
