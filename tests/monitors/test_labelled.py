"""What labels of the reference teach: calibration that rises, a threshold that is exact, a confusion matrix."""

import numpy as np
import pytest

from monitors.labelled import MAXIMUM_CLASSES, CertaintyProfile, fit_performance
from monitors.outputs import Confidences, confidences


def fitted(
    top1_n: "np.ndarray[tuple[int], np.dtype[np.float64]]", right_n: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> CertaintyProfile:
    """Return what is learned of two-class answers with these top-1 probabilities."""
    confidence = confidences(np.column_stack([top1_n, 1.0 - top1_n]))
    found = fit_performance(2, np.zeros(len(top1_n), dtype=int), np.where(right_n, 0, 1), confidence)
    assert found is not None
    assert found.certainty is not None
    return found.certainty


def test_the_mean_of_the_calibration_is_the_accuracy_and_it_never_falls() -> None:
    rng = np.random.default_rng(1)
    top1_n = rng.uniform(0.5, 1.0, 3_000)
    right_n = rng.uniform(size=3_000) < top1_n - 0.1
    found = fitted(top1_n, right_n)
    assert list(found.right) == sorted(found.right)
    assert np.array(found.counts) @ np.array(found.right) == pytest.approx(right_n.sum())
    assert found.right[10] == pytest.approx(0.65, abs=0.06)


@pytest.mark.parametrize("distinct", [2, 5, 3_000])
def test_exactly_as_many_rows_are_surer_as_were_answered_rightly(distinct: int) -> None:
    rng = np.random.default_rng(2)
    top1_n = rng.choice(np.linspace(0.55, 0.95, distinct), 3_000)
    right_n = rng.uniform(size=3_000) < top1_n
    found = fitted(top1_n, right_n)
    below, at = found.surer(confidences(np.column_stack([top1_n, 1.0 - top1_n])).entropy_n)
    assert below.sum() + found.tie * at.sum() == pytest.approx(right_n.sum())


@pytest.mark.parametrize(("right", "share"), [(True, 1.0), (False, 0.0)])
def test_answers_that_are_all_right_or_all_wrong_are_told_so(right: bool, share: float) -> None:
    top1_n = np.linspace(0.5, 1.0, 100)
    found = fitted(top1_n, np.full(100, right))
    below, at = found.surer(confidences(np.column_stack([top1_n, 1.0 - top1_n])).entropy_n)
    assert set(found.right) == {share}
    assert (below.sum() + found.tie * at.sum()) / 100 == share


def test_a_constant_certainty_has_one_cell() -> None:
    found = fitted(np.full(50, 0.8), np.arange(50) < 40)
    assert (found.points, sum(found.counts), found.right[-1]) == ((0.8,), 50, 0.8)


def test_without_a_label_nothing_is_learned_and_without_probabilities_the_matrix_only() -> None:
    none = np.zeros(0, dtype=int)
    assert fit_performance(2, none, none, None) is None
    found = fit_performance(3, np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), None)
    assert found is not None
    assert (found.certainty, found.confusion) == (None, ((1, 0, 0), (0, 1, 0), (0, 1, 1)))


def test_the_matrix_is_not_kept_for_very_many_classes() -> None:
    answers_n = np.arange(MAXIMUM_CLASSES + 1)
    none = Confidences(np.full(len(answers_n), 0.5), np.zeros(len(answers_n)), np.ones(len(answers_n)))
    found = fit_performance(MAXIMUM_CLASSES + 1, answers_n, answers_n, none)
    assert found is not None
    assert found.confusion == ()
