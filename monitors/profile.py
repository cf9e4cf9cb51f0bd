"""The reference profile of a version: the document, as values.

A profile is text (``reference.json``), made once from a table, and holds counts only: no row of the table can be read
back from it. ``monitors.reference`` makes and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from monitors.cells import Cells
from monitors.labelled import PerformanceProfile
from monitors.mix import ClassConfidence
from monitors.records import FeatureKind, OutputKind
from monitors.segments import Split
from monitors.transport.documents import encode_document

__all__ = [
    "QUANTILES",
    "ConfidenceProfile",
    "FeatureProfile",
    "OutputProfile",
    "ProfileInvalid",
    "ReferenceProfile",
    "SegmentProfile",
    "Segmentation",
]

QUANTILES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)


class ProfileInvalid(ValueError):
    """A reference profile that cannot be used: where in the document, and what is wrong there."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"reference profile, {where}: {what}")
        self.where, self.what = where, what


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """One feature (or a regression's value): its cells, the reference's counts in them, and what to fill in for it.

    ``quantiles`` are those of ``QUANTILES``; empty for a category and for a feature without a finite value. ``fill`` is
    the median of a number (a value that occurred), the mode of a category.
    """

    name: str
    kind: FeatureKind
    cells: Cells
    counts: tuple[int, ...]
    quantiles: tuple[float, ...] = ()
    mode: float | str | None = None
    fill: float | str | None = None


@dataclass(frozen=True, slots=True)
class ConfidenceProfile:
    """Confidence of a classifier: 20-cell histograms over [0, 1], means over rows, nats.

    ``information_nats`` is the entropy of the mean answer less the mean entropy of the answers: how much the answer
    depends on the input. ``by_class`` tells the answers of each class apart; it is empty beyond 64 classes, and in
    profiles of before it was kept.
    """

    rows: int
    top1_counts: tuple[int, ...]
    margin_counts: tuple[int, ...]
    entropy_nats: float
    probabilities: tuple[float, ...]
    information_nats: float
    saturated_ratio: float
    by_class: tuple[ClassConfidence, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputProfile:
    """Answers on the reference: class counts and confidence of a classifier, the value's cells of a regressor.

    ``performance`` is there where the reference has labels.
    """

    kind: OutputKind
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    confidence: ConfidenceProfile | None = None
    value: FeatureProfile | None = None
    performance: PerformanceProfile | None = None


@dataclass(frozen=True, slots=True)
class SegmentProfile:
    """The reference's rows of one segment: counts in the cells of each feature, and their answers.

    What labels taught is of the whole reference and not repeated here.
    """

    rows: int
    counts: tuple[tuple[int, ...], ...]
    output: OutputProfile


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A split of the reference, and the profile of each segment in its order."""

    split: Split
    segments: tuple[SegmentProfile, ...]


@dataclass(frozen=True, slots=True)
class ReferenceProfile:
    """Profile of one version over ``rows`` reference rows; ``segmentation`` where it was asked for."""

    schema_version: Literal[1]
    rows: int
    features: tuple[FeatureProfile, ...]
    output: OutputProfile
    segmentation: Segmentation | None = None

    def of_segments(self) -> tuple[ReferenceProfile, ...]:
        """Return the profile of each segment, on the same cells; none without a segmentation."""
        segments = self.segmentation.segments if self.segmentation else ()
        taught = self.output.performance
        return tuple(
            ReferenceProfile(1, s.rows, _with_counts(self.features, s.counts), replace(s.output, performance=taught))
            for s in segments
        )

    def feature(self, name: str) -> FeatureProfile | None:
        """Return the profile of a feature, ``None`` when the reference does not know it."""
        return next((feature for feature in self.features if feature.name == name), None)

    def median_or_mode(self, name: str) -> float | str | None:
        """Return what stands in for a missing value: the median of a number, the mode of a category."""
        feature = self.feature(name)
        return None if feature is None else feature.fill

    def to_json(self) -> bytes:
        """Return the text of ``reference.json``: the same bytes for the same profile, one line an item."""
        return encode_document(self)


def _with_counts(
    features: tuple[FeatureProfile, ...], counts: tuple[tuple[int, ...], ...]
) -> tuple[FeatureProfile, ...]:
    return tuple(replace(feature, counts=mine) for feature, mine in zip(features, counts, strict=True))
