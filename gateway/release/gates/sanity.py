"""Whether the answers are answers: finite, probabilities, the same each time and in any company."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.engine.session import RunFailed
from gateway.release.document import GateResult
from gateway.release.examination import Answers, Examination, answer_rows, take_rows
from gateway.release.gates.verdict import judged

__all__ = ["judge_sanity"]

REPEATED_ROWS: Final = 2_048
ALONE_ROWS: Final = 32
SUM_TOLERANCE: Final = 1e-4
"""Of the sum of a row's probabilities: float32 softmax over thousands of classes stays within."""

COMPANY_TOLERANCE: Final = 1e-4
"""Of scores between a batch and a row by itself: kernels may sum in another order, no more."""

LEAST_VARIED: Final = 50


def judge_sanity(examination: Examination) -> GateResult:
    """Look at all answers, and ask for some of them again: all at once, and one by one."""
    answers = examination.answers
    numbers: dict[str, float | int] = {"rows": examination.holdout.n}
    faults = [*_values(examination, numbers), *_constant(answers)]
    if answers.are_finite:
        try:
            faults += _repeated(examination, numbers)
        except RunFailed as failed:
            faults.append(f"asked again, it fails: {failed}")
    return judged(
        "sanity", faults, "answers are finite, sum to one where they must, and are the same each time", numbers
    )


def _values(examination: Examination, numbers: dict[str, float | int]) -> Iterator[str]:
    answers, n = examination.answers, examination.holdout.n
    broken = int((~np.isfinite(answers.scores_nk)).any(axis=1).sum())
    numbers["not_finite"] = broken
    if broken:
        yield f"{broken} of {n} rows have a score that is no finite number"
        return
    strange = int((answers.codes_n < 0).sum()) if examination.is_classification else 0
    if strange:
        yield f"{strange} of {n} rows are answered with none of the classes"
    if not examination.has_probabilities:
        return
    outside = float(np.maximum(-answers.scores_nk, answers.scores_nk - 1).max())
    off = float(np.abs(answers.scores_nk.sum(axis=1) - 1).max())
    numbers["sum_off"] = off
    if outside > SUM_TOLERANCE:
        yield f"a probability is outside 0 to 1 by {outside:.3g}"
    if off > SUM_TOLERANCE:
        yield f"the probabilities of a row sum to 1 only within {off:.3g}, more than {SUM_TOLERANCE:g}"


def _constant(answers: Answers) -> Iterator[str]:
    is_long = len(answers.codes_n) >= LEAST_VARIED
    if not answers.are_finite:
        return
    if is_long and answers.scores_nk.shape[1] and not np.ptp(answers.scores_nk, axis=0).any():
        yield "every row is answered with the same scores"


def _repeated(examination: Examination, numbers: dict[str, float | int]) -> Iterator[str]:
    version, holdout = examination.candidate, examination.holdout
    n = min(REPEATED_ROWS, holdout.n)
    some = take_rows(holdout.feeds, np.arange(n))
    first, again = answer_rows(version, some, n), answer_rows(version, some, n)
    if not _same(first, again):
        yield f"the same {n} rows, asked twice, are answered differently"
        return
    alone = [answer_rows(version, take_rows(some, np.array([i])), 1) for i in range(min(ALONE_ROWS, n))]
    scores = np.concatenate([one.scores_nk for one in alone])
    off = _distance(scores, first.scores_nk[: len(scores)])
    numbers["company_off"] = off
    if off > COMPANY_TOLERANCE:
        yield f"a row by itself is answered differently than in a batch, by {off:.3g} of the scores' size"


def _same(one: Answers, other: Answers) -> bool:
    return np.array_equal(one.codes_n, other.codes_n) and np.array_equal(one.scores_nk, other.scores_nk)


def _distance(one_nk: npt.NDArray[np.float64], other_nk: npt.NDArray[np.float64]) -> float:
    """Return the largest difference over the size of the scores, at least 1."""
    if not one_nk.size:
        return 0.0
    return float(np.abs(one_nk - other_nk).max() / max(1.0, float(np.abs(other_nk).max())))
