"""From rows to the additive tick summary.

A ``Layout`` names the cells of a stream's summaries; ``summarise`` counts rows into them; ``merge`` adds. Every cell is
an integer and every real contribution is rounded row by row, so a summary does not depend on how its rows were split
over batches, workers or hosts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monitors.cell_grid import CellGrid
from monitors.cells import Cells
from monitors.labelled import CertaintyProfile
from monitors.outputs import HISTOGRAM_CELLS, SATURATED, confidences, histogram_index, is_distribution
from monitors.records import BROKEN_FLAG, FeatureSchema, Observation, OutputSchema, StreamInfo, TickSummary
from monitors.reference import FeatureProfile, ProfileInvalid, ReferenceProfile
from monitors.segments import Split

__all__ = ["FIXED_POINT", "FLAG_BITS", "Channel", "Layout", "ObservationInvalid", "merge", "summarise", "to_fixed"]

FIXED_POINT = 1 << 20
"""Real contributions are kept in units of 2^-20, rounded row by row."""

FLAG_BITS = 5

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


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
    segments
        Layouts of the reference's segments, each with the channels of the whole.
    channels
        ``feature/<name>`` for each feature, then ``flags``, ``broken``; for a classifier ``class`` (the last cell is
        "no class"), ``scored``, ``top1``, ``margin``, ``saturated``, ``entropy``, ``probabilities``, and with a
        labelled reference ``certainty``, ``surer`` (below the threshold of entropy, at it); for a regressor ``value``.
    digest
        Identity of all of this.

    Notes
    -----
    With segments the cells of each follow, in order, on those of the whole.
    """

    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    profile: ReferenceProfile | None
    feature_cells: tuple[Cells, ...]
    value_cells: Cells
    channels: tuple[Channel, ...]
    digest: str
    segments: tuple[Layout, ...] = ()
    _places: dict[str, Channel] = field(init=False, repr=False, compare=False)
    _grid: CellGrid = field(init=False, repr=False, compare=False)
    _starts_d: Ints = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", {channel.name: channel for channel in self.channels})
        object.__setattr__(self, "_grid", CellGrid(self.feature_cells))
        starts = [channel.start for channel in self.channels[: len(self.features)]]
        object.__setattr__(self, "_starts_d", np.array(starts, dtype=np.int64))

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
        split = profile.segmentation.split if profile and profile.segmentation else None
        digest = _digest(channels, (*cells, value_cells), certainty, split)
        segments = tuple(cls.of(info, each) for each in profile.of_segments()) if profile else ()
        return cls(info.features, info.output, profile, cells, value_cells, channels, digest, segments)

    @property
    def width(self) -> int:
        """Number of cells of the whole, and of each segment."""
        return self.channels[-1].start + self.channels[-1].size

    @property
    def size(self) -> int:
        """Number of cells of a summary."""
        return self.width * (1 + len(self.segments))

    def of_segment(self, cells: Ints, code: int) -> Ints:
        """Return the cells of one segment, which are read by its own layout."""
        return cells[self.width * (1 + code) : self.width * (2 + code)]

    @property
    def certainty(self) -> CertaintyProfile | None:
        """What a labelled reference says of certainty."""
        performance = self.profile.output.performance if self.profile else None
        return performance.certainty if performance else None

    def has(self, name: str) -> bool:
        """Whether there is such a channel."""
        return name in self._places

    def start(self, name: str) -> int:
        """Return where a channel begins."""
        return self._places[name].start

    def positions(self, values_nd: Floats) -> Ints:
        """Return the place of the cell of each value: (n, d) int64."""
        return self._grid.index(values_nd) + self._starts_d

    def part(self, cells: Ints, name: str) -> Ints:
        """Return the cells of one channel."""
        channel = self._places[name]
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
    contributions = _contributions(layout, observation)
    summaries = {}
    for start in np.unique(starts_n).tolist():
        rows_n = starts_n == start
        cells = contributions.cells(layout, rows_n)
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


def _digest(
    channels: tuple[Channel, ...],
    cells: tuple[Cells, ...],
    certainty: CertaintyProfile | None,
    split: Split | None,
) -> str:
    document: list[object] = [[[c.name, c.start, c.size] for c in channels], [asdict(c) for c in cells]]
    if certainty is not None:
        document += [certainty.points, certainty.entropy_steps]
    if split is not None:
        document.append(asdict(split))
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


@dataclass(frozen=True, slots=True, eq=False)
class _Contributions:
    """What each row adds to which cell of the whole: one, or an amount in fixed point.

    ``rows_m`` and ``places_m`` say row and cell of each count, ``amounts`` give for a cell its rows and what they add.
    """

    segments_n: Ints
    rows_m: Ints
    places_m: Ints
    amounts: list[tuple[int, Ints, Ints]]

    def cells(self, layout: Layout, chosen_n: Flags) -> Ints:
        """Add up the chosen rows, those of each segment apart, and the whole as their sum."""
        segments, width = max(1, len(layout.segments)), layout.width
        mine_m = chosen_n[self.rows_m]
        flat_m = self.segments_n[self.rows_m[mine_m]] * width + self.places_m[mine_m]
        cells_sc = np.bincount(flat_m, minlength=segments * width).reshape(segments, width)
        for place, rows_k, amounts_k in self.amounts:
            mine_k = chosen_n[rows_k]
            # Sums of integers below 2^53 are exact in a double.
            sums_s = np.bincount(self.segments_n[rows_k[mine_k]], weights=amounts_k[mine_k], minlength=segments)
            cells_sc[:, place] += sums_s.astype(np.int64)
        return cells_sc[0] if not layout.segments else np.concatenate([cells_sc.sum(axis=0), cells_sc.ravel()])


def _contributions(layout: Layout, observation: Observation) -> _Contributions:
    places_nc = layout.positions(observation.values_nd)
    rows_n = np.arange(len(places_nc))
    counts = [(np.repeat(rows_n, places_nc.shape[1]), places_nc.ravel())]
    flags_n = observation.flags_n.astype(np.int64)
    flagged, bits = np.nonzero(flags_n[:, None] >> np.arange(FLAG_BITS) & 1)
    counts.append((flagged, layout.start("flags") + bits))
    usable_n = _usable(layout, observation.scores_nk) & (flags_n & BROKEN_FLAG == 0)
    counts.append(_at(rows_n[~usable_n], layout.start("broken")))
    amounts: list[tuple[int, Ints, Ints]] = []
    usable = rows_n[usable_n]
    if layout.output.kind == "classification":
        counts.append((usable, layout.start("class") + _classes(layout, observation.labels_n[usable])))
        more, amounts = _confidence(layout, usable, observation.scores_nk[usable])
        counts += more
    if layout.output.kind == "regression":
        counts.append((usable, layout.start("value") + layout.value_cells.index(observation.scores_nk[usable, 0])))
    rows_m, places_m = (np.concatenate(parts) for parts in zip(*counts, strict=True))
    return _Contributions(_segments(layout, places_nc), rows_m, places_m, amounts)


def _at(rows: Ints, place: int) -> tuple[Ints, Ints]:
    return rows, np.full(len(rows), place, dtype=np.int64)


def _segments(layout: Layout, places_nc: Ints) -> Ints:
    """Return the segment of each row; all are of the first where rows are not told apart."""
    segmentation = layout.profile.segmentation if layout.profile else None
    if segmentation is None:
        return np.zeros(len(places_nc), dtype=np.int64)
    column = [schema.name for schema in layout.features].index(segmentation.split.feature)
    index_n = places_nc[:, column] - layout.channels[column].start
    return segmentation.split.codes(layout.feature_cells[column], index_n)


def _usable(layout: Layout, scores_nk: Floats) -> Flags:
    if layout.output.kind == "classification" and scores_nk.shape[1]:
        return is_distribution(scores_nk)
    return np.asarray(np.isfinite(scores_nk).all(axis=1))


def _classes(layout: Layout, labels_n: npt.NDArray[np.int32]) -> Ints:
    classes = len(layout.output.classes)
    return np.where((labels_n >= 0) & (labels_n < classes), labels_n, classes).astype(np.int64)


def _confidence(
    layout: Layout, usable: Ints, scores_nk: Floats
) -> tuple[list[tuple[Ints, Ints]], list[tuple[int, Ints, Ints]]]:
    """Return the counts and amounts of the usable rows' probabilities."""
    if not scores_nk.size:
        return [], []
    found = confidences(scores_nk)
    counts = [
        _at(usable, layout.start("scored")),
        (usable, layout.start("top1") + histogram_index(found.top1_n)),
        (usable, layout.start("margin") + histogram_index(found.margin_n)),
        _at(usable[found.top1_n > SATURATED], layout.start("saturated")),
    ]
    if layout.certainty is not None:
        surer_n, equally_n = layout.certainty.surer(found.entropy_n)
        counts += [
            (usable, layout.start("certainty") + layout.certainty.cells(found.top1_n)),
            _at(usable[surer_n], layout.start("surer")),
            _at(usable[equally_n], layout.start("surer") + 1),
        ]
    amounts = [(layout.start("entropy"), usable, to_fixed(found.entropy_n))]
    start, fixed_nk = layout.start("probabilities"), to_fixed(scores_nk)
    amounts += [(start + k, usable, fixed_nk[:, k]) for k in range(fixed_nk.shape[1])]
    return counts, amounts
