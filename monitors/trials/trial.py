"""A trial: one stage of one rollout. Counts in, block by block; a verdict of each gate out. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitors.records import TrialSpec, Verdict
from monitors.trials.budget import abort_level
from monitors.trials.counts import TrialCounts
from monitors.trials.errors import baking_verdict, errors_verdict
from monitors.trials.latency import latency_verdict
from monitors.trials.outcomes import OutcomeEvidence, outcomes_verdict
from monitors.trials.predictions import predictions_verdict
from monitors.trials.ratio import RISE, STRAY, RatioEvidence
from monitors.trials.shadow import shadow_verdict

__all__ = ["FULL_BP", "Trial"]

FULL_BP = 10_000


class Trial:
    """The evidence of one stage.

    Parameters
    ----------
    spec
        What is compared, and how.
    split, outcomes
        Evidence of the stages before, which goes on: for these, keys are counted once a rollout.

    Notes
    -----
    State: the sum of all counts and 16 numbers. Blocks may have any length; the order of blocks matters only to the
    evidence of the e-processes, which is valid in any.

    Examples
    --------
    >>> from monitors.trials.counts import ArmCounts
    >>> spec = TrialSpec(rollout="r", model="m", stable="1", candidate="2", stage="canary", weight_bp=500)
    >>> trial = Trial(spec)
    >>> for _ in range(10):
    ...     trial.add(TrialCounts(ArmCounts(5, 5, 5, 5), ArmCounts(95, 95, 0, 0)))
    >>> [(verdict.gate, verdict.result) for verdict in trial.verdicts()][:2]
    [('split', 'pass'), ('errors', 'abort')]
    """

    def __init__(
        self, spec: TrialSpec, *, split: RatioEvidence | None = None, outcomes: OutcomeEvidence | None = None
    ) -> None:
        self.spec = spec
        self.counts = TrialCounts()
        self.split, self.outcomes = split or RatioEvidence(STRAY), outcomes
        self._errors = RatioEvidence(RISE, tolerated=spec.guards.errors.ratio)

    def add(self, block: TrialCounts) -> None:
        """Take the counts of one block."""
        before, self.counts = self.counts, self.counts + block
        mine, theirs = block.candidate, block.stable
        self.split.update(mine.appeared, theirs.appeared, self.spec.weight_bp / FULL_BP)
        if mine.failed or theirs.failed:
            at_risk = self.counts.candidate.keys - before.candidate.failed
            all_at_risk = at_risk + self.counts.stable.keys - before.stable.failed
            # A key that fails at once falls here by the weight, from which the keys seen so far may stray by chance.
            share = max(self.spec.weight_bp / FULL_BP, at_risk / max(1, all_at_risk))
            self._errors.update(mine.failed, theirs.failed, share)

    def verdicts(self, *, foresee: bool = True) -> tuple[Verdict, ...]:
        """Return what every gate of the stage says.

        While the split is off, or no key has come, no comparison passes; aborts stand.

        Parameters
        ----------
        foresee
            Whether to work out how many samples are still needed, which is most of the work.
        """
        spec, guards = self.spec, self.spec.guards
        if spec.stage == "shadow":
            return (shadow_verdict(spec, self.counts, foresee=foresee),)
        if spec.stage == "baking":
            return (baking_verdict(spec, self.counts, foresee=foresee), *self._of_outcomes(foresee=foresee))
        split = self._split_verdict()
        found = [errors_verdict(spec, self.counts, float(self._errors.nats), foresee=foresee)]
        if guards.latency is not None:
            found.append(latency_verdict(spec, guards.latency, self.counts, foresee=foresee))
        if guards.predictions is not None:
            found.append(predictions_verdict(spec, guards.predictions, self.counts, foresee=foresee))
        found += self._of_outcomes(foresee=foresee)
        if split.result != "pass":
            found = [_withdrawn(verdict) for verdict in found]
        return (split, *found)

    def _of_outcomes(self, *, foresee: bool) -> Iterator[Verdict]:
        guard = self.spec.guards.outcomes
        if guard is not None and self.outcomes is not None:
            verdict = outcomes_verdict(self.spec, guard, self.outcomes, foresee=foresee)
            if verdict is not None:
                yield verdict

    def _split_verdict(self) -> Verdict:
        spec, nats, level = self.spec, float(self.split.nats), abort_level("split", self.spec)
        mine, theirs = self.counts.candidate.appeared, self.counts.stable.appeared
        share, weight = mine / max(1, mine + theirs), spec.weight_bp / FULL_BP
        return Verdict(
            gate="split",
            result="pass" if nats < level and not self.split.is_empty else "inconclusive",
            why=f"{mine} of {mine + theirs} new keys came to the candidate, its weight is {100 * weight:g} %",
            evidence=nats,
            level=level,
            estimate=share - weight,
            samples=mine,
        )


def _withdrawn(verdict: Verdict) -> Verdict:
    if verdict.result != "pass":
        return verdict
    return replace(verdict, result="inconclusive", why=f"the split is not known to follow its weight; {verdict.why}")
