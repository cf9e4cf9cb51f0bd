"""Lines through samples."""

import pytest

from benchmarks.serving.trials.footprint import growth, slope_and_mean


def test_the_slope_is_a_minute_s() -> None:
    assert slope_and_mean([0.0, 60.0, 120.0], [5.0, 7.0, 9.0]) == pytest.approx([2.0, 7.0])
    assert slope_and_mean([0.0, 60.0, 120.0], [5.0, 5.0, 5.0]) == pytest.approx([0.0, 5.0])


def test_the_first_quarter_is_the_start_and_does_not_count() -> None:
    samples = [{"MB": value} for value in (1.0, 50.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0)]
    assert growth([60.0 * i for i in range(8)], samples)["MB"] == pytest.approx([0.0, 100.0], abs=1e-9)


def test_no_samples_have_no_growth() -> None:
    assert growth([], []) == {}
