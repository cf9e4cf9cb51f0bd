"""The reference profile of a version: what its inputs and answers looked like where it was accepted.

A profile is text (``reference.json``), made once from a table, and holds counts only: no row of the table can be read
back from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells, Precision, cells_for, round_to
from monitors.labelled import PerformanceProfile, fit_performance
from monitors.mix import ClassConfidence, by_answered_class
from monitors.outputs import (
    HISTOGRAM_CELLS,
    SATURATED,
    Confidences,
    confidences,
    entropy_nats,
    histogram_index,
    is_distribution,
)
from monitors.records import FeatureKind, FeatureSchema, OutputKind, OutputSchema
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

__all__ = [
    "QUANTILES",
    "ConfidenceProfile",
    "FeatureProfile",
    "OutputProfile",
    "ProfileInvalid",
    "ReferenceProfile",
    "build_profile",
    "from_json",
]

QUANTILES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
MAXIMUM_CELLS = 4096
MAXIMUM_FEATURES = 100_000
MAXIMUM_COUNT = 2**53
"""Bounds of a profile that is read: cells inside the frame of one feature, features, rows in one cell."""

Floats = npt.NDArray[np.float64]


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
class ReferenceProfile:
    """Profile of one version over ``rows`` reference rows."""

    schema_version: Literal[1]
    rows: int
    features: tuple[FeatureProfile, ...]
    output: OutputProfile

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


def build_profile(
    features: Sequence[FeatureSchema],
    output: OutputSchema,
    values_nd: Floats,
    labels_n: npt.NDArray[np.integer],
    scores_nk: Floats,
    *,
    truths_n: npt.NDArray[np.integer] | None = None,
) -> ReferenceProfile:
    """Make the profile of a version from reference rows and its answers to them.

    Parameters
    ----------
    features
        The contract's features, in the order of the columns of ``values_nd``.
    output
        What the version answers.
    values_nd : (n, d) float64
        Raw features; NaN is missing, a category is its code.
    labels_n : (n,) int
        Index of the answered class, -1 for none.
    scores_nk : (n, k) float64
        Probabilities, or the regression's value as one column; k may be 0.
    truths_n : (n,) int
        Index of the true class, -1 where it is not known; only for a classification.

    Raises
    ------
    ValueError
        When the shapes do not fit each other, or there are labels for another output than classes.

    Examples
    --------
    >>> profile = build_profile([FeatureSchema("age", "number", "int64")], OutputSchema("regression"),
    ...                         np.array([[30.0], [40.0], [40.0]]), np.full(3, -1), np.array([[1.0], [2.0], [3.0]]))
    >>> profile.features[0].counts, profile.median_or_mode("age")
    ((0, 1, 2, 0, 0, 0), 40.0)
    """
    _require_shapes(features, output, values_nd, labels_n, scores_nk)
    columns = [_profile_feature(schema, values_nd[:, i]) for i, schema in enumerate(features)]
    answers = _profile_output(output, labels_n, scores_nk)
    if truths_n is not None:
        answers = replace(answers, performance=_performance(output, labels_n, scores_nk, truths_n))
    return ReferenceProfile(1, len(values_nd), tuple(columns), answers)


def from_json(text: bytes) -> ReferenceProfile:
    """Read a profile, trusting nothing.

    Raises
    ------
    ProfileInvalid
        Naming the place in the document and what is wrong with it.
    """
    try:
        profile = decode_document(text, ReferenceProfile)
    except DocumentRefused as exc:
        raise ProfileInvalid(exc.where, exc.what) from exc
    _check_profile(profile)
    return profile


def _require_shapes(
    features: Sequence[FeatureSchema],
    output: OutputSchema,
    values_nd: Floats,
    labels_n: npt.NDArray[np.integer],
    scores_nk: Floats,
) -> None:
    if values_nd.ndim != 2 or values_nd.shape[1] != len(features):
        raise ValueError(f"values_nd has shape {values_nd.shape}, expected (n, {len(features)})")
    rows = len(values_nd)
    if labels_n.shape != (rows,) or scores_nk.ndim != 2 or len(scores_nk) != rows:
        raise ValueError(f"{rows} rows of values, labels of shape {labels_n.shape}, scores of shape {scores_nk.shape}")
    columns = {"classification": (0, len(output.classes)), "regression": (1,), "tensor": (0,)}[output.kind]
    if scores_nk.shape[1] not in columns:
        raise ValueError(f"scores have {scores_nk.shape[1]} columns, expected {' or '.join(map(str, columns))}")


def _precision(dtype: str) -> Precision:
    return dtype if dtype in ("float16", "float32") else "float64"  # type: ignore[return-value]  # narrowed by the test


def _profile_feature(schema: FeatureSchema, values_n: Floats) -> FeatureProfile:
    if schema.kind == "number":
        return _profile_number(schema.name, values_n, _precision(schema.dtype))
    cells = Cells("categories", categories=schema.categories) if schema.categories else Cells("any")
    counts = cells.count(values_n)
    inner = counts[1 : 1 + cells.inner]
    mode = schema.categories[int(inner.argmax())] if schema.categories and inner.any() else None
    return FeatureProfile(schema.name, "category", cells, tuple(counts.tolist()), (), mode, mode)


def _profile_number(name: str, values_n: Floats, precision: Precision) -> FeatureProfile:
    cells = cells_for(values_n, precision)
    counts = tuple(cells.count(values_n).tolist())
    finite_n = round_to(precision, values_n[np.isfinite(values_n)])
    if not len(finite_n):
        return FeatureProfile(name, "number", cells, counts)
    quantiles = np.quantile(finite_n, QUANTILES, method="lower").tolist()
    distinct, occurrences = np.unique(finite_n, return_counts=True)
    mode = float(distinct[int(occurrences.argmax())])
    return FeatureProfile(name, "number", cells, counts, tuple(quantiles), mode, quantiles[QUANTILES.index(0.50)])


def _profile_output(output: OutputSchema, labels_n: npt.NDArray[np.integer], scores_nk: Floats) -> OutputProfile:
    if output.kind == "regression":
        return OutputProfile("regression", value=_profile_number("value", scores_nk[:, 0], "float32"))
    if output.kind == "tensor":
        return OutputProfile("tensor")
    known_n = labels_n[(labels_n >= 0) & (labels_n < len(output.classes))]
    counts = np.bincount(known_n, minlength=len(output.classes)).tolist()
    usable_n = is_distribution(scores_nk)
    confidence = _profile_confidence(scores_nk[usable_n], labels_n[usable_n]) if scores_nk.shape[1] else None
    return OutputProfile("classification", output.classes, tuple(counts), confidence)


def _performance(
    output: OutputSchema, labels_n: npt.NDArray[np.integer], scores_nk: Floats, truths_n: npt.NDArray[np.integer]
) -> PerformanceProfile | None:
    """Learn from the rows that have a label, an answered class, and probabilities where the version gives them."""
    if output.kind != "classification" or truths_n.shape != labels_n.shape:
        raise ValueError(f"labels of shape {truths_n.shape} for {len(labels_n)} answers of kind {output.kind}")
    classes = len(output.classes)
    usable_n = (truths_n >= 0) & (truths_n < classes) & (labels_n >= 0) & (labels_n < classes)
    confidence: Confidences | None = None
    if scores_nk.shape[1]:
        usable_n &= is_distribution(scores_nk)
        confidence = confidences(scores_nk[usable_n])
    return fit_performance(classes, labels_n[usable_n], truths_n[usable_n], confidence)


def _profile_confidence(scores_nk: Floats, labels_n: npt.NDArray[np.integer]) -> ConfidenceProfile | None:
    if not len(scores_nk):
        return None
    rows = confidences(scores_nk)
    mean_k = scores_nk.mean(axis=0)
    entropy = float(rows.entropy_n.mean())
    return ConfidenceProfile(
        rows=len(scores_nk),
        top1_counts=_histogram(rows.top1_n),
        margin_counts=_histogram(rows.margin_n),
        entropy_nats=entropy,
        probabilities=tuple(mean_k.tolist()),
        information_nats=max(0.0, entropy_nats(mean_k) - entropy),
        saturated_ratio=float((rows.top1_n > SATURATED).mean()),
        by_class=by_answered_class(labels_n, rows, scores_nk),
    )


def _histogram(ratios_n: Floats) -> tuple[int, ...]:
    return tuple(np.bincount(histogram_index(ratios_n), minlength=HISTOGRAM_CELLS).tolist())


def _check_profile(profile: ReferenceProfile) -> None:
    _check_count(profile.rows, "$.rows")
    if len(profile.features) > MAXIMUM_FEATURES:
        raise ProfileInvalid("$.features", f"expected at most {MAXIMUM_FEATURES}, found {len(profile.features)}")
    names = [feature.name for feature in profile.features]
    if len(set(names)) != len(names):
        raise ProfileInvalid("$.features", "two features have the same name")
    for i, feature in enumerate(profile.features):
        _check_feature(feature, profile.rows, f"$.features[{i}] ({feature.name})")
    _check_output(profile.output, profile.rows)


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
