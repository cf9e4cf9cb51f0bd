"""The paired bootstrap: its intervals hold as often as they promise, and see through what rows have in common."""

import numpy as np
import numpy.typing as npt

from gateway.release.paired import Interval, Weighted, mean_interval, paired_intervals


def mean(values_n: npt.NDArray[np.float64]) -> Weighted:
    return lambda counts_n: float(counts_n @ values_n / counts_n.sum())


def interval(ours_n: npt.NDArray[np.float64], theirs_n: npt.NDArray[np.float64], seed: int = 0) -> Interval:
    found = paired_intervals(
        {"m": (mean(ours_n), mean(theirs_n))},
        len(ours_n),
        replicates=200,
        confidence=0.9,
        rng=np.random.default_rng(seed),
    )
    return found["m"]


def test_intervals_hold_the_true_difference_as_often_as_they_promise() -> None:
    rng, held = np.random.default_rng(5), 0
    for trial in range(100):
        hard_n = rng.random(200)
        ours_n, theirs_n = (rng.random((2, 200)) < 0.5 + 0.4 * hard_n).astype(float)
        found = interval(ours_n, theirs_n, trial)
        held += found.low <= 0.0 <= found.high
    assert 0.81 <= held / 100 <= 0.99  # 90 % promised, three standard errors on either side


def test_what_makes_a_row_hard_for_both_does_not_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    noise_n = rng.normal(0, 10, 500)
    found = interval(noise_n + 1.0, noise_n)
    assert (round(found.low, 9), round(found.high, 9)) == (1.0, 1.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    ours_n, theirs_n = np.random.default_rng(1).random((2, 100))
    assert interval(ours_n, theirs_n, 4) == interval(ours_n, theirs_n, 4) != interval(ours_n, theirs_n, 5)


def test_the_normal_interval_agrees_with_the_bootstrap() -> None:
    ours_n, theirs_n = np.random.default_rng(2).random((2, 2_000))
    one, other = mean_interval(ours_n - theirs_n, 0.9), interval(ours_n, theirs_n)
    assert np.allclose([one.low, one.high], [other.low, other.high], atol=0.003)
