"""A trial and what feeds it, fenced in: what fails of one rollout's evidence is that rollout's problem alone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

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

__all__ = ["FollowedTrial", "Lasting", "Record"]

Record = Observation | ShadowComparison | Failures | Standstill

LONGEST_FAULT = 200
logger = logging.getLogger(__name__)


class Lasting:
    """What lasts over the stages of a rollout: its keys, the evidence on its split, and its outcomes."""

    __slots__ = ("join", "keys", "outcomes", "split")

    def __init__(self, spec: TrialSpec) -> None:
        self.keys, self.split = KeyFilter(), RatioEvidence(STRAY)
        guard = spec.guards.outcomes
        self.join = None if guard is None else OutcomeJoin(scale=guard.scale)
        self.outcomes = None if guard is None else OutcomeEvidence(tolerated=guard.ratio)


class FollowedTrial:
    """One stage of one rollout. Not safe for several threads.

    Parameters
    ----------
    spec
        What is compared.
    lasting
        What the stages before left; ``None`` for the first.
    infos
        What is known of each version, by name; may grow meanwhile.

    Attributes
    ----------
    fault
        What failed, in words; empty where nothing did. From then on nothing is taken and there is no verdict: half of
        what was being taken may count.
    """

    def __init__(self, spec: TrialSpec, lasting: Lasting | None, infos: Mapping[str, StreamInfo]) -> None:
        self.spec, self.lasting, self.fault = spec, lasting, ""
        with self._fenced():
            self.lasting = lasting or Lasting(spec)
            self._intake = Intake(spec, self.lasting.keys, infos, join=self.lasting.join)
            self._trial = Trial(spec, split=self.lasting.split, outcomes=self.lasting.outcomes)

    def go_on(self, spec: TrialSpec) -> None:
        """Take over what may change under way."""
        self.spec = spec
        if not self.fault:
            self._intake.spec = self._trial.spec = spec

    def pause_split(self, is_paused: bool) -> None:
        """Say whether new keys do not count for the split."""
        if not self.fault:
            self._intake.is_split_paused = is_paused

    def take(self, record: Record) -> None:
        """Take what came over a channel, of any model the failures and standstills."""
        if self.fault:
            return
        with self._fenced():
            if isinstance(record, Failures):
                self._intake.take_failures(record)
            elif isinstance(record, Standstill):
                self._intake.take_standstill(record)
            elif isinstance(record, Observation):
                self._intake.take(record)
            else:
                self._intake.take_comparison(record)

    def take_shadow_totals(self, failed: int, dropped: int) -> None:
        """Take the cumulative counts of failed and dropped shadow requests."""
        if not self.fault:
            with self._fenced():
                self._intake.take_shadow_totals(failed, dropped)

    def take_outcomes(self, outcomes: Sequence[TrueOutcome]) -> Counter[str]:
        """Take what turned out to be right; return how many were joined, unknown and unusable, under these names."""
        if not self.fault and self.lasting is not None and self.lasting.join is not None:
            with self._fenced():
                return self.lasting.join.take(outcomes)
        return Counter(joined=0, unknown=len(outcomes), unusable=0)

    def judged(self) -> TrialFindings:
        """End the present block and return what the trial says."""
        if not self.fault:
            with self._fenced():
                return self._judged()
        return TrialFindings(spec=self.spec, verdicts=(), taken=0, fault=self.fault)

    def _judged(self) -> TrialFindings:
        lasting = self.lasting
        if lasting is not None and lasting.join is not None and lasting.outcomes is not None:
            lasting.outcomes.add(lasting.join.cut())
        self._trial.add(self._intake.cut())
        return TrialFindings(spec=self._trial.spec, verdicts=self._trial.verdicts(), taken=self._intake.taken)

    @contextmanager
    def _fenced(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # whatever it is, the other rollouts go on
            self.fault = f"{type(exc).__name__}: {exc}"[:LONGEST_FAULT]
            logger.exception(
                "the evidence of rollout %s of %s fails and counts no more", self.spec.rollout, self.spec.model
            )
