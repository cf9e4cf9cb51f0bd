"""The gate on errors: does the candidate fail more keys than stable, at the same time, on the same traffic?

Aborting asks for the first failure of each key, by the weight, or by the keys at risk where their share is larger
(``ratio``). Passing asks for the share of keys whose first request failed: the upper bound of the candidate's less the
lower bound of stable's is below the margin. There a failure that stable repeated counts against the candidate, for
stable's own such failures count too: each question is put so that a mistake in it is on the safe side.
"""

from __future__ import annotations

from monitors.records import GateResult, TrialSpec, Verdict
from monitors.trials.budget import PASS_ALPHA, abort_alpha, abort_level
from monitors.trials.counts import TrialCounts
from monitors.trials.needed import still_needed
from monitors.trials.shares import ShareBounds
from monitors.trials.words import percent

__all__ = ["baking_verdict", "errors_verdict"]


def errors_verdict(spec: TrialSpec, counts: TrialCounts, nats: float, *, foresee: bool = True) -> Verdict:
    """Return the verdict of a canary step; ``nats`` is the evidence of a :class:`RatioEvidence` over its blocks."""
    guard, level = spec.guards.errors, abort_level("errors", spec)
    bounds = ShareBounds(PASS_ALPHA / 2, near=guard.margin / 2)
    mine, theirs = counts.candidate, counts.stable

    pooled = _share(mine.first_failed + theirs.first_failed, mine.keys + theirs.keys)

    def high(factor: float, share: float | None = None) -> float:
        n, m = factor * mine.keys, factor * theirs.keys
        x, y = (factor * mine.first_failed, factor * theirs.first_failed) if share is None else (share * n, share * m)
        return bounds.high(x, n) - bounds.low(y, m)

    def passes(factor: float, share: float | None = None) -> bool:
        return min(factor * mine.keys, factor * theirs.keys) >= guard.keys and high(factor, share) <= guard.margin

    def needed() -> int | None:
        """Return how many more keys a candidate like stable needs; one that looks worse needs more than that."""
        alike = None if passes(1.0, pooled) else still_needed(mine.keys, lambda factor: passes(factor, pooled))
        return alike or still_needed(mine.keys, passes)

    is_aborted, has_passed = nats >= level, passes(1.0)
    estimate = _share(mine.first_failed, mine.keys) - _share(theirs.first_failed, theirs.keys)
    return Verdict(
        gate="errors",
        result="abort" if is_aborted else "pass" if has_passed else "inconclusive",
        why=f"{mine.failed} of {mine.keys} keys failed on the candidate, {theirs.failed} of {theirs.keys} on stable",
        evidence=nats,
        level=level,
        estimate=estimate,
        low=bounds.low(mine.first_failed, mine.keys) - bounds.high(theirs.first_failed, theirs.keys),
        high=high(1.0),
        margin=guard.margin,
        samples=mine.keys,
        needed=None if is_aborted or has_passed or not foresee else needed(),
    )


def baking_verdict(spec: TrialSpec, counts: TrialCounts, *, foresee: bool = True) -> Verdict:
    """Return the verdict on a candidate that has all traffic: no arm beside it, only a limit of what it may fail."""
    guard, mine = spec.guards.errors, counts.candidate
    sure = ShareBounds(abort_alpha("baking", spec), near=guard.bake_limit / 2)
    bounds = ShareBounds(PASS_ALPHA, near=guard.bake_limit / 2)

    def passes(factor: float) -> bool:
        is_enough = factor * mine.keys >= guard.keys
        return is_enough and bounds.high(factor * mine.first_failed, factor * mine.keys) <= guard.bake_limit

    result: GateResult = "pass" if passes(1.0) else "inconclusive"
    if sure.low(mine.first_failed, mine.keys) > guard.bake_limit:
        result = "abort"
    return Verdict(
        gate="baking",
        result=result,
        why=f"{mine.first_failed} of {mine.keys} keys failed, at most {percent(guard.bake_limit)} may",
        estimate=_share(mine.first_failed, mine.keys),
        low=bounds.low(mine.first_failed, mine.keys),
        high=bounds.high(mine.first_failed, mine.keys),
        margin=guard.bake_limit,
        samples=mine.keys,
        needed=still_needed(mine.keys, passes) if foresee and result == "inconclusive" else None,
    )


def _share(x: int, n: int) -> float:
    return x / n if n else 0.0
