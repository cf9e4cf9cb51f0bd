"""Everything that one window of a stream says, computed once: features, answers, confidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from monitors.confidence import Confidence, assess_confidence
from monitors.effects import (
    FeatureEffects,
    Movement,
    feature_effects,
    share_differences,
    share_noise,
)
from monitors.performance import Performance, estimate_performance
from monitors.pit import Position, assess_position
from monitors.streams import Pool
from monitors.summary import Layout
from monitors.words import percent, shares_apart

__all__ = ["Assessment", "ClassShare", "Judged", "SegmentAssessment", "assess", "assess_segments"]

Ints = npt.NDArray[np.int64]

MOVED_ALONE, UNMOVED, SINGLE = 0.02, 0.5, 0.2
FEW_ROWS = 100
"""Rows below which the distance of a number's sixteen cells has a noise above 0.1, where 0.2 pages."""


@dataclass(frozen=True, slots=True)
class ClassShare:
    """Share of one class among the answers; ``before`` is ``None`` without a reference."""

    name: str
    count: int
    share: float
    before: float | None
    noise: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """Effects over one window of ``rows`` rows. ``value`` is a regression's answer, treated like a feature."""

    rows: int
    features: tuple[FeatureEffects, ...]
    classes: tuple[ClassShare, ...]
    value: FeatureEffects | None
    confidence: Confidence | None
    performance: Performance
    position: Position | None
    broken_rows: int

    def broken(self) -> Movement:
        """Return the share of broken answers; any is too many, so the sample size explains nothing."""
        share = self.broken_rows / max(1, self.rows)
        return Movement("answer", "broken", share, 0.0, "broken 0 %", f"broken {percent(share)}")

    def prediction_movements(self) -> tuple[Movement, ...]:
        """Return how the answers moved: one movement a class, or one of a regression's value."""
        if self.value is not None:
            moved = self.value.moved()
            return () if moved is None else (moved,)
        return tuple(_class_movement(share) for share in self.classes if share.before is not None)

    def confidence_movements(self) -> tuple[Movement, ...]:
        """Return how the dependence of the answers on the inputs moved."""
        if self.position is not None:
            return (self.position.narrowed(),)
        found = (self.confidence.collapsed(), self.confidence.saturates()) if self.confidence else ()
        return tuple(movement for movement in found if movement is not None)

    def collapse(self) -> float:
        """Return the part of the collapse that a benign shift of the inputs does not explain; all of it without one.

        Such a shift explains that other classes are answered, and a narrower range of a regression's values.
        """
        if self.position is not None:
            return 0.0 if self.shifted_benignly() else self.position.narrowed().excess
        if self.confidence is None:
            return 0.0
        index = self.confidence.beyond_mix if self.shifted_benignly() else self.confidence.collapse_index
        return index or 0.0

    def shifted_benignly(self) -> bool:
        """Whether values of the inputs moved while no more of them than before are missing or unseen.

        One that moved beyond a tolerance is enough. A change of the mix may also move each of many inputs a little:
        then their effects come near their noise, of which unchanged inputs reach 0.4 on average, and a single one 0.7
        in one window of ten.
        """
        faults = [movement for feature in self.features for movement in (feature.vanished(), feature.strayed())]
        if any(fault.excess >= MOVED_ALONE for fault in faults):
            return False
        moved = [m for feature in self.features if (m := feature.moved()) is not None]
        near = [movement.effect / movement.noise for movement in moved if movement.noise]
        together = sum(near) / len(near) >= UNMOVED + SINGLE / len(near) ** 0.5 if near else False
        return together or any(movement.excess >= MOVED_ALONE for movement in moved)

    def expected_faults(self) -> dict[tuple[str, str], float]:
        """Return the shares of missing and unseen values that the reference has itself."""
        found = {(feature.name, "missing"): feature.missing_before for feature in self.features}
        return found | {(feature.name, "unseen"): feature.unseen_before for feature in self.features}


@dataclass(frozen=True, eq=False)
class Judged:
    """The last window of a stream that held enough rows, and what it says."""

    assessment: Assessment
    pool: Pool

    @cached_property
    def segments(self) -> tuple[SegmentAssessment, ...]:
        """What each segment says, computed when it is first asked for."""
        return assess_segments(self.pool.layout, self.pool.cells)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentAssessment:
    """Effects of one segment over a window, against its own rows of the reference."""

    name: str
    share: float
    share_before: float
    rows_before: int
    assessment: Assessment

    @property
    def has_few_rows(self) -> bool:
        """Whether it has so few rows that their noise alone is half of what would page: only large changes show."""
        return self.assessment.rows < FEW_ROWS

    def moved(self) -> tuple[Movement, ...]:
        """Return what moved, the furthest first, as far as the sample size does not explain it."""
        found = [m for f in self.assessment.features for m in (f.moved(), f.vanished(), f.strayed()) if m is not None]
        found += self.assessment.prediction_movements()
        return tuple(sorted((m for m in found if m.excess > 0.0), key=lambda m: m.excess, reverse=True))


def assess_segments(layout: Layout, cells: Ints) -> tuple[SegmentAssessment, ...]:
    """Compare each segment of a window with the same segment of the reference; none without a segmentation.

    Notes
    -----
    Cost: that of ``assess``, for each segment that has rows.
    """
    segmentation = layout.profile.segmentation if layout.profile else None
    if segmentation is None:
        return ()
    column = [schema.name for schema in layout.features].index(segmentation.split.feature)
    names = segmentation.split.names(layout.feature_cells[column])
    parts = [layout.of_segment(cells, code) for code in range(len(layout.segments))]
    rows = [int(part[: layout.channels[0].size].sum()) for part in parts]
    total, total_before = max(1, sum(rows)), max(1, sum(each.rows for each in segmentation.segments))
    return tuple(
        SegmentAssessment(name, n / total, before.rows / total_before, before.rows, assess(mine, part, n))
        for name, n, before, mine, part in zip(names, rows, segmentation.segments, layout.segments, parts, strict=True)
    )


def assess(layout: Layout, cells: Ints, rows: int) -> Assessment:
    """Compare the pooled cells of a window with the stream's reference.

    Parameters
    ----------
    layout
        Layout of the summaries.
    cells : (c,) int64
        Their sum.
    rows
        Rows of the window.
    """
    features = tuple(
        feature_effects(schema.name, inner, layout.part(cells, f"feature/{schema.name}"), layout.reference(schema))
        for schema, inner in zip(layout.features, layout.feature_cells, strict=True)
    )
    value = None
    if layout.has("value"):
        reference = layout.profile.output.value if layout.profile else None
        value = feature_effects("value", layout.value_cells, layout.part(cells, "value"), reference)
    broken = int(layout.part(cells, "broken")[0])
    confidence, performance = assess_confidence(layout, cells, rows), estimate_performance(layout, cells)
    return Assessment(
        rows, features, _class_shares(layout, cells), value, confidence, performance, assess_position(value), broken
    )


def _class_shares(layout: Layout, cells: Ints) -> tuple[ClassShare, ...]:
    if not layout.has("class"):
        return ()
    counts = layout.part(cells, "class")[:-1]
    shares = counts / max(1, counts.sum())
    reference = (
        np.array(layout.profile.output.class_counts, dtype=np.int64) if layout.profile else np.zeros_like(counts)
    )
    if not reference.sum():
        zipped = zip(layout.output.classes, counts.tolist(), shares.tolist(), strict=True)
        return tuple(ClassShare(name, count, share, None, 0.0) for name, count, share in zipped)
    before = (shares - share_differences(reference, counts)).tolist()
    rows, reference_rows = int(counts.sum()), int(reference.sum())
    return tuple(
        ClassShare(name, int(counts[i]), float(shares[i]), before[i], share_noise(before[i], rows, reference_rows))
        for i, name in enumerate(layout.output.classes)
    )


def _class_movement(share: ClassShare) -> Movement:
    before = share.before or 0.0
    words = (f"share {told}" for told in shares_apart(before, share.share))
    return Movement(f"class {share.name}", "share", abs(share.share - before), share.noise, *words)
