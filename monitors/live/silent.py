"""Silent segments: those of which no rows come any more, so that nothing that was said of them can be seen to end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitors.evidence.model import EvidenceModel
from monitors.evidence.segmented import LEAST_SEGMENT_ROWS

__all__ = ["SilentSegments"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class SilentSegments:
    """Which segments had no row while the stream had as many as held 1,000 rows of them in the reference.

    Their evidence would stand still at whatever it was, and would keep an alert open for ever. To restart it is safe:
    it only becomes less. A restart of the watch counts anew.

    Parameters
    ----------
    model
        Whose segments.
    """

    def __init__(self, model: EvidenceModel) -> None:
        place_c = np.array([-1 if channel.segment is None else channel.segment for channel in model.channels.listed])
        self._place_c = place_c
        self._first_s = np.flatnonzero(np.diff(place_c, prepend=-1) > 0)
        rows_c = model.counts_cb.sum(axis=1)
        rows_s = np.maximum(rows_c[self._first_s], 1)
        self._most_s = LEAST_SEGMENT_ROWS * rows_c.max(initial=1) / rows_s
        self._rows_s: Ints = np.zeros(len(self._first_s), dtype=np.int64)

    def add(self, counts_cb: Ints, rows: int) -> None:
        """Take the counts of rows that came after all others."""
        self._rows_s = np.where(counts_cb[self._first_s].any(axis=1), 0, self._rows_s + rows)

    @property
    def places(self) -> frozenset[int | None]:
        """The places of the silent ones."""
        return frozenset(self._silent.tolist())

    @property
    def channels_c(self) -> Bools:
        """Their channels: (c,) bool."""
        return np.isin(self._place_c, self._silent)

    @property
    def _silent(self) -> Ints:
        return np.flatnonzero(self._rows_s > self._most_s)
