"""Whether the version serves every slice of the holdout: none far behind, none that has become worse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.release.document import GateResult
from gateway.release.examination import Answers, Examination
from gateway.release.gates.verdict import judged, skipped
from gateway.release.paired import mean_interval
from gateway.release.scores import row_losses

__all__ = ["judge_slices"]


def judge_slices(examination: Examination) -> GateResult:
    """Compare each slice with all rows, and with the same slice as the serving version answers it.

    A slice has become worse where its confidence interval, corrected for the number of slices by Bonferroni, lies
    below minus ``max_drop`` as a whole: a small slice proves nothing either way.
    """
    if not examination.holdout.groups:
        return skipped("slices", "no column of groups was named (--group, or groups in the policy)")
    if not examination.answers.are_finite:
        return judged("slices", ["scores that are no finite numbers have no metric"], "")
    goodness_n, differences_n = _goodness(examination, examination.answers), _differences(examination)
    found, small = [], 0
    for column, texts_n in examination.holdout.groups.items():
        for value in np.unique(texts_n):
            is_in = texts_n == value
            if is_in.sum() < examination.rules.slices.least_rows:
                small += 1
                continue
            found.append((column, str(value), is_in))
    faults: list[str] = []
    told = []
    for column, value, is_in in found:
        numbers = _slice(column, value, is_in, goodness_n, differences_n, examination, len(found))
        told.append(numbers)
        faults += _faults(numbers, examination)
    if not found:
        return skipped("slices", f"every slice has fewer than {examination.rules.slices.least_rows} rows")
    worst = min(told, key=lambda numbers: numbers["value"])
    measure = "accuracy" if examination.is_classification else "less mean absolute error, in shares of that of all"
    numbers = {"measure": measure, "overall": float(goodness_n.mean()), "slices": told, "too_small": small}
    good = f"{len(found)} slices, the worst {worst['column']} {worst['slice']} with {worst['value']:.4g}"
    return judged("slices", faults, f"{good}; {small} too small to judge" if small else good, numbers)


def _goodness(examination: Examination, answers: Answers) -> npt.NDArray[np.float64]:
    """Return of each row how good its answer is: 1 for the right class; 0 less its share of the mean error."""
    truths_n = examination.holdout.truths_n
    if examination.is_classification:
        return row_losses("accuracy", truths_n, answers)
    scale = max(float(row_losses("mae", truths_n, examination.answers).mean()), 1e-300)
    return -row_losses("mae", truths_n, answers) / scale


def _differences(examination: Examination) -> npt.NDArray[np.float64] | None:
    serving, answers = examination.against, examination.against_answers
    if serving is None or answers is None or not answers.are_finite:
        return None
    if serving.contract.output_schema != examination.candidate.contract.output_schema:
        return None
    return _goodness(examination, examination.answers) - _goodness(examination, answers)


def _slice(
    column: str,
    value: str,
    is_in: npt.NDArray[np.bool_],
    goodness_n: npt.NDArray[np.float64],
    differences_n: npt.NDArray[np.float64] | None,
    examination: Examination,
    slices: int,
) -> dict[str, Any]:
    told: dict[str, Any] = {"column": column, "slice": value, "rows": int(is_in.sum())}
    told["value"] = float(goodness_n[is_in].mean())
    told["behind"] = float(goodness_n.mean()) - told["value"]
    if differences_n is not None:
        interval = mean_interval(differences_n[is_in], 1 - (1 - examination.rules.confidence) / slices)
        told |= {"better_by": float(differences_n[is_in].mean()), "low": interval.low, "high": interval.high}
    return told


def _faults(told: dict[str, Any], examination: Examination) -> Iterator[str]:
    rules, name = examination.rules.slices, f"{told['column']} {told['slice']} ({told['rows']} rows)"
    if rules.max_gap is not None and told["behind"] > rules.max_gap:
        yield f"{name} is {told['behind']:.3g} behind all rows together, more than {rules.max_gap:g}"
    if rules.max_drop is not None and told.get("high", 0.0) < -rules.max_drop:
        yield f"{name} has become worse by {-told['better_by']:.3g}, more than {rules.max_drop:g}"
