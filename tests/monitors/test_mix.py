"""What the present mix of answers leads to."""

import numpy as np
import pytest

from monitors.mix import MAXIMUM_CLASSES, by_answered_class, expected_of_mix
from monitors.outputs import confidences, entropy_nats
from tests.monitors.material import rows, scores

SCORES = scores(rows(np.random.default_rng(1), 5_000))
ANSWERS = SCORES.argmax(axis=1)
KNOWN = by_answered_class(ANSWERS, confidences(SCORES), SCORES)


def test_the_references_own_mix_leads_to_what_the_reference_is() -> None:
    found = expected_of_mix(KNOWN, np.bincount(ANSWERS))
    assert found is not None
    rows_of = confidences(SCORES)
    assert found.margin == pytest.approx(rows_of.margin_n.mean())
    assert found.saturated == pytest.approx((rows_of.top1_n > 0.999).mean())
    assert found.information_nats == pytest.approx(entropy_nats(SCORES.mean(axis=0)) - rows_of.entropy_n.mean())


def test_another_mix_of_the_same_answers_is_told_in_advance() -> None:
    kept = (ANSWERS == 1) | (np.arange(len(ANSWERS)) % 10 == 0)
    found = expected_of_mix(KNOWN, np.bincount(ANSWERS[kept]))
    assert found is not None
    rows_of = confidences(SCORES[kept])
    assert found.margin == pytest.approx(rows_of.margin_n.mean(), abs=0.02)
    expected = entropy_nats(SCORES[kept].mean(axis=0)) - rows_of.entropy_n.mean()
    assert found.information_nats == pytest.approx(expected, abs=0.02)


def test_a_class_that_the_reference_never_answered_leaves_nothing_to_expect() -> None:
    only = by_answered_class(np.zeros(10, dtype=int), confidences(SCORES[:10]), SCORES[:10])
    assert expected_of_mix(only, np.array([5, 1])) is None
    assert expected_of_mix(only, np.array([5, 0])) is not None
    assert expected_of_mix((), np.array([5, 0])) is None
    assert expected_of_mix(only, np.array([0, 0])) is None


def test_very_many_classes_are_not_told_apart() -> None:
    wide = np.full((3, MAXIMUM_CLASSES + 1), 1.0 / (MAXIMUM_CLASSES + 1))
    assert by_answered_class(np.zeros(3, dtype=int), confidences(wide), wide) == ()
