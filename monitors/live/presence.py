"""Presence: whether a change that evidence spoke of is still there.

Evidence restarts at a page, so its silence afterwards proves nothing yet. What is looked at is the distance over all
rows since: while a change lasts it stays what it was, and it is known better and better; once it is over it falls.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitors.live.distances import Distance, Distances, Kind

__all__ = ["Presence"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


LEAST_ON_LEVEL = 0.06
"""No change is over while its distance could still be half of this."""


class Presence:
    """The change of some channels since it last spoke.

    Parameters
    ----------
    distances
        Of the stream's model.
    which_c : (c,) bool
        The channels.
    kind
        Which distance.

    Notes
    -----
    Memory: one table of counts.
    """

    def __init__(self, distances: Distances, which_c: Bools, kind: Kind) -> None:
        self._distances, self._which_c, self._kind = distances, which_c, kind
        self.since_cb: Ints | None = None
        self.on_level = 0.0
        self.lasts = False

    def add(self, counts_cb: Ints) -> None:
        """Add the counts of rows that came since."""
        if self.since_cb is not None:
            self.since_cb += counts_cb

    def speak(self, recent_cb: Ints, *, pages: bool) -> None:
        """Evidence has crossed a level: see whether it still speaks of the change before, and begin anew.

        Parameters
        ----------
        recent_cb : (c, b) int64
            Counts of the newest rows.
        pages
            Whether it is a page; a warning about a change that lasts begins nothing.
        """
        now, since = self._measured(recent_cb), self._since()
        self.lasts = since is not None and since.effect > since.band and since.effect >= now.effect / 2.0
        if self.lasts and not pages:
            return
        # All rows since the last page show a lasting change; before the first, only the newest are known to.
        found = since if since and self.lasts else now
        self.on_level = max(found.effect - found.band, LEAST_ON_LEVEL)
        self.since_cb = np.zeros_like(recent_cb)

    @property
    def is_over(self) -> bool:
        """Whether the distance is below half of what it was, and the rows are enough to know."""
        since = self._since()
        return since is None or max(since.effect, since.band) < self.on_level / 2.0

    def _since(self) -> Distance | None:
        if self.since_cb is None:
            return None
        return self._measured(self.since_cb)

    def _measured(self, counts_cb: Ints) -> Distance:
        return self._distances.largest(counts_cb, self._which_c, self._kind)
