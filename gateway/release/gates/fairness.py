"""Whether groups are treated alike: demographic parity, equalised odds, disparate impact, by fairlearn.

References
----------
Hardt, Price and Srebro, *Equality of Opportunity in Supervised Learning*, NeurIPS 2016. Agarwal et al., *A Reductions
Approach to Fair Classification*, ICML 2018. Weerts et al., *Fairlearn: Assessing and Improving Fairness of AI Systems*,
JMLR 24, 2023. Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4(D) (the four-fifths rule).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from fairlearn import metrics as fair

from gateway.release.document import GateResult
from gateway.release.examination import CheckImpossible, Examination
from gateway.release.gates.verdict import judged, skipped
from gateway.release.policy import FairnessRules

__all__ = ["judge_fairness"]

Binary = npt.NDArray[np.int64]


def judge_fairness(examination: Examination) -> GateResult:
    """Compare who gets the favourable class, and who of those to whom it belongs, by each group column.

    Raises
    ------
    CheckImpossible
        The policy names a favourable class that the model does not have.
    """
    rules = examination.rules.fairness
    if not examination.is_classification:
        return skipped("fairness", "these measures are about classes, and this model gives a number")
    if not examination.holdout.groups:
        return skipped("fairness", "no column of groups was named (--group, or groups in the policy)")
    favourable = _favourable(examination, rules)
    if favourable is None:
        return skipped("fairness", "a model of more than two classes needs fairness.favourable in the policy")
    truths_n = (examination.holdout.truths_n == favourable).astype(np.int64)
    given_n = (examination.answers.codes_n == favourable).astype(np.int64)
    faults, numbers = [], {}
    for column, texts_n in examination.holdout.groups.items():
        is_judged, left_out = _large_enough(texts_n, rules.least_rows)
        if len(np.unique(texts_n[is_judged])) < 2:
            numbers[column] = {"too_small": left_out}
            continue
        numbers[column] = _measured(truths_n[is_judged], given_n[is_judged], texts_n[is_judged])
        faults += [f"{column}: {fault}" for fault in _faults(numbers[column], rules)]
        numbers[column]["too_small"] = left_out
    judged_columns = [column for column, told in numbers.items() if "groups" in told]
    if not judged_columns:
        return skipped(
            "fairness", f"no column has two groups of at least {rules.least_rows} rows", {"columns": numbers}
        )
    name = examination.classes[favourable]
    good = f"within the bounds for the class {name} over {', '.join(judged_columns)}"
    return judged("fairness", faults, good, {"favourable": name, "columns": numbers})


def _favourable(examination: Examination, rules: FairnessRules) -> int | None:
    classes = examination.classes
    if rules.favourable is not None:
        if rules.favourable not in classes:
            known = ", ".join(classes[:20])
            raise CheckImpossible(f"fairness.favourable is {rules.favourable!r}, the model has the classes {known}")
        return classes.index(rules.favourable)
    return 1 if len(classes) == 2 else None


def _large_enough(texts_n: npt.NDArray[np.str_], least: int) -> tuple[npt.NDArray[np.bool_], list[str]]:
    values, at_n, counts = np.unique(texts_n, return_inverse=True, return_counts=True)
    return (counts >= least)[at_n], [str(value) for value in values[counts < least]]


def _measured(truths_n: Binary, given_n: Binary, texts_n: npt.NDArray[np.str_]) -> dict[str, Any]:
    frame = fair.MetricFrame(
        metrics={
            "selection_rate": fair.selection_rate,
            "true_positive_rate": fair.true_positive_rate,
            "false_positive_rate": fair.false_positive_rate,
            "rows": fair.count,
        },
        y_true=truths_n,
        y_pred=given_n,
        sensitive_features=texts_n,
    )
    groups = {
        str(group): {name: _known(value) for name, value in row.items()}
        for group, row in frame.by_group.to_dict("index").items()
    }
    differences, ratios = frame.difference(), frame.ratio()
    return {
        "demographic_parity_difference": _known(differences["selection_rate"]),
        "equalised_odds_difference": _known(max(differences["true_positive_rate"], differences["false_positive_rate"])),
        "disparate_impact_ratio": _known(ratios["selection_rate"]),
        "groups": groups,
    }


def _known(value: float) -> float | None:
    """Return a rate; ``None`` for one of nobody."""
    return float(value) if math.isfinite(value) else None


def _faults(told: dict[str, Any], rules: FairnessRules) -> Iterator[str]:
    bounds = (
        ("demographic_parity_difference", rules.demographic_parity),
        ("equalised_odds_difference", rules.equalised_odds),
    )
    for name, most in bounds:
        if most is not None and told[name] is not None and told[name] > most:
            yield f"{name} is {told[name]:.3g}, more than {most:g}"
    ratio = told["disparate_impact_ratio"]
    if rules.disparate_impact is not None and ratio is not None and ratio < rules.disparate_impact:
        yield f"disparate_impact_ratio is {ratio:.3g}, less than {rules.disparate_impact:g}"
