"""The gate on outcomes: is the candidate wrong more often than stable, by what turned out to be right?

Losses lie between 0 and 1: a class is right or wrong, a value is wrong by its share of a scale. Both the e-process of
:class:`RatioEvidence` and the bounds of :class:`ShareBounds` hold for such losses as they do for counts, by convexity.
The evidence lasts over the steps of a rollout, since outcomes come late; a key counts once in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitors.records import GateResult, OutcomeGuard, TrialSpec, Verdict
from monitors.trials.budget import PASS_ALPHA, abort_level
from monitors.trials.joining import ArmLosses
from monitors.trials.needed import still_needed
from monitors.trials.ratio import RISE, RatioEvidence
from monitors.trials.shares import ShareBounds
from monitors.trials.words import percent

__all__ = ["OutcomeEvidence", "outcomes_verdict"]


class OutcomeEvidence:
    """The outcomes of a rollout so far. State: four sums and one number an alternative."""

    def __init__(self, *, tolerated: float) -> None:
        self.losses = ArmLosses()
        self._ratio = RatioEvidence(RISE, tolerated=tolerated)

    def add(self, blocks: Iterable[ArmLosses]) -> None:
        """Take blocks of one step each; of the keys of a block it was the hash that chose the arms."""
        for one in blocks:
            self._ratio.update(one.candidate_lost, one.stable_lost, one.candidate / (one.candidate + one.stable))
            all_ = self.losses
            self.losses = ArmLosses(
                all_.candidate + one.candidate,
                all_.stable + one.stable,
                all_.candidate_lost + one.candidate_lost,
                all_.stable_lost + one.stable_lost,
            )

    @property
    def nats(self) -> float:
        """Evidence that the candidate is wrong more often than is tolerated."""
        return float(self._ratio.nats)


def outcomes_verdict(
    spec: TrialSpec, guard: OutcomeGuard, evidence: OutcomeEvidence, *, foresee: bool = True
) -> Verdict | None:
    """Return the verdict; none where no outcome has come and the plan requires none, which then hinder nothing."""
    found, level = evidence.losses, abort_level("outcomes", spec)
    if not found.candidate and not guard.required:
        return None
    bounds = ShareBounds(PASS_ALPHA / 2, near=guard.margin / 2)

    def high(factor: float) -> float:
        mine = bounds.high(factor * found.candidate_lost, factor * found.candidate)
        return mine - bounds.low(factor * found.stable_lost, factor * found.stable)

    def passes(factor: float) -> bool:
        is_enough = factor * min(found.candidate, found.stable) >= guard.keys
        return is_enough and high(factor) <= guard.margin

    result: GateResult = "pass" if passes(1.0) or not guard.required else "inconclusive"
    if evidence.nats >= level:
        result = "abort"
    mine, theirs = found.candidate_lost / max(1, found.candidate), found.stable_lost / max(1, found.stable)
    return Verdict(
        gate="outcomes",
        result=result,
        why=f"wrong on {percent(mine)} of {found.candidate} keys, stable on {percent(theirs)} of {found.stable}, "
        "by outcomes that came later",
        evidence=evidence.nats,
        level=level,
        estimate=mine - theirs,
        high=high(1.0),
        margin=guard.margin,
        samples=found.candidate,
        needed=still_needed(found.candidate, passes) if foresee and result == "inconclusive" else None,
    )
