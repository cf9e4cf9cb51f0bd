"""Recent rows: the newest counts of a stream, whenever they came, and the channels that no reference profile knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from monitors.effects import Movement
from monitors.evidence.changes import HEAPED_BEFORE, describe_absence, describe_change, heaped_after
from monitors.evidence.channel import Cause
from monitors.evidence.model import EvidenceModel
from monitors.evidence.recent import RecentCounts
from monitors.live.distances import Distances, Kind

__all__ = ["Recent"]

BLOCKS_A_WINDOW = 4

Ints = npt.NDArray[np.int64]


class Recent:
    """Counts of the newest rows: at low traffic the window reaches as far back as it needs.

    Parameters
    ----------
    model
        Channels.
    distances
        Of that model.
    rows
        Fewest rows of a window, where there are as many.

    Notes
    -----
    Of a small segment such a window holds a few rows: its channels are looked at over the span that differs most
    clearly from the reference. Memory: at most five tables of counts; with segments 32 more of theirs, 1 MB at most.
    """

    def __init__(self, model: EvidenceModel, distances: Distances, rows: int) -> None:
        self._model, self._distances, self._rows = model, distances, rows
        self._block_rows = max(1, rows // BLOCKS_A_WINDOW)
        self._blocks: deque[tuple[Ints, int]] = deque(maxlen=BLOCKS_A_WINDOW + 1)
        self._whole = len(model.channels.axes)
        self._within = RecentCounts()

    def add(self, counts_cb: Ints, rows: int) -> None:
        """Add counts of rows that came after all others."""
        if self._model.channels.segmented is not None:
            self._within.add(counts_cb[self._whole :])
        if self._blocks and self._blocks[-1][1] < self._block_rows:
            known_cb, known = self._blocks.pop()
            counts_cb, rows = known_cb + counts_cb, known + rows
        self._blocks.append((counts_cb, rows))

    def counts(self) -> Ints:
        """Return the counts of the newest rows: (c, b) int64."""
        counts_cb, rows = np.zeros_like(self._model.counts_cb), 0
        for block_cb, block_rows in reversed(self._blocks):
            counts_cb, rows = counts_cb + block_cb, rows + block_rows
            if rows >= self._rows:
                break
        return counts_cb

    def segmented(self, names: Collection[str], cause: Cause, kind: Kind) -> tuple[Movement, ...]:
        """Return how far channels of these names are from the reference, of those that are of one segment.

        Only what evidence speaks of is asked for, as in ``heaped``.
        """
        model, listed = self._model, self._model.channels.listed
        which = [c for c in range(self._whole, len(listed)) if listed[c].cause == cause and listed[c].name in names]
        counts_cb = np.zeros_like(model.counts_cb)
        for c in which:
            counts_cb[c] = self._within.since_change(c - self._whole, model.counts_cb[c])
        effect_c, band_c = self._distances.all(counts_cb, kind)
        return tuple(
            Movement(
                listed[c].name,
                "segment",
                float(effect_c[c]),
                float(band_c[c]),
                *self._in_words(c, counts_cb[c], kind),
            )
            for c in which
        )

    def _in_words(self, c: int, counts_b: Ints, kind: Kind) -> tuple[str, str]:
        """Return how a channel of a segment was and is, in the words in which it is told of all rows."""
        model = self._model
        if kind == "absent":
            return describe_absence(model.channels, c, model.counts_cb[c], counts_b)
        if model.channels.listed[c].cause == "confidence":
            return self._distances.in_ranks(c, counts_b)
        return describe_change(model.channels, c, model.counts_cb[c], counts_b, briefly=True)

    def heaped(self, names: Collection[str]) -> tuple[Movement, ...]:
        """Return how far exact values gather in the channels of these names, of those that are about heaping.

        Only what evidence has named is asked for: in a window of few rows the distance of some channel is never small.
        """
        which = [c for c, channel in enumerate(self._model.channels.listed) if channel.is_heaping]
        which = [c for c in which if self._model.channels.listed[c].name in names]
        if not which:
            return ()
        effect_c, band_c = self._distances.all(self.counts(), "values")
        return tuple(
            Movement(
                self._model.channels.listed[c].name,
                "heaping",
                float(effect_c[c]),
                float(band_c[c]),
                HEAPED_BEFORE,
                heaped_after(float(effect_c[c])),
            )
            for c in which
        )

    def movements(self, *, is_joint: bool) -> tuple[Movement, ...]:
        """Return how far each joint channel, or each figure of confidence, is from the reference, in ranks."""
        counts_cb, listed = self.counts(), self._model.channels.listed
        effect_c, band_c = self._distances.all(counts_cb, "values")
        found = []
        for c, channel in enumerate(listed):
            is_shown = channel.is_joint if is_joint else channel.is_single and channel.cause == "confidence"
            if is_shown and counts_cb[c].any():
                before, after = self._distances.in_ranks(c, counts_cb[c])
                found.append(Movement(channel.name, "rank", float(effect_c[c]), float(band_c[c]), before, after))
        return tuple(found)
