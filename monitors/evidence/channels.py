"""Channels: everything of a row that is watched, each counted into cells that were fitted on a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitors.evidence.answers import AnswerChannels
from monitors.evidence.channel import EXACT_VALUES, Cause, Channel
from monitors.evidence.grid import FEW_VALUES, Axis, Grid, category_axis, heap_axis, number_axis, rank_axis
from monitors.evidence.heaping import heap_groups
from monitors.evidence.joint import Components, fit_components, fitting_rows
from monitors.evidence.ranks import RANK_STEPS
from monitors.evidence.repeats import Repeats, RowMemory
from monitors.evidence.rows import TENSOR, Rows
from monitors.evidence.segmented import Segmented
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["Channels"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Channels:
    """All channels of a model.

    Parameters
    ----------
    features
        The contract's features.
    answers
        Channels of the answers.
    components
        Joint channels of the numeric features.
    axes
        Cells of each channel of all rows, in the order of ``listed``.
    repeats
        Which rows repeat an earlier one; ``None`` where every row counts.
    counts_once_c
        One flag for each of ``axes``: in which channels such rows do not count.
    heaped
        Numeric features that have a channel for heaping: those of many values.
    segmented
        Segments in which single channels are counted once more, behind all others.

    Notes
    -----
    Counts add up: those of any split of the rows, over batches, workers or hosts, are equal bit by bit to those of all
    rows at once. With repeats that is so for rows of one order, counted with one memory.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> schema = (FeatureSchema("age", "number", "float64"), FeatureSchema("pay", "number", "float64"))
    >>> channels = Channels.fit(Rows(rng.normal(size=(1000, 2))), schema)
    >>> [channel.name for channel in channels.listed]
    ['age', 'pay', 'component 1', 'component 2', 'distance', 'age, exact values', 'pay, exact values']
    >>> rows = rng.normal(size=(64, 2))
    >>> memory = RowMemory()
    >>> parts = channels.counts(Rows(rows[:7]), memory) + channels.counts(Rows(rows[7:]), memory)
    >>> bool((channels.counts(Rows(rows), RowMemory()) == parts).all())
    True
    """

    def __init__(
        self,
        features: Sequence[FeatureSchema],
        answers: AnswerChannels,
        components: Components | None,
        axes: Sequence[Axis],
        repeats: Repeats | None = None,
        counts_once_c: npt.NDArray[np.bool_] | None = None,
        heaped: Sequence[int] = (),
        segmented: Segmented | None = None,
    ) -> None:
        self.features = tuple(features)
        self.heaped = tuple(heaped)
        self.answers = answers
        self.components = components
        self.repeats = repeats
        self.segmented = segmented
        self.axes = tuple(axes)
        kinds = np.array([feature.kind == "number" for feature in features], dtype=np.bool_)
        self._numbers, self._categories = np.flatnonzero(kinds).tolist(), np.flatnonzero(~kinds).tolist()
        self._singles = np.flatnonzero([feature.dtype == "float32" for feature in features])
        whole = self._list()
        self._copied = np.array(segmented.copied(whole, features) if segmented else [], dtype=np.int64)
        copies = np.tile(self._copied, len(segmented.watched) if segmented else 0)
        self.whole_c = np.concatenate([np.arange(len(axes)), copies])
        self.grid = Grid(self.axes, 0 if repeats is None else 1, copies.tolist())
        self.listed = (*whole, *(segmented.listed(whole, features) if segmented else ()))
        once_c = np.zeros(len(axes), dtype=np.bool_) if counts_once_c is None else counts_once_c
        self.counts_once_c = once_c[self.whole_c]

    @classmethod
    def fit(
        cls,
        rows: Rows,
        features: Sequence[FeatureSchema],
        output: OutputSchema = TENSOR,
        *,
        segment: str | None = None,
    ) -> Channels:
        """Fit cells and components on reference rows.

        Parameters
        ----------
        rows
            Reference; answers are optional.
        features
            Features in the order of the columns.
        output
            What the version answers; without scores its channels are left out.
        segment
            Feature by whose values rows are told apart.

        Raises
        ------
        ValueError
            Without rows, with columns that do not fit the schema, or a segment's feature that is not among them.
        """
        if not len(rows):
            raise ValueError("a reference needs rows")
        scores_rk, labels_r = rows.answers()
        answered = scores_rk.shape[1] or rows.labels_n is not None
        answers = AnswerChannels.fit(output if answered else TENSOR, scores_rk, labels_r)
        numbers = [d for d, feature in enumerate(features) if feature.kind == "number"]
        fits_r = fitting_rows(len(rows))
        components = fit_components(rows.values_nd[fits_r][:, numbers]) if len(numbers) > 1 else None
        heaped = [d for d in numbers if _has_many_values(rows.values_nd[:, d])]
        unfitted = cls(features, answers, components, [], heaped=heaped)
        values_rc = unfitted.values(rows)
        joint_c = np.array([channel.is_joint for channel in unfitted.listed], dtype=np.bool_)
        values_rc[np.ix_(fits_r, joint_c)] = np.nan
        sizes = [len(features[d].categories) for d in unfitted._categories]
        first_group = values_rc.shape[1] - len(heaped) - len(answers.category_names)
        first_category, first_code = first_group - len(sizes), first_group + len(heaped)
        is_rank = [channel.cause == "confidence" for channel in unfitted.listed]
        slack_c = [answers.slack(scores_rk) * (channel.cause == "answers") for channel in unfitted.listed]
        axes = [
            rank_axis(RANK_STEPS) if is_rank[c] else number_axis(values_rc[:, c], slack_c[c])
            for c in range(first_category)
        ]
        axes += [category_axis(values_rc[:, first_category + i], size) for i, size in enumerate(sizes)]
        axes += [heap_axis()] * len(heaped)
        codes = [len(output.classes) if name == "class" else 2 for name in answers.category_names]
        axes += [category_axis(values_rc[:, first_code + i], size) for i, size in enumerate(codes)]
        fitted = cls(features, answers, components, axes, heaped=heaped)
        return fitted if segment is None else fitted._told_apart(rows, segment)

    def _told_apart(self, rows: Rows, segment: str) -> Channels:
        """Return the same channels, and those within the segments that a feature's values make in reference rows."""
        d = self._column(segment)
        values_r, codes = self._sent(rows.values_nd, d), len(self.features[d].categories)
        segmented = Segmented.fit(d, values_r, self._copies(), codes=codes)
        fitted = self.features, self.answers, self.components, self.axes
        return Channels(*fitted, heaped=self.heaped, segmented=segmented)

    def refusal_of_segments(self, rows: Rows, segment: str) -> str:
        """Say why a feature's values make no segments in reference rows: see ``Segmented.refusal``."""
        d = self._column(segment)
        values_r, codes = self._sent(rows.values_nd, d), len(self.features[d].categories)
        return Segmented.refusal(segment, values_r, self._copies(), codes=codes)

    def _column(self, segment: str) -> int:
        names = [feature.name for feature in self.features]
        if segment not in names:
            raise ValueError(f"no feature is called {segment!r}, by whose values the rows were to be told apart")
        return names.index(segment)

    def _copies(self) -> int:
        """Return how many channels each segment gets a copy of."""
        whole = [channel for channel in self.listed if channel.segment is None]
        return sum(channel.is_single and channel.cause != "broken" for channel in whole) - 1

    def values(self, rows: Rows) -> Floats:
        """Return the number or code of each row in each channel: (n, c) float64.

        Raises
        ------
        ValueError
            When the rows have other columns than the reference had.
        """
        scores_nk, labels_n = rows.answers()
        self._require_fit(rows.values_nd, scores_nk)
        values_nd = self._as_sent(rows.values_nd)
        numbers_nd = self._columns(values_nd, self._numbers)
        parts = [numbers_nd]
        if self.components is not None:
            parts.append(self.components.values(numbers_nd))
        answered_nc, codes_nc = self.answers.values(scores_nk, labels_n)
        parts += [answered_nc, self._columns(values_nd, self._categories)]
        parts += [heap_groups(self._columns(values_nd, self.heaped)), codes_nc]
        return np.concatenate(parts, axis=1)

    def _columns(self, values_nd: Floats, which: Sequence[int]) -> Floats:
        """Return some of the columns; all or none of them are not copied."""
        if len(which) == len(self.features):
            return values_nd
        return values_nd[:, which] if len(which) else values_nd[:, :0]

    def counting_once(self, repeats: Repeats, counts_once_c: npt.NDArray[np.bool_]) -> Channels:
        """Return the same channels, some of which count repeated rows once: a flag for each of ``axes``."""
        fitted = self.features, self.answers, self.components, self.axes
        return Channels(*fitted, repeats, counts_once_c, self.heaped, self.segmented)

    def counts(self, rows: Rows, memory: RowMemory) -> Ints:
        """Return how many rows fall into each cell of each channel: (c, width) int64.

        Parameters
        ----------
        rows
            Rows in the order in which they came.
        memory
            What the rows before them were, of the same source. It matters only where ``repeats`` is set.
        """
        return self.grid.tally(self._positions(rows, memory))

    def block_counts(self, rows: Rows, block: int, memory: RowMemory) -> Ints:
        """Return the counts of consecutive blocks of rows: (blocks, c, width) int64; a short end is left out."""
        blocks = len(rows) // block
        positions_nc = self._positions(rows, memory)[: blocks * block]
        return self.grid.tally_groups(positions_nc, np.repeat(np.arange(blocks), block), blocks)

    def group_counts(self, rows: Rows, group_n: Ints, groups: int, memory: RowMemory) -> Ints:
        """Return the counts of each group of rows: (groups, c, width) int64."""
        return self.grid.tally_groups(self._positions(rows, memory), group_n, groups)

    def cells(self, rows: Rows, memory: RowMemory) -> Ints:
        """Return the cell of each row in each of ``axes``: (n, axes) int64; that of repeated rows is the spare one."""
        return self._whole_positions(rows, memory) - np.arange(len(self.axes)) * self.grid.width

    def segments(self, rows: Rows) -> Ints:
        """Return the place of each row's segment among those with evidence, -1 without one: (n,) int64."""
        if self.segmented is None:
            return np.full(len(rows), -1, dtype=np.int64)
        return self.segmented.places(self._sent(rows.values_nd, self.segmented.column))

    def _positions(self, rows: Rows, memory: RowMemory) -> Ints:
        """Return the positions of the rows' cells in the flattened (channels, width) counts: (n, axes + copies of one).

        Of a row without a segment the copies' positions are beyond all counts.
        """
        positions_nc = self._whole_positions(rows, memory)
        if self.segmented is None:
            return positions_nc
        segment_n, own = self.segments(rows), len(self._copied)
        first_n = len(self.axes) + segment_n * own
        moved_nc = (first_n[:, None] + np.arange(own) - self._copied) * self.grid.width
        copied_nc = np.where(segment_n[:, None] < 0, self.grid.beyond, positions_nc[:, self._copied] + moved_nc)
        return np.concatenate([positions_nc, copied_nc], axis=1)

    def _whole_positions(self, rows: Rows, memory: RowMemory) -> Ints:
        positions_nc = self.grid.positions(self.values(rows))
        if self.repeats is None:
            return positions_nc
        is_new_n = memory.take(self._as_sent(rows.values_nd), self.repeats)
        spare_c = np.arange(1, len(self.axes) + 1) * self.grid.width - 1
        return np.where(is_new_n[:, None] | ~self.counts_once_c[: len(self.axes)], positions_nc, spare_c)

    def _require_fit(self, values_nd: Floats, scores_nk: Floats) -> None:
        if values_nd.ndim != 2 or values_nd.shape[1] != len(self.features):
            found = f"{values_nd.shape[1]} feature columns" if values_nd.ndim == 2 else f"{values_nd.ndim} dimensions"
            raise ValueError(f"{found}, the reference had {len(self.features)} feature columns")
        if self.answers.columns not in (None, scores_nk.shape[1]):
            raise ValueError(f"{scores_nk.shape[1]} score columns, the reference had {self.answers.columns}")

    def _as_sent(self, values_nd: Floats) -> Floats:
        """Return the values as their dtype holds them: 0.1 sent as a double and kept as a float32 is one value."""
        values_nd = np.asarray(values_nd, dtype=np.float64)
        if not len(self._singles):
            return values_nd
        with np.errstate(over="ignore"):
            if len(self._singles) == len(self.features):
                return values_nd.astype(np.float32).astype(np.float64)
            sent_nd = values_nd.copy()
            sent_nd[:, self._singles] = values_nd[:, self._singles].astype(np.float32)
        return sent_nd

    def _sent(self, values_nd: Floats, d: int) -> Floats:
        """Return the values of one feature as its dtype holds them."""
        values_n = np.asarray(values_nd[:, d], dtype=np.float64)
        if self.features[d].dtype != "float32":
            return values_n
        with np.errstate(over="ignore"):
            return values_n.astype(np.float32).astype(np.float64)

    def _list(self) -> tuple[Channel, ...]:
        listed = [Channel(self.features[d].name, "inputs") for d in self._numbers]
        if self.components is not None:
            listed += [Channel(name, "inputs", is_joint=True) for name in self.components.names]
        listed += [Channel(name, _CAUSES.get(name, "answers")) for name in self.answers.number_names]
        listed += [Channel(self.features[d].name, "inputs") for d in self._categories]
        listed += [Channel(f"{self.features[d].name}{EXACT_VALUES}", "inputs", is_heaping=True) for d in self.heaped]
        listed += [Channel(name, _CAUSES.get(name, "answers")) for name in self.answers.category_names]
        return tuple(listed)


def _has_many_values(values_r: Floats) -> bool:
    return len(np.unique(values_r[np.isfinite(values_r)])) > FEW_VALUES


_CAUSES: dict[str, Cause] = {
    "top-1": "confidence",
    "margin": "confidence",
    "entropy": "confidence",
    "broken": "broken",
}
