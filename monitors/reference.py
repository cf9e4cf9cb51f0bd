"""The reference profile of a version: what its inputs and answers looked like where it was accepted, made and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells, Precision, cells_for, round_to
from monitors.labelled import PerformanceProfile, fit_performance
from monitors.mix import by_answered_class
from monitors.outputs import (
    HISTOGRAM_CELLS,
    SATURATED,
    Confidences,
    confidences,
    entropy_nats,
    histogram_index,
    is_distribution,
)
from monitors.profile import (
    QUANTILES,
    ConfidenceProfile,
    FeatureProfile,
    OutputProfile,
    ProfileInvalid,
    ReferenceProfile,
    Segmentation,
    SegmentProfile,
)
from monitors.profile_check import check_profile
from monitors.records import FeatureSchema, OutputSchema, StreamInfo
from monitors.segments import split_of
from monitors.transport.documents import DocumentRefused, decode_document

__all__ = [
    "QUANTILES",
    "ConfidenceProfile",
    "FeatureProfile",
    "OutputProfile",
    "ProfileInvalid",
    "ReferenceProfile",
    "build_profile",
    "from_json",
    "segment_of",
]

Floats = npt.NDArray[np.float64]


def build_profile(
    features: Sequence[FeatureSchema],
    output: OutputSchema,
    values_nd: Floats,
    labels_n: npt.NDArray[np.integer],
    scores_nk: Floats,
    *,
    truths_n: npt.NDArray[np.integer] | None = None,
    segment: str | None = None,
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
    segment
        Feature whose values tell the rows apart.

    Raises
    ------
    ValueError
        When the shapes do not fit each other, there are labels for another output than classes, or the feature of the
        segments is none or has no single values.

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
    profile = ReferenceProfile(1, len(values_nd), tuple(columns), answers)
    return replace(profile, segmentation=_segment(profile, segment, output, values_nd, labels_n, scores_nk))


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
    check_profile(profile)
    return profile


def segment_of(info: StreamInfo) -> str | None:
    """Return the feature by which a version's rows are told apart, ``None`` without one or without a usable profile."""
    try:
        segmentation = from_json(info.reference).segmentation if info.reference else None
    except ProfileInvalid:
        return None
    return None if segmentation is None else segmentation.split.feature


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


def _segment(
    profile: ReferenceProfile,
    name: str | None,
    output: OutputSchema,
    values_nd: Floats,
    labels_n: npt.NDArray[np.integer],
    scores_nk: Floats,
) -> Segmentation | None:
    if name is None:
        return None
    names = [feature.name for feature in profile.features]
    if name not in names:
        raise ValueError(f"no feature is called {name!r}, by whose values the rows were to be told apart")
    column = names.index(name)
    cells = profile.features[column].cells
    split = split_of(name, cells, np.array(profile.features[column].counts))
    codes_n = split.codes(cells, cells.index(values_nd[:, column]))
    segments = []
    for code in range(len(split.cells) + 1):
        mine_n = codes_n == code
        counts = [f.cells.count(values_nd[mine_n, i]) for i, f in enumerate(profile.features)]
        answers = _segment_output(profile.output, output, labels_n[mine_n], scores_nk[mine_n])
        rows = int(mine_n.sum())
        segments.append(SegmentProfile(rows, tuple(tuple(each.tolist()) for each in counts), answers))
    return Segmentation(split, tuple(segments))


def _segment_output(
    whole: OutputProfile, output: OutputSchema, labels_n: npt.NDArray[np.integer], scores_nk: Floats
) -> OutputProfile:
    """Return the answers of a segment, on the cells of the whole reference."""
    if whole.value is not None:
        counts = tuple(whole.value.cells.count(scores_nk[:, 0]).tolist())
        return OutputProfile("regression", value=FeatureProfile("value", "number", whole.value.cells, counts))
    return _profile_output(output, labels_n, scores_nk)


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
