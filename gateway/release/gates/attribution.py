"""Which features the answers hang on: permutation importance, asked of the engine in batches.

References
----------
Breiman, *Random Forests*, Machine Learning 45, 2001. Defined as in ``sklearn.inspection.permutation_importance``: the
score of the rows as they are, less its mean over permutations of one feature's column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.release.document import GateResult
from gateway.release.examination import Examination, answer_rows, take_rows
from gateway.release.gates.verdict import judged, skipped
from gateway.release.scores import SCORES, Score

__all__ = ["judge_attribution", "permutation_importance"]

MOST_ROWS: Final = 5_000
LEAST_ROWS: Final = 200
MOST_ASKED: Final = 1_000_000
"""Rows that are asked of the model in all: above it fewer rows are permuted, then fewer times."""

Feeds = Mapping[str, npt.NDArray[Any]]


def judge_attribution(examination: Examination, progress: Callable[[int], None] = lambda _done: None) -> GateResult:
    """Compute the importance of each feature, and hold shares to what the policy bounds."""
    features = [feature.name for feature in examination.candidate.contract.features]
    if not features or not examination.answers.are_finite or not examination.answers.codes_n.size:
        return skipped("attribution", "there are no named features, or no finite answers")
    if not examination.is_classification and examination.answers.scores_nk.shape[1] != 1:
        return skipped("attribution", "there is no score for what this model answers")
    rules, score = examination.rules.attribution, SCORES["accuracy" if examination.is_classification else "r2"]
    rows, repeats = _affordable(len(features), examination.holdout.n, rules.repeats)
    rng = np.random.default_rng(examination.rules.seed)
    at_m = np.sort(rng.choice(examination.holdout.n, rows, replace=False))
    feeds, truths_m = take_rows(examination.holdout.feeds, at_m), examination.holdout.truths_n[at_m]
    try:
        drops = permutation_importance(examination.candidate, feeds, truths_m, score, repeats, rng, progress)
    except RunFailed as failed:
        return judged("attribution", [f"the model fails on permuted rows: {failed}"], "")
    importance = {name: float(drop_r.mean()) for name, drop_r in drops.items()}
    total = sum(max(0.0, value) for value in importance.values())
    shares = {name: max(0.0, value) / total if total else 0.0 for name, value in importance.items()}
    ordered = sorted(importance, key=lambda name: importance[name], reverse=True)
    told = [
        {"feature": name, "importance": importance[name], "std": float(drops[name].std()), "share": shares[name]}
        for name in ordered
    ]
    faults = []
    if rules.max_share is not None and shares[ordered[0]] > rules.max_share:
        share, most = shares[ordered[0]], rules.max_share
        faults.append(f"{ordered[0]} bears {share:.0%} of the importance, more than {most:.0%}: has the label leaked?")
    for name, most in rules.at_most.items():
        if shares.get(name, 0.0) > most:
            faults.append(f"{name} bears {shares[name]:.1%} of the importance, more than {most:.1%}")
    numbers = {"score": score.name, "rows": rows, "repeats": repeats, "features": told}
    return judged("attribution", faults, f"most hangs on {', '.join(ordered[:3])}", numbers)


def permutation_importance(
    version: ServableVersion,
    feeds: Feeds,
    truths_m: npt.NDArray[Any],
    score: Score,
    repeats: int,
    rng: np.random.Generator,
    progress: Callable[[int], None] = lambda _done: None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Return by feature how much the score falls when its column is permuted: (repeats,).

    Cost: features times repeats times rows, answered by the model. Raises ``RunFailed``.
    """
    n, contract = len(truths_m), version.contract
    before = score.value(truths_m, answer_rows(version, feeds, n))
    drops = {}
    for j, feature in enumerate(contract.features):
        name, column = (contract.input_name, j) if contract.layout == "matrix" else (feature.name, None)
        drops[feature.name] = np.array(
            [
                before - score.value(truths_m, answer_rows(version, _permuted(feeds, name, column, rng), n))
                for _ in range(repeats)
            ]
        )
        progress(j + 1)
    return drops


def _permuted(feeds: Feeds, name: str, column: int | None, rng: np.random.Generator) -> Feeds:
    order = rng.permutation(len(feeds[name]))
    if column is None:
        return {**feeds, name: feeds[name][order]}
    permuted = feeds[name].copy()
    permuted[:, column] = permuted[order, column]
    return {**feeds, name: permuted}


def _affordable(features: int, n: int, repeats: int) -> tuple[int, int]:
    """Return rows and repeats whose product with the features stays within what is asked at most.

    >>> _affordable(30, 100_000, 3), _affordable(3_000, 100_000, 3)
    ((5000, 3), (200, 1))
    """
    rows = min(n, MOST_ROWS, max(LEAST_ROWS, MOST_ASKED // (features * repeats)))
    return rows, max(1, min(repeats, MOST_ASKED // (features * rows)))
