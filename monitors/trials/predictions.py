"""The gate on answers: do the two versions answer the same traffic in ways that lie too far apart?

Compared are the distribution of the answered classes and that of the confidence (of a regression: of the value), one
answer of each key. A canary that collapses to one class or one score is far from stable at once. What moves in both
arms is the world, not the candidate, and moves neither distance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitors.records import GateResult, PredictionGuard, TrialSpec, Verdict
from monitors.trials.bands import band_radius, distance
from monitors.trials.budget import PASS_ALPHA, abort_alpha
from monitors.trials.counts import SCORE_CELLS, TrialCounts
from monitors.trials.needed import still_needed
from monitors.trials.words import percent

__all__ = ["confidence_cells", "predictions_verdict", "value_cells"]

_SPAN = 30.0
_UNIT = 1e-3
_KINDS = 2
_ARMS = 2


def confidence_cells(top_n: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the cells of the highest probabilities of some answers."""
    return np.clip(top_n * (SCORE_CELLS - 1), 0, SCORE_CELLS - 1).astype(np.int64)


def value_cells(value_n: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the cells of answered values of any size: about 12 % apart, finer around zero."""
    place_n = (np.arcsinh(value_n / _UNIT) + _SPAN) / (2 * _SPAN)
    return np.clip(place_n * (SCORE_CELLS - 1), 0, SCORE_CELLS - 1).astype(np.int64)


def predictions_verdict(
    spec: TrialSpec, guard: PredictionGuard, counts: TrialCounts, *, foresee: bool = True
) -> Verdict:
    """Return the verdict of a canary step, on whichever of the two distributions lies farther apart."""
    mine, theirs = counts.candidate, counts.stable
    kinds = [
        ("answered classes", mine.classes_b, theirs.classes_b),
        ("scores", mine.scores_b, theirs.scores_b),
    ]
    seen = [(name, a_b, b_b) for name, a_b, b_b in kinds if a_b.sum() or b_b.sum()] or kinds[1:]
    name, mine_b, theirs_b = max(seen, key=lambda kind: distance(kind[1], kind[2]))
    apart, n, m = distance(mine_b, theirs_b), int(mine_b.sum()), int(theirs_b.sum())

    def radius(alpha: float, factor: float = 1.0) -> float:
        each = alpha / _KINDS / _ARMS
        return band_radius(factor * n, each) + band_radius(factor * m, each)

    def passes(factor: float) -> bool:
        return apart + radius(PASS_ALPHA, factor) <= guard.distance

    low = apart - radius(abort_alpha("predictions", spec))
    result: GateResult = "abort" if low > guard.distance else "pass" if passes(1.0) else "inconclusive"
    return Verdict(
        gate="predictions",
        result=result,
        why=f"{name} lie {percent(apart)} apart, at most {percent(guard.distance)} allowed",
        estimate=apart,
        low=max(0.0, low),
        high=min(1.0, apart + radius(PASS_ALPHA)),
        margin=guard.distance,
        samples=n,
        needed=still_needed(n, passes) if foresee and result == "inconclusive" else None,
    )
