"""Evidence within segments: the single channels once more, counted over the rows of one value of a feature alone.

What only new customers do is a small change of all rows and a large one of theirs. Each segment that is large enough
gets a copy of every single channel, in the same cells, with reference counts of its own rows. The copies are further
terms of the mean over channels that is the e-detector, with weights fixed beforehand; so segments have a share of the
budget, and no further page. A row adds to the copies of its own segment and to no others: given the segments of all
rows the ratios are fair as they are, and a change of the mix of segments is no evidence in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.cells import told_apart
from monitors.evidence.channel import WITHIN, Channel
from monitors.records import FeatureSchema
from monitors.segments import LEAST_ROWS, MAXIMUM_SEGMENTS, with_other

__all__ = ["LEAST_SEGMENT_ROWS", "MOST_COPIES", "Segmented"]

LEAST_SEGMENT_ROWS = 1_000
"""Rows of the reference below which a segment is shown, but has no evidence: nearly all would go to doubt about it."""
MOST_COPIES = 160
"""Channels of all segments together. Each takes 20 ms when a model is read, and 14 kB."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segmented:
    """By which feature rows are told apart, and which of the segments have evidence.

    Parameters
    ----------
    column
        Place of the feature.
    values
        Its value, or code, in each segment but the last, which holds all other rows.
    watched
        The segments that have evidence, rising.
    """

    column: int
    values: tuple[float, ...]
    watched: tuple[int, ...]

    @classmethod
    def fit(cls, column: int, values_r: Floats, channels: int, *, codes: int = 0) -> Segmented | None:
        """Return the segments of a reference, of which the largest have evidence.

        ``None`` where none is large enough, or one has all rows: evidence in it would be that of all rows once more.

        Parameters
        ----------
        column
            Place of the feature.
        values_r : (r,) float64
            Its values in the reference.
        channels
            How many channels each segment gets a copy of.
        codes
            Number of categories, 0 for a number.

        Examples
        --------
        >>> Segmented.fit(2, np.repeat([0.0, 1.0, 9.0, np.nan], [600, 3000, 40, 900]), channels=10)
        Segmented(column=2, values=(1.0, 0.0), watched=(0,))
        """
        distinct_v, rows_v = _distinct(values_r, codes)
        frequent = np.argsort(-rows_v, kind="stable")[:MAXIMUM_SEGMENTS]
        frequent = frequent[rows_v[frequent] >= LEAST_ROWS]
        rows_s = np.append(rows_v[frequent], len(values_r) - rows_v[frequent].sum())
        largest = np.argsort(-rows_s, kind="stable")[: MOST_COPIES // max(1, channels)]
        watched = tuple(sorted(s for s in largest.tolist() if LEAST_SEGMENT_ROWS <= rows_s[s] < len(values_r)))
        return cls(column, tuple(distinct_v[frequent].tolist()), watched) if watched and len(frequent) else None

    @staticmethod
    def refusal(name: str, values_r: Floats, channels: int, *, codes: int = 0) -> str:
        """Say why ``fit`` found no segments in these values of a feature, and what to do.

        Examples
        --------
        >>> Segmented.refusal("plan", np.repeat([0.0, 1.0], [600, 300]), channels=10)
        'plan has 2 values, and the most frequent one has 600 rows; evidence within one needs 1,000: take more rows, \
or a feature with fewer values'
        """
        distinct_v, rows_v = _distinct(values_r, codes)
        if not len(distinct_v):
            return f"{name} has no known value in {len(values_r):,} rows: choose another feature to tell them apart by"
        if rows_v[0] == len(values_r):
            return f"{name} has one value in all rows: choose another feature to tell them apart by"
        if channels > MOST_COPIES:
            return (
                f"within one value of {name} {channels:,} channels would be watched, one or more a feature, and "
                f"{MOST_COPIES} can be: leave features out"
            )
        many = f"{len(distinct_v):,} values" if len(distinct_v) > 1 else "one value"
        return (
            f"{name} has {many}, and the most frequent one has {rows_v.max():,} rows; evidence within one needs "
            f"{LEAST_SEGMENT_ROWS:,}: take more rows, or a feature with fewer values"
        )

    def places(self, values_n: Floats) -> Ints:
        """Return the place of each row's segment among those with evidence, -1 for a row of another one.

        Examples
        --------
        >>> Segmented(0, (3.0, 1.0, 7.0), (1, 3)).places(np.array([1.0, 3.0, 5.0, np.nan])).tolist()
        [0, -1, 1, 1]
        """
        place_s = np.full(len(self.values) + 1, -1, dtype=np.int64)
        place_s[list(self.watched)] = np.arange(len(self.watched))
        is_nv = values_n[:, None] == np.array(self.values)
        return np.asarray(place_s[np.where(is_nv.any(axis=1), is_nv.argmax(axis=1), len(self.values))])

    def copied(self, whole: Sequence[Channel], features: Sequence[FeatureSchema]) -> list[int]:
        """Return which channels are counted in segments: single ones but that of the feature that tells them apart.

        A broken answer speaks for itself wherever it is.
        """
        constant = "inputs", features[self.column].name
        listed = [c for c, channel in enumerate(whole) if channel.is_single and channel.cause != "broken"]
        return [c for c in listed if (whole[c].cause, whole[c].name) != constant]

    def listed(self, whole: Sequence[Channel], features: Sequence[FeatureSchema]) -> tuple[Channel, ...]:
        """Return the channels of all segments with evidence, segment by segment.

        Examples
        --------
        >>> features = [FeatureSchema("plan", "category", "string", ("new", "old"))]
        >>> whole = [Channel("age", "inputs"), Channel("plan", "inputs"), Channel("broken", "broken")]
        >>> [channel.name for channel in Segmented(0, (1.0, 0.0), (0, 2)).listed(whole, features)]
        ['age where plan is old', 'age where plan is other']
        """
        feature, copied = features[self.column], self.copied(whole, features)
        return tuple(
            Channel(f"{whole[c].name}{WITHIN}{feature.name} is {name}", whole[c].cause, segment=place)
            for place, name in enumerate(self.names(features))
            for c in copied
        )

    def names(self, features: Sequence[FeatureSchema]) -> tuple[str, ...]:
        """Return what the segments that have evidence are called, as a reference profile calls them.

        Examples
        --------
        >>> Segmented(0, (7.0, 1.5), (0, 2)).names([FeatureSchema("shop", "number", "float64")])
        ('7', 'other')
        """
        feature = features[self.column]
        told = [feature.categories[int(v)] for v in self.values] if feature.categories else told_apart(self.values)
        names = with_other(told)
        return tuple(names[s] for s in self.watched)


def _distinct(values_r: Floats, codes: int) -> tuple[Floats, Ints]:
    """Return the known values, rising, and the rows of each."""
    known_r = np.isfinite(values_r) & ((values_r >= 0) & (values_r < codes) if codes else True)
    return np.unique(values_r[known_r], return_counts=True)
