"""Whether probabilities tell how often answers are right.

References
----------
Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017 (expected calibration error of the class that is
answered, over bins of equal width). Brier, *Verification of Forecasts Expressed in Terms of Probability*, Monthly
Weather Review 78, 1950. DeGroot and Fienberg, *The Comparison and Evaluation of Forecasters*, The Statistician 32, 1983
(reliability diagrams).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.release.document import GateResult
from gateway.release.examination import Answers, Examination
from gateway.release.gates.verdict import judged, skipped
from gateway.release.scores import SCORES

__all__ = ["judge_calibration", "reliability"]


def judge_calibration(examination: Examination) -> GateResult:
    """Compute the expected calibration error, the Brier score, and the bins of the reliability picture."""
    rules, n = examination.rules.calibration, examination.holdout.n
    if not examination.has_probabilities:
        return skipped("calibration", "the model gives no probabilities")
    if n < rules.least_rows:
        return skipped("calibration", f"{n} rows; of fewer than {rules.least_rows} the error is mostly noise")
    if not examination.answers.are_finite:
        return judged("calibration", ["scores that are no finite numbers are no probabilities"], "")
    truths_n = examination.holdout.truths_n
    error, bins = reliability(truths_n, examination.answers, rules.bins)
    brier = SCORES["brier"].value(truths_n, examination.answers)
    numbers: dict[str, Any] = {"ece": error, "brier": brier, "bins": bins}
    if examination.against_answers is not None and examination.against_answers.are_finite:
        numbers["serving_ece"] = _serving_error(examination, rules.bins)
    faults = []
    if rules.ece is not None and error > rules.ece:
        faults.append(f"the expected calibration error is {error:.3g}, more than {rules.ece:g}")
    if rules.brier is not None and brier > rules.brier:
        faults.append(f"the Brier score is {brier:.4g}, more than {rules.brier:g}")
    return judged("calibration", faults, f"expected calibration error {error:.3g}, Brier score {brier:.4g}", numbers)


def reliability(truths_n: npt.NDArray[np.int64], answers: Answers, bins: int) -> tuple[float, list[dict[str, float]]]:
    """Return the expected calibration error, and for each bin that has rows: rows, mean confidence, share right.

    The error is the mean over rows of |confidence - share right| of the row's bin.

    >>> sure = Answers(np.array([0, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> reliability(np.array([0, 1]), sure, 10)
    (0.5, [{'rows': 2, 'confidence': 1.0, 'right': 0.5}])
    """
    confidence_n = answers.scores_nk.max(axis=1)
    right_n = (answers.scores_nk.argmax(axis=1) == truths_n).astype(np.float64)
    at_n = np.clip((confidence_n * bins).astype(np.int64), 0, bins - 1)
    rows, sums = np.bincount(at_n, minlength=bins), np.bincount(at_n, confidence_n, bins)
    right = np.bincount(at_n, right_n, bins)
    told = [
        {"rows": int(rows[i]), "confidence": float(sums[i] / rows[i]), "right": float(right[i] / rows[i])}
        for i in np.flatnonzero(rows)
    ]
    error = sum(one["rows"] * abs(one["confidence"] - one["right"]) for one in told) / len(truths_n)
    return float(error), told


def _serving_error(examination: Examination, bins: int) -> float | None:
    serving, answers = examination.against, examination.against_answers
    assert serving is not None
    assert answers is not None
    if serving.contract.output_schema != examination.candidate.contract.output_schema or not answers.scores_nk.shape[1]:
        return None
    return reliability(examination.holdout.truths_n, answers, bins)[0]
