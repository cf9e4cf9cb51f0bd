"""Channels: everything of a row that is watched, each counted into cells that were fitted on a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.answers import AnswerChannels
from monitors.evidence.grid import FEW_VALUES, Axis, Grid, category_axis, heap_axis, number_axis, rank_axis
from monitors.evidence.heaping import heap_groups
from monitors.evidence.joint import Components, fit_components, fitting_rows
from monitors.evidence.ranks import RANK_STEPS
from monitors.evidence.repeats import Repeats, RowMemory
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["EXACT_VALUES", "TENSOR", "Cause", "Channel", "Channels", "Rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Cause = Literal["inputs", "answers", "confidence", "broken"]

TENSOR = OutputSchema("tensor")
EXACT_VALUES = ", exact values"
"""What the name of a feature's heaping channel ends in."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: its name, the cause it speaks for, whether it is a joint one, or about heaping of a feature."""

    name: str
    cause: Cause
    is_joint: bool = False
    is_heaping: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A block of rows and, where there are any, their answers.

    Parameters
    ----------
    values_nd : (n, d) float64
        Raw features; NaN is missing, a category is its code, -1 where the contract does not list it.
    scores_nk : (n, k) float64
        Probabilities, a regression's value, or no column.
    labels_n : (n,) integers
        Answered class; left out, it is the largest probability.
    """

    values_nd: Floats
    scores_nk: Floats | None = None
    labels_n: npt.NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.values_nd)

    def part(self, start: int, stop: int) -> Rows:
        """Return some of the rows."""
        scores_nk = None if self.scores_nk is None else self.scores_nk[start:stop]
        labels_n = None if self.labels_n is None else self.labels_n[start:stop]
        return Rows(self.values_nd[start:stop], scores_nk, labels_n)

    def answers(self) -> tuple[Floats, npt.NDArray[np.integer]]:
        """Return scores and labels, with what was left out filled in."""
        scores_nk = np.empty((len(self), 0)) if self.scores_nk is None else self.scores_nk
        if self.labels_n is not None:
            return scores_nk, self.labels_n
        if not scores_nk.shape[1]:
            return scores_nk, np.full(len(self), -1)
        return scores_nk, np.where(np.isnan(scores_nk), -1.0, scores_nk).argmax(axis=1)


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
        Cells of each channel, in the order of ``listed``.
    repeats
        Which rows repeat an earlier one; ``None`` where every row counts.
    counts_once_c : (c,) bool
        Channels in which such rows do not count.
    heaped
        Numeric features that have a channel for heaping: those of many values.

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
    ) -> None:
        self.features = tuple(features)
        self.heaped = tuple(heaped)
        self.answers = answers
        self.components = components
        self.repeats = repeats
        self.counts_once_c = np.zeros(len(axes), dtype=np.bool_) if counts_once_c is None else counts_once_c
        self.grid = Grid(axes, spare_cells=0 if repeats is None else 1)
        kinds = np.array([feature.kind == "number" for feature in features], dtype=np.bool_)
        self._numbers, self._categories = np.flatnonzero(kinds).tolist(), np.flatnonzero(~kinds).tolist()
        self._singles = np.flatnonzero([feature.dtype == "float32" for feature in features])
        self.listed = self._list()

    @classmethod
    def fit(cls, rows: Rows, features: Sequence[FeatureSchema], output: OutputSchema = TENSOR) -> Channels:
        """Fit cells and components on reference rows.

        Parameters
        ----------
        rows
            Reference; answers are optional.
        features
            Features in the order of the columns.
        output
            What the version answers; without scores its channels are left out.

        Raises
        ------
        ValueError
            Without rows, or with columns that do not fit the schema.
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
        return cls(features, answers, components, axes, heaped=heaped)

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
        """Return the same channels, some of which count repeated rows once."""
        fitted = self.features, self.answers, self.components, self.grid.axes
        return Channels(*fitted, repeats, counts_once_c, self.heaped)

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
        blocks, size = len(rows) // block, self.grid.channels * self.grid.width
        positions_nc = self._positions(rows, memory)[: blocks * block]
        positions_nc += np.repeat(np.arange(blocks) * size, block)[:, None]
        flat = np.bincount(positions_nc.ravel(), minlength=blocks * size)
        return flat.reshape(blocks, self.grid.channels, self.grid.width)

    def cells(self, rows: Rows, memory: RowMemory) -> Ints:
        """Return the cell of each row in each channel: (n, c) int64; the last is the spare one of repeated rows."""
        return self._positions(rows, memory) - np.arange(self.grid.channels) * self.grid.width

    def _positions(self, rows: Rows, memory: RowMemory) -> Ints:
        """Return the positions of the rows' cells in the flattened (channels, width) counts: (n, c) int64."""
        positions_nc = self.grid.positions(self.values(rows))
        if self.repeats is None:
            return positions_nc
        is_new_n = memory.take(self._as_sent(rows.values_nd), self.repeats)
        spare_c = np.arange(1, self.grid.channels + 1) * self.grid.width - 1
        return np.where(is_new_n[:, None] | ~self.counts_once_c, positions_nc, spare_c)

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
