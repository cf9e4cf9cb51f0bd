"""The fitted part as text: what a bundle carries, so that a restart or another host counts into the same cells.

Numbers are written so that they are read back exactly; the table is made again from the reference counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.answers import CONFIDENCE_FIGURES, AnswerChannels
from monitors.evidence.channels import Channels
from monitors.evidence.dependence import BLOCK_ROWS
from monitors.evidence.grid import FRAME_CELLS, Axis
from monitors.evidence.heaping import GROUPS
from monitors.evidence.joint import SMALLEST_SCALE, Components
from monitors.evidence.model import EvidenceModel
from monitors.evidence.ranks import RANK_STEPS, ClassRanks
from monitors.evidence.repeats import Repeats
from monitors.evidence.table import Allowance
from monitors.records import FeatureSchema, OutputSchema
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

__all__ = ["Described", "describe_text", "described", "read_model", "write_model"]

MOST_CELLS = 64
"""Most inner cells of a channel; fitting makes at most 24. The table takes time that grows faster than their number."""
MOST_COUNTED = 2**53
"""Largest count: whole in a double, and its sums over a channel's cells do not overflow."""

LARGEST_DEPENDENCE = 2.0 * BLOCK_ROWS[-1]
"""Blocks of rows that are all alike show no more. A larger one would leave a channel without any bet that grows."""
LARGEST_WEIGHT = 2.0**20
"""Bound of joint channels: what they add up stays whole."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Axis:
    edges: tuple[float, ...]
    cells: tuple[int, ...]
    counts: tuple[int, ...]
    inner: int
    is_ordered: bool
    is_category: bool
    phi: float
    every_row: tuple[int, ...] = ()
    is_heaping: bool = False


@dataclass(frozen=True, slots=True)
class _Components:
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    constant: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    shown: tuple[int, ...]
    with_distance: bool


@dataclass(frozen=True, slots=True)
class _Document:
    schema_version: Literal[1]
    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    probabilities: tuple[int, ...]
    ranks: tuple[tuple[tuple[float, ...], ...], ...] | None
    components: _Components | None
    axes: tuple[_Axis, ...]
    allowance: Allowance
    repeats: Repeats | None = None
    heaped: tuple[int, ...] = ()


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
    axes = tuple(_write_axis(*parts) for parts in written)
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
        _check_axis(axis, f"$.axes[{i}]")
    if document.components is not None:
        _check_components(document.components)
    if any(not 0 <= k < len(document.output.classes) for k in document.probabilities):
        raise DocumentRefused("$.probabilities", "not among the classes")
    if document.repeats is not None:
        _check_repeats(document.repeats, len(document.features))
    _check_heaped(document)
    channels = Channels(
        document.features,
        AnswerChannels(document.output, document.probabilities, _read_ranks(document)),
        None if document.components is None else _read_components(document.components),
        [_read_axis(axis) for axis in document.axes],
        heaped=document.heaped,
    )
    if len(channels.listed) != len(document.axes):
        raise DocumentRefused("$.axes", f"expected {len(channels.listed)} channels, found {len(document.axes)}")
    if document.repeats is not None:
        once_c = np.array([bool(axis.every_row) for axis in document.axes])
        channels = channels.counting_once(document.repeats, once_c)
    counts_cb = _read_counts(channels, [axis.counts for axis in document.axes])
    phi_c = np.array([axis.phi for axis in document.axes])
    if document.repeats is None:
        return _Parts(channels, counts_cb, phi_c, document.allowance)
    every_cb = _read_counts(channels, [axis.every_row or axis.counts for axis in document.axes])
    counts_cb[:, -1] = every_cb.sum(axis=1) - counts_cb.sum(axis=1)
    return _Parts(channels, counts_cb, phi_c, document.allowance, every_cb)


def _read_counts(channels: Channels, found: Sequence[Sequence[int]]) -> Ints:
    counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
    for counts_b, counts in zip(counts_cb, found, strict=True):
        counts_b[: len(counts)] = counts
    return counts_cb


def _write_axis(axis: Axis, counts_b: Ints, every_b: Ints, phi: float) -> _Axis:
    edges, cells = tuple(axis.edges.tolist()), tuple(axis.cells.tolist())
    counts, every_row = tuple(counts_b[: axis.size].tolist()), tuple(every_b[: axis.size].tolist())
    every_row = every_row if min(every_row) >= 0 else ()
    kind = axis.is_ordered, axis.is_category
    return _Axis(edges, cells, counts, axis.inner, *kind, phi, every_row, axis.is_heaping)


def _read_axis(axis: _Axis) -> Axis:
    cells = np.array(axis.cells, dtype=np.int64)
    kind = axis.is_ordered, axis.is_category, axis.is_heaping
    return Axis(np.array(axis.edges, dtype=np.float64), cells, axis.inner, *kind)


def _check_axis(axis: _Axis, where: str) -> None:
    if axis.inner > MOST_CELLS:
        raise DocumentRefused(where, f"expected at most {MOST_CELLS} inner cells, found {axis.inner}")
    size = axis.inner + FRAME_CELLS
    rising = all(low < high for low, high in zip(axis.edges, axis.edges[1:], strict=False))
    steps = len(axis.edges) + 1
    if axis.inner < 0 or not rising or len(axis.cells) != steps or not all(0 <= cell < size for cell in axis.cells):
        raise DocumentRefused(where, "edges rise, and every step has a cell")
    if len(axis.counts) != size or any(count < 0 for count in axis.counts):
        raise DocumentRefused(where, f"expected {size} counts")
    if not 1 <= axis.phi <= LARGEST_DEPENDENCE:
        raise DocumentRefused(where, f"expected a dependence from 1 to {LARGEST_DEPENDENCE:g}, found {axis.phi:g}")
    if sum(axis.counts) > MOST_COUNTED or sum(axis.every_row) > MOST_COUNTED:
        raise DocumentRefused(where, f"expected at most {MOST_COUNTED} counted rows")
    if axis.every_row and (len(axis.every_row) != size or min(axis.every_row) < 0):
        raise DocumentRefused(where, f"expected {size} counts of every row, or none")


def _check_heaped(document: _Document) -> None:
    kinds = [feature.kind for feature in document.features]
    if any(not 0 <= d < len(kinds) or kinds[d] != "number" for d in document.heaped):
        raise DocumentRefused("$.heaped", "not among the numbers")
    groups = [axis for axis in document.axes if axis.is_heaping]
    if len(groups) != len(document.heaped) or any(axis.inner != GROUPS for axis in groups):
        raise DocumentRefused("$.heaped", f"expected an axis of {GROUPS} groups for each")


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
