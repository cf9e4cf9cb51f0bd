"""What a profile that is read must be: bounded, finite, and counts that add up. It may come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from monitors.labelled import PerformanceProfile
from monitors.mix import ClassConfidence
from monitors.outputs import HISTOGRAM_CELLS
from monitors.profile import (
    QUANTILES,
    ConfidenceProfile,
    FeatureProfile,
    OutputProfile,
    ProfileInvalid,
    ReferenceProfile,
    Segmentation,
)
from monitors.segments import MAXIMUM_SEGMENTS

__all__ = ["check_profile"]

MAXIMUM_CELLS = 4096
MAXIMUM_FEATURES = 100_000
MAXIMUM_COUNT = 2**53
"""Bounds: cells inside the frame of one feature, features, rows in one cell."""


def check_profile(profile: ReferenceProfile) -> None:
    """Raise ``ProfileInvalid``, naming the place, for a profile whose parts do not fit each other."""
    _check_count(profile.rows, "$.rows")
    if len(profile.features) > MAXIMUM_FEATURES:
        raise ProfileInvalid("$.features", f"expected at most {MAXIMUM_FEATURES}, found {len(profile.features)}")
    names = [feature.name for feature in profile.features]
    if len(set(names)) != len(names):
        raise ProfileInvalid("$.features", "two features have the same name")
    for i, feature in enumerate(profile.features):
        _check_feature(feature, profile.rows, f"$.features[{i}] ({feature.name})")
    _check_output(profile.output, profile.rows)
    if profile.segmentation is not None:
        _check_segmentation(profile, profile.segmentation)


def _check_segmentation(profile: ReferenceProfile, found: Segmentation) -> None:
    where, split = "$.segmentation", found.split
    feature = profile.feature(split.feature)
    if feature is None:
        raise ProfileInvalid(f"{where}.split.feature", f"no feature is called {split.feature!r}")
    known = all(1 <= cell <= feature.cells.inner for cell in split.cells)
    if not known or not 1 <= len(set(split.cells)) == len(split.cells) <= MAXIMUM_SEGMENTS:
        raise ProfileInvalid(f"{where}.split.cells", f"expected 1 to {MAXIMUM_SEGMENTS} different cells of the feature")
    if len(found.segments) != len(split.cells) + 1 or sum(each.rows for each in found.segments) != profile.rows:
        raise ProfileInvalid(f"{where}.segments", f"expected {len(split.cells) + 1} that share {profile.rows} rows")
    for i, segment in enumerate(found.segments):
        here = f"{where}.segments[{i}]"
        if len(segment.counts) != len(profile.features) or segment.rows < 0:
            raise ProfileInvalid(here, f"expected counts of {len(profile.features)} features")
        for counts, each in zip(segment.counts, profile.features, strict=True):
            _check_counts(counts, each.cells.size, f"{here}.counts", segment.rows)
        _check_segment_output(segment.output, profile.output, f"{here}.output")
        _check_output(segment.output, segment.rows)


def _check_segment_output(output: OutputProfile, whole: OutputProfile, where: str) -> None:
    if (output.kind, output.classes, output.performance) != (whole.kind, whole.classes, None):
        raise ProfileInvalid(where, "expected kind and classes of the whole reference, and no performance")
    cells, cells_of_whole = (each.value.cells if each.value else None for each in (output, whole))
    if cells != cells_of_whole:
        raise ProfileInvalid(f"{where}.value", "expected the cells of the whole reference")


def _check_feature(feature: FeatureProfile, rows: int, where: str) -> None:
    _check_cells(feature, f"{where}.cells")
    _check_counts(feature.counts, feature.cells.size, f"{where}.counts", rows)
    if len(feature.quantiles) not in (0, len(QUANTILES)):
        raise ProfileInvalid(f"{where}.quantiles", f"expected {len(QUANTILES)} numbers, found {len(feature.quantiles)}")
    numbers = [value for value in (feature.mode, feature.fill) if isinstance(value, float)]
    _check_finite((*feature.quantiles, *numbers), where)


def _check_cells(feature: FeatureProfile, where: str) -> None:
    cells = feature.cells
    kinds = {"number": ("quantiles", "values", "any"), "category": ("categories", "any")}[feature.kind]
    if cells.kind not in kinds:
        raise ProfileInvalid(f"{where}.kind", f"expected {' or '.join(kinds)} for a {feature.kind}, found {cells.kind}")
    if bool(cells.categories) != (cells.kind == "categories"):
        raise ProfileInvalid(f"{where}.categories", f"do not fit cells of kind {cells.kind}")
    least = {"quantiles": 2, "values": 1}.get(cells.kind, 0)
    if len(cells.points) < least or any(low >= high for low, high in pairwise(cells.points)):
        raise ProfileInvalid(f"{where}.points", f"expected at least {least} strictly rising numbers")
    _check_finite(cells.points, f"{where}.points")
    if max(len(cells.points), cells.inner) > MAXIMUM_CELLS:
        raise ProfileInvalid(where, f"expected at most {MAXIMUM_CELLS} cells, found {cells.inner}")


def _check_output(output: OutputProfile, rows: int) -> None:
    _check_counts(output.class_counts, len(output.classes), "$.output.class_counts")
    if sum(output.class_counts) > rows:
        raise ProfileInvalid("$.output.class_counts", f"expected at most {rows} answers in all, as there are rows")
    if output.kind == "regression" and output.value is None:
        raise ProfileInvalid("$.output.value", "expected the value's cells of a regressor, found none")
    if output.value is not None:
        _check_feature(output.value, rows, "$.output.value")
    if output.confidence is not None:
        _check_confidence(output.confidence, len(output.classes), rows)
    if output.performance is not None:
        _check_performance(output.performance, output, rows)


def _check_confidence(confidence: ConfidenceProfile, classes: int, rows: int) -> None:
    where = "$.output.confidence"
    if not 0 <= confidence.rows <= rows:
        raise ProfileInvalid(f"{where}.rows", f"expected 0 to {rows}, found {confidence.rows}")
    _check_counts(confidence.top1_counts, HISTOGRAM_CELLS, f"{where}.top1_counts", confidence.rows)
    _check_counts(confidence.margin_counts, HISTOGRAM_CELLS, f"{where}.margin_counts", confidence.rows)
    if len(confidence.probabilities) != classes:
        raise ProfileInvalid(f"{where}.probabilities", f"expected {classes} numbers")
    means = (confidence.entropy_nats, confidence.information_nats, confidence.saturated_ratio)
    _check_finite((*confidence.probabilities, *means), where)
    if confidence.by_class and len(confidence.by_class) != classes:
        raise ProfileInvalid(f"{where}.by_class", f"expected {classes} classes, found {len(confidence.by_class)}")
    for i, known in enumerate(confidence.by_class):
        _check_class(known, classes, f"{where}.by_class[{i}]", confidence.rows)


def _check_class(known: ClassConfidence, classes: int, where: str, rows: int) -> None:
    if not 0 <= known.rows <= rows or len(known.probabilities) != classes:
        raise ProfileInvalid(where, f"expected 0 to {rows} rows and {classes} probabilities")
    _check_shares((known.margin, known.saturated_ratio), where)
    _check_finite((*known.probabilities, known.entropy_nats), where)


def _check_performance(found: PerformanceProfile, output: OutputProfile, rows: int) -> None:
    where, classes = "$.output.performance", len(output.classes)
    if output.kind != "classification" or not 1 <= found.rows <= rows:
        raise ProfileInvalid(where, f"expected labels of 1 to {rows} rows of a classification, found {found.rows}")
    _check_shares((found.accuracy,), f"{where}.accuracy")
    if found.confusion and len(found.confusion) != classes:
        raise ProfileInvalid(f"{where}.confusion", f"expected {classes} rows, found {len(found.confusion)}")
    for counts in found.confusion:
        _check_counts(counts, classes, f"{where}.confusion")
    if found.confusion and sum(map(sum, found.confusion)) != found.rows:
        raise ProfileInvalid(f"{where}.confusion", f"expected counts that add up to {found.rows} rows")
    if found.certainty is not None:
        _check_certainty(found, f"{where}.certainty")


def _check_certainty(found: PerformanceProfile, where: str) -> None:
    certainty = found.certainty
    assert certainty is not None
    points = certainty.points
    if len(points) > MAXIMUM_CELLS or any(low >= high for low, high in pairwise(points)):
        raise ProfileInvalid(f"{where}.points", f"expected at most {MAXIMUM_CELLS} strictly rising numbers")
    _check_finite(points, f"{where}.points")
    _check_counts(certainty.counts, len(points) + 1, f"{where}.counts", found.rows)
    if len(certainty.right) != len(points) + 1:
        raise ProfileInvalid(f"{where}.right", f"expected {len(points) + 1} shares, found {len(certainty.right)}")
    _check_shares((*certainty.right, certainty.tie), where)
    _check_count(certainty.entropy_steps, f"{where}.entropy_steps")


def _check_shares(shares: Sequence[float], where: str) -> None:
    if not all(0.0 <= share <= 1.0 for share in shares):
        raise ProfileInvalid(where, "expected shares from 0 to 1")


def _check_counts(counts: tuple[int, ...], size: int, where: str, rows: int | None = None) -> None:
    """Check the number of counts, each of them, and their sum where each row must be in one of them."""
    if len(counts) != size:
        raise ProfileInvalid(where, f"expected {size} counts, found {len(counts)}")
    for count in counts:
        _check_count(count, where)
    if rows is not None and sum(counts) != rows:
        raise ProfileInvalid(where, f"expected counts that add up to {rows} rows, found {sum(counts)}")


def _check_count(count: int, where: str) -> None:
    if not 0 <= count <= MAXIMUM_COUNT:
        raise ProfileInvalid(where, "expected counts from 0 to 2^53")


def _check_finite(numbers: Sequence[float], where: str) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise ProfileInvalid(where, "expected finite numbers")
