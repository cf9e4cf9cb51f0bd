"""Metrics on the holdout: against what the policy demands, and against the serving version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gateway.release.document import GateResult
from gateway.release.examination import Answers, Examination
from gateway.release.gates.verdict import judged, skipped
from gateway.release.paired import Interval, Weighted, paired_intervals
from gateway.release.policy import MetricRules
from gateway.release.scores import Score, applicable

__all__ = ["judge_benchmark", "judge_metrics"]


def judge_metrics(examination: Examination) -> GateResult:
    """Compute every metric of the candidate, and hold those that the policy bounds to their bounds."""
    if why := _unscorable(examination, examination.answers):
        return judged("metrics", [why], "")
    rules, faults, numbers = examination.rules.metrics, list[str](), dict[str, Any]()
    for score in applicable(examination):
        value = numbers[score.name] = score.value(examination.holdout.truths_n, examination.answers)
        rule = rules.get(score.name, MetricRules())
        if rule.at_least is not None and value < rule.at_least:
            faults.append(f"{score.name} is {value:.4g}, at least {rule.at_least:g} is demanded")
        if rule.at_most is not None and value > rule.at_most:
            faults.append(f"{score.name} is {value:.4g}, at most {rule.at_most:g} is demanded")
    if not numbers:
        return skipped("metrics", "there is no metric for what this model answers")
    told = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return judged("metrics", faults, f"{told}, over {examination.holdout.n:,} rows", numbers)


def judge_benchmark(examination: Examination, progress: Callable[[int], None] = lambda _done: None) -> GateResult:
    """Ask whether the candidate is not worse than the serving version by more than the margin of each metric.

    It passes where the whole confidence interval of the paired difference lies above minus the margin: the test for
    non-inferiority. An interval that reaches beyond is a fail too, since nothing was shown.

    References
    ----------
    Piaggio et al., *Reporting of Noninferiority and Equivalence Randomized Trials*, JAMA 308, 2012.
    """
    if examination.against is None or examination.against_answers is None:
        why = "the model has no version that serves yet" if examination.is_first else "no serving version was named"
        return skipped("benchmark", why)
    for answers in (examination.answers, examination.against_answers):
        if why := _unscorable(examination, answers):
            return judged("benchmark", [why], "")
    if why := _incomparable(examination):
        return judged("benchmark", [why], "")
    compared = {score.name: score for score in applicable(examination) if _has_margin(examination, score)}
    if not compared:
        return skipped("benchmark", "the policy gives no margin for a metric of this model")
    intervals = _intervals(examination, list(compared.values()), progress)
    faults, numbers = [], {}
    for name, score in compared.items():
        numbers[name], fault = _compared(examination, score, intervals[name])
        faults += [fault] if fault else []
    good = f"not worse than version {examination.against.version} by more than the margins: {', '.join(compared)}"
    return judged("benchmark", faults, good, {"metrics": numbers, "confidence": examination.rules.confidence})


def _intervals(examination: Examination, scores: list[Score], progress: Callable[[int], None]) -> dict[str, Interval]:
    truths_n, serving = examination.holdout.truths_n, examination.against_answers
    assert serving is not None
    pairs: dict[str, tuple[Weighted, Weighted]] = {
        score.name: (score.prepare(truths_n, examination.answers), score.prepare(truths_n, serving)) for score in scores
    }
    rules = examination.rules
    return paired_intervals(
        pairs,
        len(truths_n),
        replicates=rules.replicates,
        confidence=rules.confidence,
        rng=np.random.default_rng(rules.seed),
        progress=progress,
    )


def _compared(examination: Examination, score: Score, interval: Interval) -> tuple[dict[str, Any], str]:
    """Return the numbers of one comparison, and what is wrong with it."""
    truths_n, serving = examination.holdout.truths_n, examination.against_answers
    assert serving is not None
    ours, theirs = score.value(truths_n, examination.answers), score.value(truths_n, serving)
    rule = examination.rules.metrics[score.name]
    margin = max(rule.margin or 0.0, (rule.relative_margin or 0.0) * abs(theirs))
    # How much better the candidate is: for a loss the signs turn.
    low, high = (interval.low, interval.high) if score.is_better_high else (-interval.high, -interval.low)
    numbers = {
        "candidate": ours,
        "serving": theirs,
        "better_by": ours - theirs if score.is_better_high else theirs - ours,
        "low": low,
        "high": high,
        "margin": margin,
    }
    if high < -margin:
        return numbers, f"{score.name} is worse: {ours:.4g} after {theirs:.4g}, by more than the margin {margin:.3g}"
    if low < -margin:
        why = f"{score.name} may be worse by {-low:.3g}, the margin is {margin:.3g}: {ours:.4g} after {theirs:.4g}"
        return numbers, f"{why}; more holdout rows would tell"
    return numbers, ""


def _has_margin(examination: Examination, score: Score) -> bool:
    rule = examination.rules.metrics.get(score.name)
    return rule is not None and (rule.margin is not None or rule.relative_margin is not None)


def _unscorable(examination: Examination, answers: Answers) -> str:
    if not answers.are_finite:
        return "scores that are no finite numbers have no metric"
    return ""


def _incomparable(examination: Examination) -> str:
    serving = examination.against
    assert serving is not None and examination.against_answers is not None  # noqa: PT018
    before, after = serving.contract.output_schema, examination.candidate.contract.output_schema
    if before != after or examination.against_answers.scores_nk.shape != examination.answers.scores_nk.shape:
        return "the serving version answers something else: other classes, or another kind of value"
    return ""
