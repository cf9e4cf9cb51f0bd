"""Causes: what an alert can be about, and the reading of each over one window."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from monitors.assessment import Assessment
from monitors.effects import Movement
from monitors.evidence import channel
from monitors.importance import EQUAL, Importance
from monitors.live.stream import Standing
from monitors.quality import FaultRates
from monitors.thresholds import Thresholds

__all__ = ["ABOUT_FEATURES", "ACTIONS", "CAUSES", "EVIDENCE_ABOUT", "Cause", "Level", "Reading", "readings"]

Level = Literal["warn", "page"]

Cause = Literal["data-quality", "drift", "prediction-drift", "confidence-collapse", "broken-output", "no-data"]
CAUSES: tuple[Cause, ...] = (
    "data-quality", "drift", "prediction-drift", "confidence-collapse", "broken-output", "no-data",
)  # fmt: skip

ACTIONS: dict[Cause, str] = {
    "data-quality": "Look at the system behind the named features and rules; do not trust the answers to these rows.",
    "drift": "Compare the named features with their source; if the change is real and lasting, retrain on recent rows.",
    "prediction-drift": "See whether the named inputs moved too; if they did not, compare with the previous version.",
    "confidence-collapse": "Answers hardly depend on the inputs: mend the named features, or roll back.",
    "broken-output": "Roll back: the version answers with numbers that are no probabilities or not finite.",
    "no-data": "Check that clients still call the model and that the workers' channel to the watch is up.",
}

EVIDENCE_ABOUT: Mapping[Cause, channel.Cause] = MappingProxyType(
    {
        "data-quality": "inputs",
        "drift": "inputs",
        "prediction-drift": "answers",
        "confidence-collapse": "confidence",
        "broken-output": "broken",
    }
)
"""Which evidence speaks about a cause."""

ABOUT_FEATURES: tuple[Cause, ...] = ("data-quality", "drift")
"""Causes whose movements are of features."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cause looks like over one window.

    Parameters
    ----------
    cause
        The cause.
    warn, page
        Levels of the excess where there is no evidence; with evidence, what is so far that it is named in any case.
    movements
        What may have moved.
    companions
        Moved features that are named beside them and judged under their own cause.
    rules
        Those of the movements that are facts, and page by themselves at the page level.
    standing
        The evidence, where the version has any.
    tolerance
        Least effect about which evidence speaks.
    may_page
        Whether evidence may wake a person.
    importance
        Of the features: the order in which an alert names them, and no level.
    """

    cause: Cause
    warn: float
    page: float
    movements: tuple[Movement, ...]
    companions: tuple[Movement, ...] = ()
    rules: tuple[Movement, ...] = ()
    standing: Standing | None = None
    tolerance: float = 0.0
    may_page: bool = False
    importance: Importance = EQUAL

    @property
    def largest(self) -> Movement | None:
        """The movement with the largest excess; with evidence, the one with the largest effect."""
        if self.standing is not None:
            return max(self.movements, key=lambda movement: movement.effect, default=None)
        return max(self.movements, key=lambda movement: movement.excess, default=None)

    @property
    def excess(self) -> float:
        """Largest excess over what the sample size explains."""
        return max((movement.excess for movement in self.movements), default=0.0)

    @property
    def effect(self) -> float:
        """The largest effect."""
        return self.largest.effect if self.largest else 0.0

    @property
    def breaks_a_rule(self) -> bool:
        """Whether a fact pages by itself."""
        return any(rule.excess > 0.0 and rule.excess >= self.page for rule in self.rules)

    @property
    def speaks_by_rule(self) -> bool:
        """Whether it is a fact, and no evidence, that reaches the level."""
        if self.standing is None:
            return self.breaks_a_rule
        return self._by_rule is not None and (self._by_rule == "page" or self._by_evidence != "page")

    @property
    def level(self) -> Level | None:
        """The level that the window reaches: by rule, by evidence and effect or, without evidence, by effect alone."""
        if self.breaks_a_rule:
            return "page"
        if self.standing is None:
            return _level_of(self.excess, self.warn, self.page)
        return "page" if self._by_evidence == "page" else self._by_rule or self._by_evidence

    @property
    def _by_rule(self) -> Level | None:
        return _level_of(max((rule.excess for rule in self.rules), default=0.0), self.warn, self.page)

    @property
    def _by_evidence(self) -> Level | None:
        if self.standing is None or self.effect < self.tolerance or not self.effect:
            return None
        if self.standing.crossed == "page":
            return "page"
        return "warn" if self.standing.crossed or self.standing.nats >= self.standing.warn_nats else None

    def is_calm(self, on_level: float) -> bool:
        """Whether the change is over: the effect below half of a level, or by evidence."""
        if self.standing is not None:
            return self.standing.is_quiet and not self.breaks_a_rule
        return (self.excess < on_level / 2.0 or self.excess == 0.0) and not self.breaks_a_rule


def _level_of(excess: float, warn: float, page: float) -> Level | None:
    if excess <= 0.0 or excess < warn:
        return None
    return "page" if excess >= page else "warn"


def readings(
    assessment: Assessment | None, faults: FaultRates, thresholds: Thresholds, *, least_rows: int | None = None
) -> dict[Cause, Reading]:
    """Return a reading for each cause that can be judged.

    Parameters
    ----------
    assessment
        The window's effects; ``None`` when no row came.
    faults
        Rates of contract faults of the version.
    thresholds
        Levels and the minimum sample: below it only ``broken-output`` is judged, which needs no statistics.
    least_rows
        Another minimum sample of the window: evidence needs none.
    """
    least_rows = thresholds.minimum_rows if least_rows is None else least_rows
    found = [_quality(assessment, faults, thresholds, least_rows)]
    if assessment is not None:
        broken = (assessment.broken(),)
        found.append(Reading("broken-output", 0.0, 0.0, broken, rules=broken))
    if assessment is not None and assessment.rows >= least_rows:
        found += _judged(assessment, thresholds, _moved_features(assessment, thresholds))
    return {reading.cause: reading for reading in found if reading is not None}


def _quality(
    assessment: Assessment | None, faults: FaultRates, thresholds: Thresholds, least_rows: int
) -> Reading | None:
    movements: dict[tuple[str, str], Movement] = {}
    refused: tuple[Movement, ...] = ()
    expected: Mapping[tuple[str, str], float] = {}
    if assessment is not None and assessment.rows >= least_rows:
        seen = [m for feature in assessment.features for m in (feature.vanished(), feature.strayed())]
        movements |= {(m.name, m.statistic): m for m in seen}
    if faults.rows >= thresholds.minimum_rows:
        expected = assessment.expected_faults() if assessment else {}
        refused = faults.movements(expected)
        for movement in refused:
            movements.setdefault((movement.name, movement.statistic), movement)
    if not movements and faults.rows < thresholds.minimum_rows:
        return None
    # A fault that the reference has never had, in a tenth of the rows, is no matter of chance.
    rules = tuple(movement for movement in refused if not expected.get((movement.name, movement.statistic)))
    levels = thresholds.missing_warn, thresholds.missing_page
    return Reading("data-quality", *levels, tuple(movements.values()), rules=rules)


def _judged(assessment: Assessment, thresholds: Thresholds, companions: tuple[Movement, ...]) -> list[Reading]:
    moved = tuple(m for feature in assessment.features if (m := feature.moved()) is not None)
    found = [Reading("drift", thresholds.drift_warn, thresholds.drift_page, moved)]
    if predictions := assessment.prediction_movements():
        levels = thresholds.prediction_warn, thresholds.prediction_page
        found.append(Reading("prediction-drift", *levels, predictions, companions))
    if collapsed := assessment.confidence_movements():
        # What a benign shift of the inputs explains warns only, and so does saturation: easy inputs look the same.
        page = thresholds.collapse_page if assessment.collapse() >= thresholds.collapse_page else math.inf
        found.append(Reading("confidence-collapse", thresholds.collapse_warn, page, collapsed, companions))
    return found


def _moved_features(assessment: Assessment, thresholds: Thresholds) -> tuple[Movement, ...]:
    """Return each feature that moved, vanished or strayed, in its more telling statistic, the furthest first."""
    found: dict[str, tuple[float, Movement]] = {}
    for feature in assessment.features:
        for movement, level in (
            (feature.moved(), thresholds.drift_warn),
            (feature.vanished(), thresholds.missing_warn),
            (feature.strayed(), thresholds.missing_warn),
        ):
            if movement is not None and movement.excess >= level:
                found[feature.name] = max(
                    found.get(feature.name, (0.0, movement)), (movement.excess, movement), key=_first
                )
    ordered = sorted(found.values(), key=_first, reverse=True)
    return tuple(movement for _, movement in ordered)


def _first(pair: tuple[float, Movement]) -> float:
    return pair[0]
