"""Causes: what an alert can be about, and the reading of each over one window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitors.assessment import Assessment
from monitors.effects import Movement
from monitors.quality import FaultRates
from monitors.thresholds import Thresholds

__all__ = ["ACTIONS", "CAUSES", "Cause", "Reading", "readings"]

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


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cause looks like over one window.

    ``movements`` are judged by their excess against ``warn`` and ``page``; ``companions`` are moved features that are
    named beside them and judged under their own cause.
    """

    cause: Cause
    warn: float
    page: float
    movements: tuple[Movement, ...]
    companions: tuple[Movement, ...] = ()

    @property
    def largest(self) -> Movement | None:
        """The movement with the largest excess."""
        return max(self.movements, key=lambda movement: movement.excess, default=None)

    @property
    def excess(self) -> float:
        """Largest excess over what the sample size explains."""
        return self.largest.excess if self.largest else 0.0


def readings(assessment: Assessment | None, faults: FaultRates, thresholds: Thresholds) -> dict[Cause, Reading]:
    """Return a reading for each cause that can be judged.

    Parameters
    ----------
    assessment
        The window's effects; ``None`` when no row came.
    faults
        Rates of contract faults of the version.
    thresholds
        Levels and the minimum sample: below it only ``broken-output`` is judged, which needs no statistics.
    """
    found = [_quality(assessment, faults, thresholds)]
    if assessment is not None:
        found.append(Reading("broken-output", 0.0, 0.0, (assessment.broken(),)))
    if assessment is not None and assessment.rows >= thresholds.minimum_rows:
        found += _judged(assessment, thresholds, _moved_features(assessment, thresholds))
    return {reading.cause: reading for reading in found if reading is not None}


def _quality(assessment: Assessment | None, faults: FaultRates, thresholds: Thresholds) -> Reading | None:
    movements: dict[tuple[str, str], Movement] = {}
    if assessment is not None and assessment.rows >= thresholds.minimum_rows:
        seen = [m for feature in assessment.features for m in (feature.vanished(), feature.strayed())]
        movements |= {(m.name, m.statistic): m for m in seen}
    if faults.rows >= thresholds.minimum_rows:
        expected = assessment.expected_faults() if assessment else {}
        for movement in faults.movements(expected):
            movements.setdefault((movement.name, movement.statistic), movement)
    if not movements and faults.rows < thresholds.minimum_rows:
        return None
    return Reading("data-quality", thresholds.missing_warn, thresholds.missing_page, tuple(movements.values()))


def _judged(assessment: Assessment, thresholds: Thresholds, companions: tuple[Movement, ...]) -> list[Reading]:
    moved = tuple(m for feature in assessment.features if (m := feature.moved()) is not None)
    found = [Reading("drift", thresholds.drift_warn, thresholds.drift_page, moved)]
    if predictions := assessment.prediction_movements():
        levels = thresholds.prediction_warn, thresholds.prediction_page
        found.append(Reading("prediction-drift", *levels, predictions, companions))
    if collapsed := assessment.confidence and assessment.confidence.collapsed():
        levels = thresholds.collapse_warn, thresholds.collapse_page
        found.append(Reading("confidence-collapse", *levels, (collapsed,), companions))
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
