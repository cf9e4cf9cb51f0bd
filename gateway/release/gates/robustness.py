"""What becomes of the answers when values are missing that the contract allows to be missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gateway.codec.decoded import RowsRefused
from gateway.codec.rows import RowGatherer
from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.release.document import GateResult
from gateway.release.examination import Answers, Examination, answer_rows
from gateway.release.gates.verdict import judged, skipped
from gateway.release.scores import SCORES

__all__ = ["judge_robustness"]

Cells = Sequence[tuple[Any, ...]]


def judge_robustness(examination: Examination) -> GateResult:
    """Take values away at random from some rows, then each feature as a whole, and ask again.

    Missing values go the way of a request: through the contract's policies. Fails where accuracy (R² of a regression)
    falls by more than the policy allows at its share of missing values, where the model fails, or where an answer is no
    finite number.
    """
    features = examination.candidate.contract.features
    may_miss = [j for j, feature in enumerate(features) if feature.missing != "reject"]
    if not may_miss:
        return skipped("robustness", "a request with a missing value is refused: every feature says missing: reject")
    if not examination.answers.are_finite:
        return judged("robustness", ["scores that are no finite numbers have no metric"], "")
    return _Trial(examination, may_miss).verdict()


class _Trial:
    """One run of the gate."""

    def __init__(self, examination: Examination, may_miss: list[int]) -> None:
        self._examination, self._may_miss = examination, may_miss
        self._cells = examination.holdout.sample_cells
        self._truths_m = examination.holdout.truths_n[examination.holdout.sample_at_m]
        self._gatherer = _gatherer(examination.candidate)
        self._score = SCORES["accuracy" if examination.is_classification else "r2"]
        self._faults: list[str] = []

    def verdict(self) -> GateResult:
        rules, features = self._examination.rules.robustness, self._examination.candidate.contract.features
        whole = self._value("no value missing", self._cells)
        some = self._value(f"{rules.missing_share:.0%} of values missing", self._thinned(rules.missing_share))
        numbers: dict[str, Any] = {
            "metric": self._score.name,
            "rows": len(self._cells),
            "whole": whole,
            "missing": some,
        }
        numbers["share"] = rules.missing_share
        numbers["without"] = {
            features[j].name: self._value(f"without {features[j].name}", self._without(j)) for j in self._may_miss
        }
        if whole is not None and some is not None and rules.max_drop is not None and whole - some > rules.max_drop:
            fall = f"{self._score.name} falls from {whole:.4g} to {some:.4g}"
            self._faults.append(
                f"{fall} with {rules.missing_share:.0%} of values missing, more than {rules.max_drop:g}"
            )
        good = f"{self._score.name} {_told(whole)} stays {_told(some)} with {rules.missing_share:.0%} of values missing"
        return judged("robustness", self._faults, good, numbers)

    def _thinned(self, share: float) -> Cells:
        rng = np.random.default_rng(self._examination.rules.seed)
        away_md = np.zeros((len(self._cells), len(self._cells[0])), np.bool_)
        away_md[:, self._may_miss] = rng.random((len(self._cells), len(self._may_miss))) < share
        return [
            tuple(None if gone else cell for gone, cell in zip(away, cells, strict=True))
            for away, cells in zip(away_md.tolist(), self._cells, strict=True)
        ]

    def _without(self, j: int) -> Cells:
        return [(*cells[:j], None, *cells[j + 1 :]) for cells in self._cells]

    def _value(self, what: str, cells: Cells) -> float | None:
        """Return the metric of these rows, ``None`` where they cannot be answered."""
        try:
            answers = self._answers(cells)
        except RowsRefused as refused:
            self._faults.append(f"{what}: refused, {refused}, though its policy lets it be missing")
            return None
        except RunFailed as failed:
            self._faults.append(f"{what}: the model fails, {failed}")
            return None
        if not answers.are_finite:
            self._faults.append(f"{what}: answers are no finite numbers")
            return None
        return self._score.value(self._truths_m, answers)

    def _answers(self, cells: Cells) -> Answers:
        with np.errstate(over="raise"):
            decoded = self._gatherer.gather(list(cells), is_typed=False)
        return answer_rows(self._examination.candidate, decoded.feeds, len(cells))


def _gatherer(version: ServableVersion) -> RowGatherer:
    matrix = version.inputs.get(version.contract.input_name)
    return RowGatherer(version.contract, version.ranks, matrix.dtype if matrix else "float32")


def _told(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
