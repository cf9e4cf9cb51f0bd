"""What a reference with labels tells about right and wrong answers: all that performance is estimated from later."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.outputs import Confidences

__all__ = ["MAXIMUM_CLASSES", "CertaintyProfile", "PerformanceProfile", "fit_performance", "to_steps"]

CERTAINTY_CELLS = 20
MAXIMUM_CLASSES = 64
"""Beyond so many classes the confusion matrix is not kept."""
STEPS_A_NAT = 1 << 20

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class CertaintyProfile:
    """How often answers of a certainty were right.

    ``points`` are the edges between cells of the top-1 probability, rising; ``counts`` the reference's rows in each
    cell, ``right`` the share of right answers there, made to rise by pooling neighbours. ``entropy_steps`` is the
    entropy, in steps of 2^-20 nats, below which as many rows lie as were answered rightly; of those at it,
    ``tie`` is the share that counts.
    """

    points: tuple[float, ...]
    counts: tuple[int, ...]
    right: tuple[float, ...]
    entropy_steps: int
    tie: float

    def cells(self, top1_n: Floats) -> Ints:
        """Return the cell of each top-1 probability."""
        return np.searchsorted(np.asarray(self.points), top1_n, side="right").astype(np.int64)

    def surer(self, entropy_n: Floats) -> tuple[Flags, Flags]:
        """Return which rows lie below the entropy, and which at it."""
        steps_n = to_steps(entropy_n)
        return steps_n < self.entropy_steps, steps_n == self.entropy_steps


@dataclass(frozen=True, slots=True)
class PerformanceProfile:
    """Right and wrong answers on the ``rows`` of the reference that have a label.

    ``confusion`` counts answers (first index) by true class (second); it is empty beyond 64 classes. ``certainty`` is
    ``None`` for a version without probabilities.
    """

    rows: int
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    certainty: CertaintyProfile | None


def to_steps(entropy_n: Floats) -> Ints:
    """Return entropies in whole steps, so that equal answers tie whatever batch they were computed in."""
    return np.rint(entropy_n * STEPS_A_NAT).astype(np.int64)


def fit_performance(
    classes: int, answers_n: Labels, truths_n: Labels, confidence: Confidences | None
) -> PerformanceProfile | None:
    """Learn from labelled rows.

    Parameters
    ----------
    classes
        Number of classes.
    answers_n : (n,) int
        Index of the answered class, all within the classes.
    truths_n : (n,) int
        Index of the true class, all within the classes.
    confidence
        Confidence of the same rows; ``None`` for a version without probabilities.

    Returns
    -------
    PerformanceProfile or None
        ``None`` where no row has a label.

    Notes
    -----
    The rows should be ones that the version was not trained on: it is surer of those than it ought to be.

    References
    ----------
    S. Garg, S. Balakrishnan, Z. Lipton, B. Neyshabur, H. Sedghi, "Leveraging unlabeled data to predict
    out-of-distribution performance", ICLR, 2022 (the threshold on the negative entropy).

    Examples
    --------
    >>> found = fit_performance(2, np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]), None)
    >>> found.accuracy, found.confusion
    (0.75, ((1, 0), (1, 2)))
    """
    if not len(answers_n):
        return None
    right_n = answers_n == truths_n
    confusion: tuple[tuple[int, ...], ...] = ()
    if classes <= MAXIMUM_CLASSES:
        counts = np.bincount(answers_n * classes + truths_n, minlength=classes * classes)
        confusion = tuple(tuple(row) for row in counts.reshape(classes, classes).tolist())
    certainty = None if confidence is None else _fit_certainty(confidence, right_n)
    return PerformanceProfile(len(answers_n), float(right_n.mean()), confusion, certainty)


def _fit_certainty(confidence: Confidences, right_n: npt.NDArray[np.bool_]) -> CertaintyProfile:
    edges = np.quantile(confidence.top1_n, np.linspace(0.0, 1.0, CERTAINTY_CELLS + 1)[1:-1], method="lower")
    points = np.unique(edges)
    cells_n = np.searchsorted(points, confidence.top1_n, side="right")
    counts_b = np.bincount(cells_n, minlength=len(points) + 1)
    right_b = np.bincount(cells_n[right_n], minlength=len(points) + 1)
    steps, tie = _threshold(to_steps(confidence.entropy_n), int(right_n.sum()))
    rising = tuple(_rising(right_b.astype(np.float64), counts_b.astype(np.float64)))
    return CertaintyProfile(tuple(points.tolist()), tuple(counts_b.tolist()), rising, steps, tie)


def _threshold(steps_n: Ints, right: int) -> tuple[int, float]:
    """Return the step below which ``right`` rows lie, and the share of those at it that are needed for it."""
    if not right:
        return int(steps_n.min()), 0.0
    step = int(np.sort(steps_n)[right - 1])
    below, at = int((steps_n < step).sum()), int((steps_n == step).sum())
    return step, (right - below) / at


def _rising(right_b: Floats, counts_b: Floats) -> list[float]:
    """Return shares that never fall, by pooling adjacent violators; an empty cell takes its lower neighbour's."""
    blocks: list[list[float]] = []
    for right, count in zip(right_b.tolist(), counts_b.tolist(), strict=True):
        blocks.append([right, count, 1.0])
        while len(blocks) > 1 and _share(blocks[-2]) >= _share(blocks[-1]):
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    shares = [_share(block) for block in blocks for _ in range(int(block[2]))]
    return [0.0 if math.isinf(share) else share for share in shares]


def _share(block: list[float]) -> float:
    return block[0] / block[1] if block[1] else -math.inf
