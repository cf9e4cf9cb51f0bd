"""Metrics by scikit-learn, and the same metrics of resampled rows, thousands of times.

A bootstrap replicate gives each row a weight: how often it was drawn. Each metric is prepared once, so that a
replicate costs one pass over the rows: means of row losses, a table of confusions, or ranks that are sorted already.
Equal to scikit-learn's value with these weights, which tests hold it to.

References
----------
Pedregosa et al., *Scikit-learn: Machine Learning in Python*, JMLR 12, 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

from gateway.release.examination import Answers, Examination
from gateway.release.paired import Weighted
from gateway.release.policy import MetricName

__all__ = ["SCORES", "Score", "applicable", "row_losses"]

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Score:
    """One metric.

    Parameters
    ----------
    is_better_high
        Whether more is better.
    value
        Of truths and answers, by scikit-learn.
    prepare
        Gives the same metric as a function of row weights.
    """

    name: MetricName
    is_better_high: bool
    value: Callable[[Truths, Answers], float]
    prepare: Callable[[Truths, Answers], Weighted]


def applicable(examination: Examination) -> list[Score]:
    """Return the metrics that a model of this kind has on this holdout."""
    truths_n = examination.holdout.truths_n
    if not examination.is_classification:
        return [SCORES[name] for name in ("mae", "rmse", "r2")] if examination.answers.scores_nk.shape[1] == 1 else []
    names: list[MetricName] = ["accuracy", "balanced_accuracy", "f1_macro"]
    if examination.has_probabilities:
        names += ["log_loss", "brier"]
        if len(examination.classes) == 2 and len(np.unique(truths_n)) == 2:
            names.append("roc_auc")
    return [SCORES[name] for name in names]


def row_losses(name: MetricName, truths_n: Truths, answers: Answers) -> Floats:
    """Return what each row adds to a metric that is the mean over rows: (n,)."""
    if name == "accuracy":
        return np.asarray(truths_n == answers.codes_n, np.float64)
    if name == "log_loss":
        p_n = _normalised(answers)[np.arange(len(truths_n)), truths_n]
        return np.asarray(-np.log(np.clip(p_n, np.finfo(np.float64).eps, 1.0)))
    if name == "brier":
        return _brier_rows(truths_n, answers)
    errors_n: Floats = np.asarray(truths_n - answers.scores_nk[:, 0], np.float64)
    return np.abs(errors_n) if name == "mae" else np.square(errors_n)


def _normalised(answers: Answers) -> Floats:
    """Return probabilities whose rows sum to one exactly: those of a graph are float32."""
    sums_n = answers.scores_nk.sum(axis=1, keepdims=True)
    return np.asarray(answers.scores_nk / np.where(sums_n > 0, sums_n, 1.0))


def _brier_rows(truths_n: Truths, answers: Answers) -> Floats:
    p_nk = _normalised(answers)
    if p_nk.shape[1] == 2:
        return np.asarray((p_nk[:, 1] - truths_n) ** 2)
    hit_nk = np.zeros_like(p_nk)
    hit_nk[np.arange(len(truths_n)), truths_n] = 1.0
    return np.asarray(((p_nk - hit_nk) ** 2).sum(axis=1))


def _mean(name: MetricName) -> Callable[[Truths, Answers], Weighted]:
    def prepare(truths_n: Truths, answers: Answers) -> Weighted:
        losses_n = row_losses(name, truths_n, answers)
        return lambda counts_n: float(counts_n @ losses_n / counts_n.sum())

    return prepare


def _rmse(truths_n: Truths, answers: Answers) -> Weighted:
    mean = _mean("rmse")(truths_n, answers)
    return lambda counts_n: math.sqrt(mean(counts_n))


def _r2(truths_n: Truths, answers: Answers) -> Weighted:
    squares_n = row_losses("rmse", truths_n, answers)

    def of(counts_n: Floats) -> float:
        spread_n = (truths_n - counts_n @ truths_n / counts_n.sum()) ** 2
        return 1.0 - float(counts_n @ squares_n) / max(float(counts_n @ spread_n), 1e-300)

    return of


def _confused(value: Callable[[Any, Any, Any], float]) -> Callable[[Truths, Answers], Weighted]:
    """Prepare a metric of the confusions alone: scikit-learn's value of the cells of their table, by their counts."""

    def prepare(truths_n: Truths, answers: Answers) -> Weighted:
        cells, at_n = np.unique(np.stack([truths_n, answers.codes_n]), axis=1, return_inverse=True)
        at_n = at_n.reshape(-1)
        return lambda counts_n: value(cells[0], cells[1], np.bincount(at_n, counts_n, minlength=cells.shape[1]))

    return prepare


def _balanced(truths_n: Any, codes_n: Any, counts_n: Any = None) -> float:
    labels = np.unique(truths_n)
    return float(
        sk.recall_score(
            truths_n, codes_n, labels=labels, average="macro", zero_division=0, sample_weight=counts_n
        )
    )  # fmt: skip


def _f1(truths_n: Any, codes_n: Any, counts_n: Any = None) -> float:
    labels = np.unique(truths_n)
    return float(
        sk.f1_score(truths_n, codes_n, labels=labels, average="macro", zero_division=0, sample_weight=counts_n)
    )


def _auc(truths_n: Truths, answers: Answers) -> Weighted:
    """Prepare the area under the ROC curve: the share of pairs that are ranked right, ties half (Hanley and McNeil,
    Radiology 143, 1982).
    """
    scores_n = _normalised(answers)[:, 1]
    order_n = np.argsort(scores_n, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores_n[order_n]) > 0])
    positive_n = np.asarray(truths_n == 1, np.float64)[order_n]

    def of(counts_n: Floats) -> float:
        sorted_n = counts_n[order_n]
        positives = np.add.reduceat(sorted_n * positive_n, starts)
        negatives = np.add.reduceat(sorted_n, starts) - positives
        below = np.cumsum(negatives) - negatives
        pairs = float(positives.sum() * negatives.sum())
        return float(positives @ (below + negatives / 2)) / pairs if pairs else 0.5

    return of


def _proba(truths_n: Truths, answers: Answers) -> dict[str, Any]:
    return {"labels": np.arange(answers.scores_nk.shape[1])}


SCORES: Final[dict[MetricName, Score]] = {
    "accuracy": Score("accuracy", True, lambda t, a: float(sk.accuracy_score(t, a.codes_n)), _mean("accuracy")),
    "balanced_accuracy": Score("balanced_accuracy", True, lambda t, a: _balanced(t, a.codes_n), _confused(_balanced)),
    "f1_macro": Score("f1_macro", True, lambda t, a: _f1(t, a.codes_n), _confused(_f1)),
    "roc_auc": Score("roc_auc", True, lambda t, a: float(sk.roc_auc_score(t, _normalised(a)[:, 1])), _auc),
    "log_loss": Score(
        "log_loss", False, lambda t, a: float(sk.log_loss(t, _normalised(a), **_proba(t, a))), _mean("log_loss")
    ),
    "brier": Score("brier", False, lambda t, a: _brier(t, a), _mean("brier")),
    "mae": Score("mae", False, lambda t, a: float(sk.mean_absolute_error(t, a.scores_nk[:, 0])), _mean("mae")),
    "rmse": Score("rmse", False, lambda t, a: float(sk.root_mean_squared_error(t, a.scores_nk[:, 0])), _rmse),
    "r2": Score("r2", True, lambda t, a: float(sk.r2_score(t, a.scores_nk[:, 0])), _r2),
}
"""Every metric by its name."""


def _brier(truths_n: Truths, answers: Answers) -> float:
    p_nk = _normalised(answers)
    if p_nk.shape[1] == 2:
        return float(sk.brier_score_loss(truths_n, p_nk[:, 1], labels=[0, 1]))
    return float(sk.brier_score_loss(truths_n, p_nk, **_proba(truths_n, answers)))
