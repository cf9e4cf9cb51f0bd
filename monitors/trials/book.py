"""The trials of a host: records in as they come, findings out when asked. No clock, no I/O, no thread of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from monitors.records import (
    Failures,
    Observation,
    ShadowComparison,
    Standstill,
    StreamInfo,
    TrialFindings,
    TrialSpec,
    TrueOutcome,
)
from monitors.trials.intake import Intake
from monitors.trials.joining import OutcomeJoin
from monitors.trials.keys import KeyFilter
from monitors.trials.outcomes import OutcomeEvidence
from monitors.trials.ratio import STRAY, RatioEvidence
from monitors.trials.trial import Trial

__all__ = ["TrialBook"]

_MOST_VERSIONS = 1_024


class _Rollout:
    """What lasts over the stages of a rollout: its keys, the evidence on its split, and its outcomes."""

    __slots__ = ("join", "keys", "outcomes", "split")

    def __init__(self, spec: TrialSpec) -> None:
        self.keys, self.split = KeyFilter(), RatioEvidence(STRAY)
        guard = spec.guards.outcomes
        self.join = None if guard is None else OutcomeJoin(scale=guard.scale)
        self.outcomes = None if guard is None else OutcomeEvidence(tolerated=guard.ratio)


class TrialBook:
    """Follow the trials that a rollout driver asks for. Not safe for several threads.

    Examples
    --------
    >>> book = TrialBook()
    >>> spec = TrialSpec(rollout="r", model="fraud", stable="1", candidate="2", stage="canary", weight_bp=500)
    >>> book.follow([spec])
    >>> book.judge()["fraud"].verdicts[1].result
    'inconclusive'
    """

    def __init__(self) -> None:
        self._infos: dict[str, dict[str, StreamInfo]] = {}
        self._rollouts: dict[str, _Rollout] = {}
        self._trials: dict[str, tuple[Intake, Trial]] = {}

    def follow(self, specs: Sequence[TrialSpec], *, paused: Collection[str] = ()) -> None:
        """Say which trials there are, at most one a model, and of which models new keys do not count for the split.

        A trial goes on while its rollout, stage, step and beginning stay; any other begins with nothing.
        """
        self._rollouts = {spec.rollout: self._rollouts.get(spec.rollout) or _Rollout(spec) for spec in specs}
        self._trials = {spec.model: self._followed(spec) for spec in specs}
        for model, (intake, _) in self._trials.items():
            intake.is_split_paused = model in paused

    def receive(self, record: object) -> None:
        """Take whatever came over a channel."""
        if isinstance(record, StreamInfo):
            self._learn(record)
        elif isinstance(record, Failures):
            for intake, _ in self._trials.values():
                intake.take_failures(record)
        elif isinstance(record, Standstill):
            for intake, _ in self._trials.values():
                intake.take_standstill(record)
        elif isinstance(record, Observation | ShadowComparison):
            followed = self._intake(record.key.model)
            if followed is not None and isinstance(record, Observation):
                followed.take(record)
            elif followed is not None and isinstance(record, ShadowComparison):
                followed.take_comparison(record)

    def take_shadow_totals(self, totals: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Take the cumulative counts of failed and dropped shadow requests, by model and version."""
        for intake, _ in self._trials.values():
            found = totals.get((intake.spec.model, intake.spec.candidate))
            if found is not None:
                intake.take_shadow_totals(*found)

    def take_outcomes(self, model: str, outcomes: Sequence[TrueOutcome]) -> Counter[str]:
        """Take what turned out to be right; return how many were joined, unknown and unusable, under these names."""
        followed = self._trials.get(model)
        join = None if followed is None else self._rollouts[followed[1].spec.rollout].join
        return Counter(joined=0, unknown=len(outcomes), unusable=0) if join is None else join.take(outcomes)

    def judge(self) -> dict[str, TrialFindings]:
        """End the present block of every trial and return what it says, by model."""
        for rollout in self._rollouts.values():
            if rollout.join is not None and rollout.outcomes is not None:
                rollout.outcomes.add(rollout.join.cut())
        return {model: self._judged(*followed) for model, followed in self._trials.items()}

    def _intake(self, model: str) -> Intake | None:
        followed = self._trials.get(model)
        return None if followed is None else followed[0]

    @staticmethod
    def _judged(intake: Intake, trial: Trial) -> TrialFindings:
        trial.add(intake.cut())
        return TrialFindings(spec=trial.spec, verdicts=trial.verdicts(), taken=intake.taken)

    def _followed(self, spec: TrialSpec) -> tuple[Intake, Trial]:
        before = self._trials.get(spec.model)
        if before is not None and before[1].spec.identity == spec.identity:
            before[0].spec = before[1].spec = spec
            return before
        rollout, infos = self._rollouts[spec.rollout], self._infos.setdefault(spec.model, {})
        intake = Intake(spec, rollout.keys, infos, join=rollout.join)
        return intake, Trial(spec, split=rollout.split, outcomes=rollout.outcomes)

    def _learn(self, info: StreamInfo) -> None:
        versions = self._infos.setdefault(info.model, {})
        versions[info.version] = info
        while len(versions) > _MOST_VERSIONS:
            del versions[next(iter(versions))]
