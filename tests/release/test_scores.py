"""Every metric of resampled rows is scikit-learn's of the same rows with these weights."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as sk

from gateway.release.examination import Answers
from gateway.release.policy import METRICS, MetricName
from gateway.release.scores import SCORES

CLASSES, ROWS = 3, 400


def answered(name: MetricName, seed: int = 0) -> tuple[npt.NDArray[Any], Answers]:
    """Return truths and answers of a model of the metric's kind, with ties among the scores."""
    rng = np.random.default_rng(seed)
    if name in ("mae", "rmse", "r2"):
        truths_n: npt.NDArray[Any] = rng.normal(size=ROWS)
        return truths_n, Answers(np.full(ROWS, -1), (truths_n + rng.normal(size=ROWS))[:, None])
    k = 2 if name in ("roc_auc", "brier") else CLASSES
    truths_n = rng.integers(k, size=ROWS)
    scores_nk = rng.integers(1, 8, size=(ROWS, k)) + 3.0 * (np.arange(k) == truths_n[:, None])
    scores_nk = scores_nk / scores_nk.sum(axis=1, keepdims=True)
    return truths_n, Answers(scores_nk.argmax(axis=1), scores_nk)


def weighted(name: MetricName, truths_n: npt.NDArray[Any], answers: Answers, w_n: npt.NDArray[Any]) -> float:
    codes_n, p_nk, w = answers.codes_n, answers.scores_nk, {"sample_weight": w_n}
    match name:
        case "accuracy":
            return float(sk.accuracy_score(truths_n, codes_n, **w))
        case "balanced_accuracy":
            return float(sk.balanced_accuracy_score(truths_n, codes_n, **w))
        case "f1_macro":
            return float(sk.f1_score(truths_n, codes_n, average="macro", **w))
        case "roc_auc":
            return float(sk.roc_auc_score(truths_n, p_nk[:, 1], **w))
        case "log_loss":
            return float(sk.log_loss(truths_n, p_nk, **w))
        case "brier":
            return float(sk.brier_score_loss(truths_n, p_nk[:, 1], **w))
        case "mae":
            return float(sk.mean_absolute_error(truths_n, p_nk[:, 0], **w))
        case "rmse":
            return float(sk.root_mean_squared_error(truths_n, p_nk[:, 0], **w))
        case "r2":
            return float(sk.r2_score(truths_n, p_nk[:, 0], **w))


@pytest.mark.parametrize("name", METRICS)
def test_a_resampled_metric_is_scikit_learns_with_the_same_weights(name: MetricName) -> None:
    truths_n, answers = answered(name)
    prepared = SCORES[name].prepare(truths_n, answers)
    counts_n = np.bincount(np.random.default_rng(1).integers(ROWS, size=ROWS), minlength=ROWS).astype(float)
    assert prepared(counts_n) == pytest.approx(weighted(name, truths_n, answers, counts_n), abs=1e-12)
    assert prepared(np.ones(ROWS)) == pytest.approx(SCORES[name].value(truths_n, answers), abs=1e-12)


def test_the_brier_score_of_several_classes_is_scikit_learns() -> None:
    truths_n, answers = answered("log_loss")
    whole = SCORES["brier"].prepare(truths_n, answers)(np.ones(ROWS))
    assert whole == pytest.approx(SCORES["brier"].value(truths_n, answers), abs=1e-12)
    assert whole == pytest.approx(sk.brier_score_loss(truths_n, answers.scores_nk), abs=1e-12)


def test_an_answer_that_is_no_class_is_wrong_and_breaks_no_metric() -> None:
    truths_n, answers = answered("accuracy")
    lost = Answers(np.where(np.arange(ROWS) < 40, -1, answers.codes_n), answers.scores_nk)
    names: tuple[MetricName, ...] = ("accuracy", "balanced_accuracy", "f1_macro")
    for name in names:
        before, after = (SCORES[name].value(truths_n, one) for one in (answers, lost))
        assert after < before
