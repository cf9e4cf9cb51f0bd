"""What confidence would be if only the mix of answers had changed, and the answers of each class were as before.

Traffic that brings more of one class changes every mean over all answers, and nothing is wrong with the model. Compared
with what the reference's answers of the same classes say, such a change disappears; that of a model which no longer
looks at its input, or has become unsure, does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.outputs import SATURATED, Confidences, entropy_nats

__all__ = ["MAXIMUM_CLASSES", "ClassConfidence", "Expected", "by_answered_class", "expected_of_mix"]

MAXIMUM_CLASSES = 64
"""Beyond so many classes their answers are not told apart."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassConfidence:
    """Confidence of the reference's answers of one class: rows, and means over them."""

    rows: int
    margin: float
    entropy_nats: float
    saturated_ratio: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """Means over all answers that a mix of classes leads to."""

    margin: float
    saturated: float
    information_nats: float


def by_answered_class(
    answers_n: npt.NDArray[np.integer], confidence: Confidences, scores_nk: Floats
) -> tuple[ClassConfidence, ...]:
    """Return the confidence of each class's answers; nothing beyond 64 classes.

    Parameters
    ----------
    answers_n : (n,) int
        Index of the answered class.
    confidence
        Confidence of the same rows.
    scores_nk : (n, k) float64
        Their probabilities.
    """
    classes = scores_nk.shape[1]
    if classes > MAXIMUM_CLASSES:
        return ()
    return tuple(_of_class(answers_n == code, confidence, scores_nk) for code in range(classes))


def expected_of_mix(before: tuple[ClassConfidence, ...], counts_k: Ints) -> Expected | None:
    """Return what the present mix leads to; ``None`` where the reference does not know a class that is answered now.

    Parameters
    ----------
    before
        The reference's answers, class by class.
    counts_k : (k,) int64
        Answers of each class now.

    Examples
    --------
    >>> no, yes = ClassConfidence(9, 0.8, 0.3, 0.0, (0.9, 0.1)), ClassConfidence(9, 0.6, 0.5, 0.0, (0.2, 0.8))
    >>> expected = expected_of_mix((no, yes), np.array([30, 10]))
    >>> round(expected.margin, 3), round(expected.information_nats, 3)
    (0.75, 0.238)
    """
    total = int(counts_k.sum())
    if not before or not total or any(count and not known.rows for count, known in zip(counts_k, before, strict=True)):
        return None
    shares_k = counts_k / total
    margin_k, entropy_k, saturated_k = np.array(
        [(known.margin, known.entropy_nats, known.saturated_ratio) for known in before]
    ).T
    mean_k = shares_k @ np.array([known.probabilities for known in before])
    information = max(0.0, entropy_nats(mean_k) - float(shares_k @ entropy_k))
    return Expected(float(shares_k @ margin_k), float(shares_k @ saturated_k), information)


def _of_class(mine_n: npt.NDArray[np.bool_], confidence: Confidences, scores_nk: Floats) -> ClassConfidence:
    rows = int(mine_n.sum())
    if not rows:
        return ClassConfidence(0, 0.0, 0.0, 0.0, (0.0,) * scores_nk.shape[1])
    return ClassConfidence(
        rows=rows,
        margin=float(confidence.margin_n[mine_n].mean()),
        entropy_nats=float(confidence.entropy_n[mine_n].mean()),
        saturated_ratio=float((confidence.top1_n[mine_n] > SATURATED).mean()),
        probabilities=tuple(scores_nk[mine_n].mean(axis=0).tolist()),
    )
