"""Arrivals: at the rate and as bursty as they are asked for."""

import numpy as np
import pytest

from benchmarks.serving.arrivals import bursts


@pytest.mark.parametrize("rate", [pytest.param(50.0, id="slow"), pytest.param(20_000.0, id="fast")])
@pytest.mark.parametrize("variation", [0.5, 1.0, 2.0])
def test_gaps_have_the_mean_and_the_variation_that_were_asked_for(rate: float, variation: float) -> None:
    gaps_s = np.diff(bursts(rate, 100_000 / rate, variation=variation, seed=3), prepend=0.0)
    assert len(gaps_s) == 100_000
    assert gaps_s.mean() == pytest.approx(1 / rate, rel=0.03)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(variation, rel=0.03)


def test_arrivals_are_in_order_and_the_same_for_the_same_seed() -> None:
    first, again, other = (bursts(1000.0, 1.0, variation=2.0, seed=seed) for seed in (1, 1, 2))
    assert first == sorted(first)
    assert first == again
    assert first != other


def test_there_is_at_least_one_arrival() -> None:
    assert len(bursts(0.0, 0.01, variation=2.0, seed=1)) == 1


def test_a_burst_holds_more_than_a_poisson_process_would() -> None:
    def most_in_10_ms(variation: float) -> int:
        counts, _ = np.histogram(bursts(1000.0, 20.0, variation=variation, seed=5), bins=2000, range=(0.0, 20.0))
        return int(counts.max())

    assert most_in_10_ms(2.0) > 1.4 * most_in_10_ms(1.0)
