"""From rows to the additive tick summary.

A ``Layout`` names the cells of a stream's summaries; ``summarise`` counts rows into them; ``merge`` adds. Every cell is
an integer and every real contribution is rounded row by row, so a summary does not depend on how its rows were split
over batches, workers or hosts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells
from monitors.labelled import CertaintyProfile
from monitors.outputs import HISTOGRAM_CELLS, SATURATED, confidences, histogram_index, is_distribution
from monitors.records import BROKEN_FLAG, FeatureSchema, Observation, OutputSchema, StreamInfo, TickSummary
from monitors.reference import FeatureProfile, ProfileInvalid, ReferenceProfile

__all__ = ["FIXED_POINT", "FLAG_BITS", "Channel", "Layout", "ObservationInvalid", "merge", "summarise", "to_fixed"]

FIXED_POINT = 1 << 20
"""Real contributions are kept in units of 2^-20, rounded row by row."""

FLAG_BITS = 5

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ObservationInvalid(ValueError):
    """An observation whose shapes do not fit the stream's layout."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A named range of cells. New channels are appended; nothing else of the record changes."""

    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The cells of a stream's summaries, in order, and what they mean.

    Parameters
    ----------
    features, output
        What the stream's observations hold.
    profile
        The reference, ``None`` for a version without one: its features are then only present, missing or unseen.
    feature_cells
        Cells of each feature.
    value_cells
        Cells of a regression's value.
    channels
        ``feature/<name>`` for each feature, then ``flags``, ``broken``; for a classifier ``class`` (the last cell is
        "no class"), ``scored``, ``top1``, ``margin``, ``saturated``, ``entropy``, ``probabilities``, and with a
        labelled reference ``certainty``, ``surer`` (below the threshold of entropy, at it); for a regressor ``value``.
    digest
        Identity of all of this.
    """

    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    profile: ReferenceProfile | None
    feature_cells: tuple[Cells, ...]
    value_cells: Cells
    channels: tuple[Channel, ...]
    digest: str

    @classmethod
    def of(cls, info: StreamInfo, profile: ReferenceProfile | None) -> Layout:
        """Return the layout of a version's streams.

        Raises
        ------
        ProfileInvalid
            When the profile is of another contract.
        """
        cells = tuple(_cells_of(schema, profile) for schema in info.features)
        value = profile.output.value if profile else None
        value_cells = value.cells if value else Cells("any")
        if profile and profile.output.classes != info.output.classes:
            raise ProfileInvalid("$.output.classes", f"expected {list(info.output.classes)} as in the contract")
        certainty = profile.output.performance.certainty if profile and profile.output.performance else None
        channels = _channels(info, cells, value_cells, certainty)
        digest = _digest(channels, (*cells, value_cells), certainty)
        return cls(info.features, info.output, profile, cells, value_cells, channels, digest)

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.channels[-1].start + self.channels[-1].size

    @property
    def certainty(self) -> CertaintyProfile | None:
        """What a labelled reference says of certainty."""
        performance = self.profile.output.performance if self.profile else None
        return performance.certainty if performance else None

    def has(self, name: str) -> bool:
        """Whether there is such a channel."""
        return any(channel.name == name for channel in self.channels)

    def start(self, name: str) -> int:
        """Return where a channel begins."""
        return next(channel.start for channel in self.channels if channel.name == name)

    def part(self, cells: Ints, name: str) -> Ints:
        """Return the cells of one channel."""
        channel = next(channel for channel in self.channels if channel.name == name)
        return cells[channel.start : channel.start + channel.size]

    def reference(self, feature: FeatureSchema) -> FeatureProfile | None:
        """Return the reference of a feature."""
        return self.profile.feature(feature.name) if self.profile else None


def to_fixed(values: Floats) -> Ints:
    """Return real contributions in fixed point."""
    return np.rint(values * FIXED_POINT).astype(np.int64)


def summarise(layout: Layout, observation: Observation, tick_ms: int) -> dict[int, TickSummary]:
    """Count the rows of an observation into summaries, one for each tick that they fall into.

    Parameters
    ----------
    layout
        Layout of the observation's version.
    observation
        Answered rows.
    tick_ms
        Length of a tick.

    Returns
    -------
    dict
        Start of the tick in Unix milliseconds to its summary.

    Raises
    ------
    ObservationInvalid
        When the observation does not fit the layout.

    Notes
    -----
    Cost: O(n d log B) time, O(n d) scratch memory.
    """
    _require_fit(layout, observation)
    starts_n = np.floor(observation.answered_at_n * 1000.0).astype(np.int64) // tick_ms * tick_ms
    positions_nc = _positions(layout, observation)
    summaries = {}
    for start in np.unique(starts_n).tolist():
        rows_n = starts_n == start
        cells = np.bincount(positions_nc[rows_n].ravel(), minlength=layout.size)
        _add_outputs(layout, cells, observation, rows_n)
        summaries[start] = TickSummary(observation.key, start, tick_ms, layout.digest, int(rows_n.sum()), cells)
    return summaries


def merge(a: TickSummary, b: TickSummary) -> TickSummary:
    """Add two summaries of the same stream and tick.

    Raises
    ------
    ValueError
        When stream, tick or layout differ.
    """
    if (a.key, a.tick_start_ms, a.tick_ms, a.layout_digest) != (b.key, b.tick_start_ms, b.tick_ms, b.layout_digest):
        raise ValueError("summaries of different streams, ticks or layouts cannot be merged")
    return replace(a, rows=a.rows + b.rows, cells=a.cells + b.cells)


def _cells_of(schema: FeatureSchema, profile: ReferenceProfile | None) -> Cells:
    reference = profile.feature(schema.name) if profile else None
    if reference is None:
        return Cells("any") if schema.kind == "number" or not schema.categories else _codes(schema)
    if reference.kind != schema.kind or reference.cells.categories != schema.categories:
        raise ProfileInvalid(f"$.features ({schema.name})", "kind or categories are not those of the contract")
    return reference.cells


def _codes(schema: FeatureSchema) -> Cells:
    return Cells("categories", categories=schema.categories)


def _channels(
    info: StreamInfo, cells: tuple[Cells, ...], value_cells: Cells, certainty: CertaintyProfile | None
) -> tuple[Channel, ...]:
    sizes = [(f"feature/{schema.name}", c.size) for schema, c in zip(info.features, cells, strict=True)]
    sizes += [("flags", FLAG_BITS), ("broken", 1)]
    classes = len(info.output.classes)
    if info.output.kind == "classification":
        sizes += [("class", classes + 1), ("scored", 1), ("top1", HISTOGRAM_CELLS), ("margin", HISTOGRAM_CELLS)]
        sizes += [("saturated", 1), ("entropy", 1), ("probabilities", classes)]
    if certainty is not None:
        sizes += [("certainty", len(certainty.counts)), ("surer", 2)]
    if info.output.kind == "regression":
        sizes += [("value", value_cells.size)]
    starts = np.cumsum([0, *(size for _, size in sizes)]).tolist()
    return tuple(Channel(name, start, size) for (name, size), start in zip(sizes, starts, strict=False))


def _digest(channels: tuple[Channel, ...], cells: tuple[Cells, ...], certainty: CertaintyProfile | None) -> str:
    document: list[object] = [[[c.name, c.start, c.size] for c in channels], [asdict(c) for c in cells]]
    if certainty is not None:
        document += [certainty.points, certainty.entropy_steps]
    return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()[:32]


def _require_fit(layout: Layout, observation: Observation) -> None:
    rows, columns = observation.values_nd.shape
    if columns != len(layout.features):
        raise ObservationInvalid(f"{columns} feature columns, the layout has {len(layout.features)}")
    allowed = {"classification": {0, len(layout.output.classes)}, "regression": {1}, "tensor": {0}}[layout.output.kind]
    if observation.scores_nk.shape[1] not in allowed:
        raise ObservationInvalid(f"{observation.scores_nk.shape[1]} score columns, the layout allows {sorted(allowed)}")
    if len(observation.answered_at_n) != rows or not np.isfinite(observation.answered_at_n).all():
        raise ObservationInvalid("answer times must be finite, one for each row")


def _positions(layout: Layout, observation: Observation) -> Ints:
    """Return, for each row and feature, the cell that it adds one to."""
    positions = np.empty(observation.values_nd.shape, dtype=np.int64)
    for i, cells in enumerate(layout.feature_cells):
        positions[:, i] = layout.channels[i].start + cells.index(observation.values_nd[:, i])
    return positions


def _add_outputs(layout: Layout, cells: Ints, observation: Observation, rows_n: npt.NDArray[np.bool_]) -> None:
    flags_n = observation.flags_n[rows_n].astype(np.int64)
    layout.part(cells, "flags")[:] = [(flags_n >> bit & 1).sum() for bit in range(FLAG_BITS)]
    scores_nk = observation.scores_nk[rows_n]
    usable_n = _usable(layout, scores_nk) & (flags_n & BROKEN_FLAG == 0)
    layout.part(cells, "broken")[0] = len(usable_n) - usable_n.sum()
    if layout.output.kind == "classification":
        _add_classes(layout, cells, observation.labels_n[rows_n][usable_n])
        _add_confidence(layout, cells, scores_nk[usable_n])
    if layout.output.kind == "regression":
        layout.part(cells, "value")[:] = layout.value_cells.count(scores_nk[usable_n, 0])


def _usable(layout: Layout, scores_nk: Floats) -> npt.NDArray[np.bool_]:
    if layout.output.kind == "classification" and scores_nk.shape[1]:
        return is_distribution(scores_nk)
    return np.asarray(np.isfinite(scores_nk).all(axis=1))


def _add_classes(layout: Layout, cells: Ints, labels_n: npt.NDArray[np.int32]) -> None:
    classes = len(layout.output.classes)
    known_n = np.where((labels_n >= 0) & (labels_n < classes), labels_n, classes)
    layout.part(cells, "class")[:] = np.bincount(known_n, minlength=classes + 1)


def _add_confidence(layout: Layout, cells: Ints, scores_nk: Floats) -> None:
    if not scores_nk.size:
        return
    rows = confidences(scores_nk)
    layout.part(cells, "scored")[0] = len(scores_nk)
    layout.part(cells, "top1")[:] = np.bincount(histogram_index(rows.top1_n), minlength=HISTOGRAM_CELLS)
    layout.part(cells, "margin")[:] = np.bincount(histogram_index(rows.margin_n), minlength=HISTOGRAM_CELLS)
    layout.part(cells, "saturated")[0] = (rows.top1_n > SATURATED).sum()
    layout.part(cells, "entropy")[0] = to_fixed(rows.entropy_n).sum()
    layout.part(cells, "probabilities")[:] = to_fixed(scores_nk).sum(axis=0)
    if layout.certainty is not None:
        layout.part(cells, "certainty")[:] = np.bincount(
            layout.certainty.cells(rows.top1_n), minlength=len(layout.certainty.counts)
        )
        layout.part(cells, "surer")[:] = layout.certainty.surer(rows.entropy_n)
