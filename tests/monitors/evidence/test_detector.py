"""The promise of the e-detector, by exact enumeration of all short histories over a tiny alphabet."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.detector import EDetector
from monitors.evidence.fairness import Doubt, fair_ratios

Floats = npt.NDArray[np.float64]

REFERENCE = np.array([0.6, 0.3, 0.1])
LAWS = np.array([[0.2, 0.4, 0.4], [0.8, 0.15, 0.05], [0.5, 0.2, 0.3]])
DOUBT = Doubt(0.002, 0.02, 0.01)
FRAME = np.array([False, False, True])
WEIGHTS = np.array([[0.5, 0.3, 0.2]])
LENGTH = 6


def within_tolerance() -> list[Floats]:
    """Return laws on the edge of what counts as unchanged."""
    moves = [[0, 0, 0], [-0.02, 0.01, 0.01], [0.02, -0.02, 0], [-0.01, 0, 0.01], [-0.02, 0.02, 0], [0.02, 0, -0.02]]
    return [REFERENCE + np.array(move) for move in moves]


def histories() -> tuple[npt.NDArray[np.int64], Floats]:
    cells = np.array(list(product(range(3), repeat=LENGTH)))
    return cells, np.log(fair_ratios(LAWS, REFERENCE, FRAME, DOUBT)).T


@pytest.mark.parametrize("law", within_tolerance(), ids=str)
def test_its_mean_after_t_summaries_is_at_most_t_under_every_unchanged_law(law: Floats) -> None:
    cells, nats_bk = histories()
    chances = law[cells].prod(axis=1)
    detector = EDetector(WEIGHTS, (len(cells),))
    for t in range(LENGTH):
        detector.update(nats_bk[cells[:, t]][:, None, :])
        assert chances @ detector.sums_c()[:, 0] <= t + 1 + 1e-9


@pytest.mark.parametrize("law", within_tolerance(), ids=str)
def test_its_e_value_is_valid_at_a_stopping_time(law: Floats) -> None:
    cells, nats_bk = histories()
    chances = law[cells].prod(axis=1)
    detector = EDetector(WEIGHTS, (len(cells),))
    stopped = np.full(len(cells), np.nan)
    for t in range(LENGTH):
        detector.update(nats_bk[cells[:, t]][:, None, :])
        now = np.isnan(stopped) & ((detector.sums_c()[:, 0] >= 2.0) | (t == LENGTH - 1))
        stopped[now] = detector.e_values_c()[now, 0]
    assert chances @ stopped <= 1.0 + 1e-9


def test_counted_with_restarts_the_pages_stay_within_the_budget() -> None:
    cells, nats_bk = histories()
    chances = REFERENCE[cells].prod(axis=1)
    detector = EDetector(WEIGHTS, (len(cells),))
    pages = np.zeros(len(cells))
    for t in range(LENGTH):
        detector.update(nats_bk[cells[:, t]][:, None, :])
        hit = detector.sums_c()[:, 0] >= 3.0
        pages += hit
        detector.reset(hit)
    assert 0.0 < chances @ pages <= LENGTH / 3.0


def test_replicas_are_the_same_as_single_streams_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    weights = np.full((4, 5), 0.2)
    steps = rng.normal(-0.1, 0.5, size=(30, 3, 4, 5))
    many = EDetector(weights, (3,))
    singles = [EDetector(weights) for _ in range(3)]
    for step in steps:
        many.update(step)
        for single, part in zip(singles, step, strict=True):
            single.update(part)
    assert np.array_equal(many.sums_c(), np.array([single.sums_c() for single in singles]))
    assert np.array_equal(many.e_values_c(), np.array([single.e_values_c() for single in singles]))


def test_a_restored_detector_continues_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    weights = np.full((2, 3), 1 / 3)
    first = EDetector(weights)
    first.update(rng.normal(size=(2, 3)))
    second = EDetector(weights)
    second.restore(first.state())
    step = rng.normal(size=(2, 3))
    first.update(step)
    second.update(step)
    assert np.array_equal(first.sums_c(), second.sums_c())


def test_a_state_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        EDetector(np.ones((1, 1))).restore(EDetector(np.ones((2, 1))).state())


def test_overwhelming_evidence_stays_finite_and_so_does_its_opposite() -> None:
    detector = EDetector(np.ones((1, 1)))
    for nats in (5000.0, 5000.0, -5000.0, -5000.0):
        detector.update(np.array([[nats]]))
        assert np.isfinite(detector.sums_c()).all()
        assert np.isfinite(detector.e_values_c()).all()
