"""The fitted part as text: what a bundle carries, so that a restart or another host counts into the same cells.

Numbers are written so that they are read back exactly; the table is made again from the reference counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.answers import CONFIDENCE_FIGURES, AnswerChannels
from monitors.evidence.channels import Channels
from monitors.evidence.grid import FRAME_CELLS, Axis
from monitors.evidence.joint import Components
from monitors.evidence.model import EvidenceModel
from monitors.evidence.ranks import RANK_STEPS, ClassRanks
from monitors.evidence.table import Allowance
from monitors.records import FeatureSchema, OutputSchema
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

__all__ = ["read_model", "write_model"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Axis:
    edges: tuple[float, ...]
    cells: tuple[int, ...]
    counts: tuple[int, ...]
    inner: int
    is_ordered: bool
    is_category: bool
    phi: float


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


def write_model(model: EvidenceModel) -> bytes:
    """Return the text of a model: the same bytes for the same model."""
    channels = model.channels
    axes = tuple(
        _write_axis(axis, counts_b, phi)
        for axis, counts_b, phi in zip(channels.grid.axes, model.counts_cb, model.phi_c.tolist(), strict=True)
    )
    components = None if channels.components is None else _write_components(channels.components)
    answers = channels.answers
    ranks = None if answers.ranks is None else answers.ranks.edges_kem.tolist()
    return encode_document(
        _Document(1, channels.features, answers.output, answers.probabilities, ranks, components, axes, model.allowance)
    )


def read_model(text: bytes) -> EvidenceModel:
    """Return the model of a text.

    Raises
    ------
    DocumentRefused
        For text that is no such document, or one whose parts do not fit together.
    """
    document = decode_document(text, _Document)
    for i, axis in enumerate(document.axes):
        _check_axis(axis, f"$.axes[{i}]")
    if document.components is not None:
        _check_components(document.components)
    if any(not 0 <= k < len(document.output.classes) for k in document.probabilities):
        raise DocumentRefused("$.probabilities", "not among the classes")
    channels = Channels(
        document.features,
        AnswerChannels(document.output, document.probabilities, _read_ranks(document)),
        None if document.components is None else _read_components(document.components),
        [_read_axis(axis) for axis in document.axes],
    )
    if len(channels.listed) != len(document.axes):
        raise DocumentRefused("$.axes", f"expected {len(channels.listed)} channels, found {len(document.axes)}")
    counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
    for counts_b, axis in zip(counts_cb, document.axes, strict=True):
        counts_b[: len(axis.counts)] = axis.counts
    return EvidenceModel(channels, counts_cb, np.array([axis.phi for axis in document.axes]), document.allowance)


def _write_axis(axis: Axis, counts_b: npt.NDArray[np.int64], phi: float) -> _Axis:
    cells, counts = tuple(axis.cells.tolist()), tuple(counts_b[: axis.size].tolist())
    return _Axis(tuple(axis.edges.tolist()), cells, counts, axis.inner, axis.is_ordered, axis.is_category, phi)


def _read_axis(axis: _Axis) -> Axis:
    cells = np.array(axis.cells, dtype=np.int64)
    return Axis(np.array(axis.edges, dtype=np.float64), cells, axis.inner, axis.is_ordered, axis.is_category)


def _check_axis(axis: _Axis, where: str) -> None:
    size = axis.inner + FRAME_CELLS
    rising = all(low < high for low, high in zip(axis.edges, axis.edges[1:], strict=False))
    steps = len(axis.edges) + 1
    if axis.inner < 0 or not rising or len(axis.cells) != steps or not all(0 <= cell < size for cell in axis.cells):
        raise DocumentRefused(where, "edges rise, and every step has a cell")
    if len(axis.counts) != size or any(count < 0 for count in axis.counts) or axis.phi < 1:
        raise DocumentRefused(where, f"expected {size} counts and a dependence of at least 1")


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
    if not same or not places or not all(0 <= p < min(widths) for p in found.shown) or min(found.scale) <= 0:
        raise DocumentRefused("$.components", "centre, scale and weights do not fit together")
