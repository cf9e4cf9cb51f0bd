"""The gate on disagreement: how often does a shadow answer the same request otherwise than stable did?

Both versions answered the same request, so nothing else differs: far fewer requests are needed than between arms. A
request that the shadow failed counts as answered otherwise.
"""

from __future__ import annotations

from monitors.records import GateResult, TrialSpec, Verdict
from monitors.trials.budget import PASS_ALPHA, abort_alpha
from monitors.trials.counts import TrialCounts
from monitors.trials.needed import still_needed
from monitors.trials.shares import ShareBounds
from monitors.trials.words import percent

__all__ = ["shadow_verdict"]


def shadow_verdict(spec: TrialSpec, counts: TrialCounts, *, foresee: bool = True) -> Verdict:
    """Return the verdict of the shadow stage."""
    guard, x, n = spec.guards.shadow, counts.disagreed, counts.compared
    sure = ShareBounds(abort_alpha("shadow", spec), near=guard.disagreement / 2)
    bounds = ShareBounds(PASS_ALPHA, near=guard.disagreement / 2)
    offered = n + counts.dropped
    dropped = counts.dropped / offered if offered else 0.0

    def passes(factor: float) -> bool:
        is_enough = factor * n >= guard.comparisons and dropped <= guard.dropped
        return is_enough and bounds.high(factor * x, factor * n) <= guard.disagreement

    result: GateResult = "pass" if passes(1.0) else "inconclusive"
    if sure.low(x, n) > guard.disagreement:
        result = "abort"
    limit = percent(guard.disagreement)
    why = f"{x} of {n} requests answered otherwise than by stable, at most {limit} may be"
    if dropped > guard.dropped:
        why += f"; {percent(dropped)} did not reach the shadow, at most {percent(guard.dropped)} may"
    return Verdict(
        gate="shadow",
        result=result,
        why=why,
        estimate=x / n if n else 0.0,
        low=bounds.low(x, n),
        high=bounds.high(x, n),
        margin=guard.disagreement,
        samples=n,
        needed=still_needed(n, passes) if foresee and result == "inconclusive" else None,
    )
