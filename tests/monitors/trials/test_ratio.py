"""Evidence from counts: fair while the arms are alike, whatever fails and whenever one looks."""

from itertools import combinations
from math import comb, exp, log

import numpy as np
import pytest

from monitors.trials.ratio import RISE, STRAY, RatioEvidence


@pytest.mark.parametrize("blocks", [(1, 1, 1, 1), (2, 2), (4,), (1, 3)])
@pytest.mark.parametrize("candidates", [1, 3, 5])
def test_it_has_a_mean_of_at_most_one_over_every_way_to_assign_the_keys(
    blocks: tuple[int, ...], candidates: int
) -> None:
    keys, means = 8, [0.0] * len(blocks)
    for mine in combinations(range(keys), candidates):
        evidence, failed = RatioEvidence(RISE), 0
        for at, size in enumerate(blocks):
            hit = sum(key in mine for key in range(failed, failed + size))
            at_risk = candidates - sum(key in mine for key in range(failed))
            evidence.update(hit, size - hit, at_risk / (keys - failed))
            failed += size
            means[at] += exp(float(evidence.nats)) / comb(keys, candidates)
    assert all(mean <= 1 + 1e-9 for mean in means)


def test_a_tolerated_ratio_is_no_evidence_and_a_larger_one_is() -> None:
    rng = np.random.default_rng(3)
    share = 0.2
    tolerated, worse = (RatioEvidence(RISE, tolerated=1.5, replicas=(2_000,)) for _ in range(2))
    for evidence, ratio in ((tolerated, 1.5), (worse, 4.5)):
        chance = share * ratio / (share * ratio + 1 - share)
        for _ in range(120):
            hit = rng.binomial(1, chance, 2_000)
            evidence.update(hit, 1 - hit, share)
    assert np.mean(tolerated.nats >= log(100)) <= 0.01
    assert np.mean(worse.nats >= log(100)) > 0.95


def test_a_split_that_follows_changing_weights_is_no_evidence_and_one_that_does_not_is() -> None:
    rng = np.random.default_rng(4)
    honest, biased = (RatioEvidence(STRAY, replicas=(500,)) for _ in range(2))
    for weight in [0.01, 0.05, 0.25, 0.5] * 10:
        for evidence, share in ((honest, weight), (biased, 1.3 * weight)):
            hit = rng.binomial(500, share, 500)
            evidence.update(hit, 500 - hit, weight)
    assert np.mean(honest.nats >= log(1e3)) <= 0.001
    assert np.all(biased.nats >= log(1e3))


def test_few_failing_keys_of_a_small_canary_are_enough() -> None:
    evidence = RatioEvidence(RISE)
    for _ in range(3):
        evidence.update(1, 0, 0.01)
    assert evidence.nats >= log(1_000)


def test_ratios_are_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        RatioEvidence((2.0, 0.0))
