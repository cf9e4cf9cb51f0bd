"""The gate on latency: is a quantile of the candidate's answers slower than stable's by more than the margin?

One answer of each key and arm counts, the first in the stage: a client that waits long waits long every time. The
margin is a factor and some milliseconds, since a canary runs in other batches and in a thread of its own, which alone
makes it slower.

What the host kept an answer may be the version's doing, which takes the cores, or not. So each bound takes it the way
that says less: the candidate's lower one without, its upper one with, stable's the other way round. A canary whose
thread gets no core is neither taken back for it nor passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
import numpy.typing as npt

from monitors.records import GateResult, LatencyGuard, TrialSpec, Verdict
from monitors.trials.budget import PASS_ALPHA, abort_alpha
from monitors.trials.counts import TrialCounts
from monitors.trials.needed import still_needed
from monitors.trials.quantiles import quantile_bounds, quantile_estimate
from monitors.trials.words import milliseconds, percent

__all__ = ["latency_verdict"]

Counts = npt.NDArray[np.generic]


def latency_verdict(spec: TrialSpec, guard: LatencyGuard, counts: TrialCounts, *, foresee: bool = True) -> Verdict:
    """Return the verdict of a canary step: that on the quantile that is worst off against its limit."""
    each = [_Quantile(quantile, guard, counts) for quantile in guard.quantiles]
    alpha = abort_alpha("latency", spec) / len(each) / 2
    worst = max(each, key=lambda one: one.excess_s)
    samples = int(counts.candidate.latency_b.sum())
    result: GateResult = "inconclusive"
    if any(one.excess_low_s(alpha) > 0 for one in each):
        result = "abort"
    elif all(one.passes(1.0) for one in each):
        result = "pass"
    needed = None
    if foresee and result == "inconclusive":
        needed = still_needed(samples, lambda factor: all(one.passes(factor) for one in each))
    return Verdict(
        gate="latency",
        result=result,
        why=worst.words,
        estimate=_finite(worst.excess_s),
        low=_finite(worst.excess_low_s(alpha)),
        high=_finite(worst.excess_high_s(PASS_ALPHA / 2)),
        margin=0.0,
        samples=samples,
        needed=needed,
    )


@dataclass(frozen=True, slots=True)
class _Quantile:
    """One quantile of both arms, in seconds beyond what it may be."""

    quantile: float
    guard: LatencyGuard
    counts: TrialCounts

    @property
    def excess_s(self) -> float:
        mine = quantile_estimate(self.counts.candidate.latency_b, self.quantile)
        excess_s = mine - self._limit(quantile_estimate(self.counts.stable.latency_b, self.quantile))
        return excess_s if excess_s == excess_s else -inf  # nan: an arm without answers

    def excess_low_s(self, alpha: float) -> float:
        low_s, _ = quantile_bounds(self.counts.candidate.own_latency_b, self.quantile, alpha)
        _, high_s = quantile_bounds(self.counts.stable.latency_b, self.quantile, alpha)
        return low_s - self._limit(high_s) if isfinite(high_s) else -inf

    def excess_high_s(self, alpha: float, factor: float = 1.0) -> float:
        _, high_s = quantile_bounds(factor * self.counts.candidate.latency_b, self.quantile, alpha)
        low_s, _ = quantile_bounds(factor * self.counts.stable.own_latency_b, self.quantile, alpha)
        return high_s - self._limit(low_s)

    def passes(self, factor: float) -> bool:
        return self.excess_high_s(PASS_ALPHA / 2, factor) <= 0

    def _limit(self, stable_s: float) -> float:
        return self.guard.ratio * stable_s + self.guard.slack_ms / 1e3

    @property
    def words(self) -> str:
        mine, theirs = self.counts.candidate, self.counts.stable
        stable_s = quantile_estimate(theirs.latency_b, self.quantile)
        whole_s, own_s = (quantile_estimate(some, self.quantile) for some in (mine.latency_b, mine.own_latency_b))
        own = f" ({milliseconds(own_s)} without time for which the host gave it no core)" if own_s < whole_s else ""
        return (
            f"{percent(self.quantile)} of the candidate's answers within {milliseconds(whole_s)}{own}, "
            f"of stable's within {milliseconds(stable_s)}; at most {milliseconds(self._limit(stable_s))} allowed"
        )


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
