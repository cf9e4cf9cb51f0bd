"""Bounds that hold at every time: shares, quantiles, whole distribution functions."""

import numpy as np
import pytest

from monitors.trials.bands import band_radius, distance
from monitors.trials.quantiles import LATENCY_EDGES_S, latency_histogram, quantile_bounds, quantile_estimate
from monitors.trials.shares import ShareBounds


@pytest.mark.parametrize(("share", "near"), [(0.01, 0.01), (0.2, 0.01), (0.95, 0.95)])
def test_a_true_share_is_hardly_ever_ruled_out_however_often_one_looks(share: float, near: float) -> None:
    rng, bounds = np.random.default_rng(5), ShareBounds(0.05, near=near)
    looks = np.unique(np.geomspace(5, 20_000, 60).astype(int))
    wrong = 0
    for _ in range(200):
        counts = np.cumsum(rng.random(20_000) < share)[looks - 1]
        wrong += any(bounds.rejects(share, float(x), float(n)) for x, n in zip(counts, looks, strict=True))
    assert wrong <= 10


def test_bounds_enclose_the_share_and_close_in() -> None:
    bounds = ShareBounds(0.025, near=0.05)
    widths = []
    for n in (10, 100, 1_000, 10_000):
        low, high = bounds.low(0.05 * n, n), bounds.high(0.05 * n, n)
        assert 0 <= low <= 0.05 <= high <= 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert (bounds.low(0, 50), bounds.high(50, 50), bounds.high(0, 0)) == (0.0, 1.0, 1.0)


def test_a_bound_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ShareBounds(0.0)


def test_the_true_quantile_hardly_ever_leaves_its_bounds() -> None:
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(100):
        durations = rng.lognormal(-4, 0.7, 4_000)
        true_s = float(np.exp(-4 + 0.7 * 1.6448536269514722))
        for n in (50, 200, 1_000, 4_000):
            low_s, high_s = quantile_bounds(latency_histogram(durations[:n]), 0.95, 0.025)
            if not low_s <= true_s <= high_s:
                wrong += 1
                break
    assert wrong <= 5


def test_bounds_without_enough_values_are_open() -> None:
    assert quantile_bounds(latency_histogram([]), 0.5, 0.01) == (0.0, np.inf)
    low_s, high_s = quantile_bounds(latency_histogram([0.01] * 5), 0.5, 0.01)
    assert (low_s, high_s) == (0.0, np.inf)
    assert np.isnan(quantile_estimate(latency_histogram([]), 0.5))


def test_durations_fall_up_to_the_upper_edge_of_their_cell() -> None:
    counts_b = latency_histogram([LATENCY_EDGES_S[3], 500.0, 0.0])
    assert (counts_b[3], counts_b[-1], counts_b[0], counts_b.sum()) == (1, 1, 1, 3)


def test_distance_is_that_of_the_distribution_functions() -> None:
    assert distance(np.array([1, 1, 2]), np.array([2, 1, 1])) == 0.25
    assert distance(np.array([0, 0]), np.array([1, 1])) == 0.0
    assert band_radius(1_000, 0.05) < band_radius(100, 0.05)
