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
from monitors.trials.followed import FollowedTrial

__all__ = ["TrialBook"]

_MOST_VERSIONS = 1_024


class TrialBook:
    """Follow the trials that a rollout driver asks for. Not safe for several threads.

    A trial of which something fails has a ``fault`` and no verdicts until it begins anew; the others go on.

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
        self._trials: dict[str, FollowedTrial] = {}

    def follow(self, specs: Sequence[TrialSpec], *, paused: Collection[str] = ()) -> None:
        """Say which trials there are, at most one a model, and of which models new keys do not count for the split.

        A trial goes on while its rollout, stage, step and beginning stay; any other begins with nothing.
        """
        self._trials = {spec.model: self._followed(spec) for spec in specs}
        for model, trial in self._trials.items():
            trial.pause_split(model in paused)

    def receive(self, record: object) -> None:
        """Take whatever came over a channel."""
        if isinstance(record, StreamInfo):
            self._learn(record)
        elif isinstance(record, Failures | Standstill):
            for trial in self._trials.values():
                trial.take(record)
        elif isinstance(record, Observation | ShadowComparison):
            trial_of = self._trials.get(record.key.model)
            if trial_of is not None:
                trial_of.take(record)

    def take_shadow_totals(self, totals: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Take the cumulative counts of failed and dropped shadow requests, by model and version."""
        for trial in self._trials.values():
            found = totals.get((trial.spec.model, trial.spec.candidate))
            if found is not None:
                trial.take_shadow_totals(*found)

    def take_outcomes(self, model: str, outcomes: Sequence[TrueOutcome]) -> Counter[str]:
        """Take what turned out to be right; return how many were joined, unknown and unusable, under these names."""
        trial = self._trials.get(model)
        return Counter(joined=0, unknown=len(outcomes), unusable=0) if trial is None else trial.take_outcomes(outcomes)

    def judge(self) -> dict[str, TrialFindings]:
        """End the present block of every trial and return what it says, by model."""
        return {model: trial.judged() for model, trial in self._trials.items()}

    def _followed(self, spec: TrialSpec) -> FollowedTrial:
        before = self._trials.get(spec.model)
        if before is not None and before.spec.identity == spec.identity:
            before.go_on(spec)
            return before
        goes_on = before is not None and before.spec.rollout == spec.rollout and not before.fault
        lasting = before.lasting if before is not None and goes_on else None
        return FollowedTrial(spec, lasting, self._infos.setdefault(spec.model, {}))

    def _learn(self, info: StreamInfo) -> None:
        versions = self._infos.setdefault(info.model, {})
        versions[info.version] = info
        while len(versions) > _MOST_VERSIONS:
            del versions[next(iter(versions))]
