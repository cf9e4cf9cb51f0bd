"""The fitted part as text: what a bundle carries, so that a restart or another host counts into the same cells.

Numbers are written so that they are read back exactly; the table is made again from the reference counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.answers import CONFIDENCE_FIGURES, AnswerChannels
from monitors.evidence.channels import Channels
from monitors.evidence.heaping import GROUPS
from monitors.evidence.joint import SMALLEST_SCALE, Components
from monitors.evidence.model import EvidenceModel
from monitors.evidence.ranks import RANK_STEPS, ClassRanks
from monitors.evidence.repeats import Repeats
from monitors.evidence.segmented import MOST_COPIES, Segmented
from monitors.evidence.table import Allowance
from monitors.evidence.written_axis import WrittenAxis, WrittenCopy, check_axis, read_axis, write_axis
from monitors.records import FeatureSchema, OutputSchema
from monitors.segments import MAXIMUM_SEGMENTS
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

__all__ = ["Described", "describe_text", "described", "read_model", "write_model"]

LARGEST_WEIGHT = 2.0**20
"""Bound of joint channels: what they add up stays whole."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Components:
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    constant: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    shown: tuple[int, ...]
    with_distance: bool


@dataclass(frozen=True, slots=True)
class _Segments:
    by: Segmented
    channels: tuple[WrittenCopy, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    schema_version: Literal[1]
    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    probabilities: tuple[int, ...]
    ranks: tuple[tuple[tuple[float, ...], ...], ...] | None
    components: _Components | None
    axes: tuple[WrittenAxis, ...]
    allowance: Allowance
    repeats: Repeats | None = None
    heaped: tuple[int, ...] = ()
    segments: _Segments | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """What a text says of itself: the contract that its rows had, and how many were counted."""

    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """A text that fits together, short of the table, which takes nearly all of the time."""

    channels: Channels
    counts_cb: Ints
    phi_c: Floats
    allowance: Allowance
    every_cb: Ints | None = None


def described(model: EvidenceModel) -> Described:
    """Return the same of a model at hand."""
    channels, rows = model.channels, int(model.counts_cb.sum(axis=1).max(initial=0))
    return Described(channels.features, channels.answers.output, rows)


def write_model(model: EvidenceModel) -> bytes:
    """Return the text of a model: the same bytes for the same model."""
    channels = model.channels
    every_cb = model.counts_cb if model.every_row_cb is None else model.every_row_cb
    every_cb = np.where(channels.counts_once_c[:, None], every_cb, -1)
    written = zip(channels.grid.axes, model.counts_cb, every_cb, model.phi_c.tolist(), strict=True)
    written_c = [write_axis(*parts) for parts in written]
    axes, copies = tuple(written_c[: len(channels.axes)]), written_c[len(channels.axes) :]
    by = channels.segmented
    segments = _Segments(by, tuple(WrittenCopy(c.counts, c.phi, c.every_row) for c in copies)) if by else None
    components = None if channels.components is None else _write_components(channels.components)
    answers = channels.answers
    ranks = None if answers.ranks is None else answers.ranks.edges_kem.tolist()
    return encode_document(
        _Document(
            schema_version=1,
            features=channels.features,
            output=answers.output,
            probabilities=answers.probabilities,
            ranks=ranks,
            components=components,
            axes=axes,
            allowance=model.allowance,
            repeats=channels.repeats,
            heaped=channels.heaped,
            segments=segments,
        )
    )


def read_model(text: bytes) -> EvidenceModel:
    """Return the model of a text.

    Raises
    ------
    DocumentRefused
        For text that is no such document, or one whose parts do not fit together.
    """
    parts = _read(_decoded(text))
    return EvidenceModel(parts.channels, parts.counts_cb, parts.phi_c, parts.allowance, parts.every_cb)


def describe_text(text: bytes) -> Described:
    """Check a text as ``read_model`` does, without the table of its bets: 10 ms at 30 features, not a second.

    Raises
    ------
    DocumentRefused
        As for ``read_model``.
    """
    document = _decoded(text)
    parts = _read(document)
    return Described(document.features, document.output, int(parts.counts_cb.sum(axis=1).max(initial=0)))


def _decoded(text: bytes) -> _Document:
    try:
        return decode_document(text, _Document)
    except DocumentRefused as exc:
        if exc.where != "$.schema_version":
            raise
        what = "expected 1, all that this release reads: fit anew, or use the release that wrote it"
        raise DocumentRefused(exc.where, what) from exc


def _read(document: _Document) -> _Parts:
    for i, axis in enumerate(document.axes):
        check_axis(axis, f"$.axes[{i}]")
    if document.components is not None:
        _check_components(document.components)
    if any(not 0 <= k < len(document.output.classes) for k in document.probabilities):
        raise DocumentRefused("$.probabilities", "not among the classes")
    if document.repeats is not None:
        _check_repeats(document.repeats, len(document.features))
    _check_heaped(document)
    by = None if document.segments is None else document.segments.by
    if by is not None:
        _check_segments(by, document.features)
    if document.segments is not None and len(document.segments.channels) > MOST_COPIES:
        found = len(document.segments.channels)
        raise DocumentRefused("$.segments.channels", f"expected at most {MOST_COPIES}, found {found}")
    channels = Channels(
        document.features,
        AnswerChannels(document.output, document.probabilities, _read_ranks(document)),
        None if document.components is None else _read_components(document.components),
        [read_axis(axis) for axis in document.axes],
        heaped=document.heaped,
        segmented=by,
    )
    whole = sum(channel.segment is None for channel in channels.listed)
    if whole != len(document.axes):
        raise DocumentRefused("$.axes", f"expected {whole} channels, found {len(document.axes)}")
    counted = [*document.axes, *_copied_axes(document, channels)]
    if document.repeats is not None:
        once_c = np.array([bool(axis.every_row) for axis in document.axes])
        channels = channels.counting_once(document.repeats, once_c)
    counts_cb = _read_counts(channels, [axis.counts for axis in counted])
    phi_c = np.array([axis.phi for axis in counted])
    if document.repeats is None:
        return _Parts(channels, counts_cb, phi_c, document.allowance)
    every_cb = _read_counts(channels, [axis.every_row or axis.counts for axis in counted])
    counts_cb[:, -1] = every_cb.sum(axis=1) - counts_cb.sum(axis=1)
    return _Parts(channels, counts_cb, phi_c, document.allowance, every_cb)


def _copied_axes(document: _Document, channels: Channels) -> list[WrittenAxis]:
    """Return the channels within segments, with the cells of the whole."""
    found, whole_c = document.segments.channels if document.segments else (), channels.whole_c[len(document.axes) :]
    if len(found) != len(whole_c):
        raise DocumentRefused("$.segments.channels", f"expected {len(whole_c)}, found {len(found)}")
    axes = [
        replace(document.axes[c], counts=copy.counts, phi=copy.phi, every_row=copy.every_row)
        for c, copy in zip(whole_c.tolist(), found, strict=True)
    ]
    for i, axis in enumerate(axes):
        check_axis(axis, f"$.segments.channels[{i}]")
    return axes


def _read_counts(channels: Channels, found: Sequence[Sequence[int]]) -> Ints:
    counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
    for counts_b, counts in zip(counts_cb, found, strict=True):
        counts_b[: len(counts)] = counts
    return counts_cb


def _check_heaped(document: _Document) -> None:
    kinds = [feature.kind for feature in document.features]
    if any(not 0 <= d < len(kinds) or kinds[d] != "number" for d in document.heaped):
        raise DocumentRefused("$.heaped", "not among the numbers")
    groups = [axis for axis in document.axes if axis.is_heaping]
    if len(groups) != len(document.heaped) or any(axis.inner != GROUPS for axis in groups):
        raise DocumentRefused("$.heaped", f"expected an axis of {GROUPS} groups for each")


def _check_segments(by: Segmented, features: Sequence[FeatureSchema]) -> None:
    if not 0 <= by.column < len(features):
        raise DocumentRefused("$.segments.by.column", "not among the features")
    codes = range(len(features[by.column].categories))
    values = set(by.values) & set(map(float, codes)) if codes else {v for v in by.values if math.isfinite(v)}
    if not 0 < len(values) == len(by.values) <= MAXIMUM_SEGMENTS:
        raise DocumentRefused("$.segments.by.values", f"expected at most {MAXIMUM_SEGMENTS} values, each one once")
    if not by.watched or sorted({s for s in by.watched if 0 <= s <= len(values)}) != list(by.watched):
        raise DocumentRefused("$.segments.by.watched", "expected places of segments, rising")


def _read_ranks(document: _Document) -> ClassRanks | None:
    if document.ranks is None:
        return None
    shapes = {(len(edges), *sorted({len(row) for row in edges})) for edges in document.ranks}
    if len(document.ranks) != len(document.output.classes) or shapes != {(RANK_STEPS, CONFIDENCE_FIGURES)}:
        raise DocumentRefused("$.ranks", "expected edges of each class and figure")
    return ClassRanks(np.array(document.ranks, dtype=np.float64))


def _write_components(found: Components) -> _Components:
    """Write a constant feature's infinite scale as 1 and its place: JSON has no infinity."""
    constant = np.flatnonzero(np.isinf(found.scale_d))
    scale_d = np.where(np.isinf(found.scale_d), 1.0, found.scale_d)
    weights = tuple(tuple(row) for row in found.weights_dp.tolist())
    shown = tuple(found.shown.tolist())
    centre, scale = tuple(found.centre_d.tolist()), tuple(scale_d.tolist())
    return _Components(centre, scale, tuple(constant.tolist()), weights, shown, found.with_distance)


def _read_components(found: _Components) -> Components:
    scale_d = np.array(found.scale, dtype=np.float64)
    scale_d[list(found.constant)] = np.inf
    weights_dp = np.array(found.weights, dtype=np.float64)
    shown = np.array(found.shown, dtype=np.int64)
    return Components(np.array(found.centre, dtype=np.float64), scale_d, weights_dp, shown, found.with_distance)


def _check_components(found: _Components) -> None:
    widths = {len(row) for row in found.weights}
    same = len(found.centre) == len(found.scale) == len(found.weights) and len(widths) == 1
    places = all(0 <= d < len(found.centre) for d in found.constant)
    if (
        not same
        or not places
        or not all(0 <= p < min(widths) for p in found.shown)
        or min(found.scale) < SMALLEST_SCALE
    ):
        raise DocumentRefused("$.components", "centre, scale and weights do not fit together")
    if any(abs(weight) > LARGEST_WEIGHT or weight % 1.0 for row in found.weights for weight in row):
        raise DocumentRefused("$.components.weights", f"expected whole numbers of at most {LARGEST_WEIGHT:g}")


def _check_repeats(repeats: Repeats, features: int) -> None:
    if not repeats.columns or any(not 0 <= d < features for d in repeats.columns):
        raise DocumentRefused("$.repeats.columns", "not among the features")
    if repeats.window < 1 or repeats.longest < 0:
        raise DocumentRefused("$.repeats", "a window has rows, and nothing is shorter than none")
