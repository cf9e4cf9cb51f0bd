"""Roles: whose rows of a second are evidence, when several versions answered in it.

In each second one version of a role is counted: the one under the newest route revision. So a model never has more
streams than its budget has shares, even while workers change from one route to the next.

A canary that fails is answered for by stable, and what is left of its rows is a selection: the rows that it did not
fail on. While stable stands in for more than a tolerance of its rows, its seconds are no evidence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from monitors.live.stream import EvidenceStream
from monitors.records import Variant

__all__ = ["StandIns", "chosen"]

WINDOW_S = 60
TOLERATED_SHARE = 0.005
UNIT = 1024
"""Rows are counted in whole units of 1/1024 after division by the sampled ratio: sums do not depend on their order."""


def chosen(second: int, streams: Iterable[EvidenceStream]) -> dict[Variant, EvidenceStream]:
    """Return for each role the stream whose rows of a second are evidence; others of the role are superseded."""
    found: dict[Variant, EvidenceStream] = {}
    for stream in streams:
        mine = stream.seconds.find(second)
        known = found.get(stream.key.variant)
        other = known.seconds.find(second) if known else None
        if mine is not None and (other is None or _rank(mine.revision, stream) > _rank(other.revision, known)):
            found[stream.key.variant] = stream
    return found


def _rank(revision: int, stream: EvidenceStream | None) -> tuple[int, str]:
    return revision, stream.key.digest if stream else ""


class StandIns:
    """How many rows stable answered in place of a model's canary, over the last minute.

    Examples
    --------
    >>> book = StandIns()
    >>> book.take(100, 3, 1.0)
    >>> book.holds(100, 97), book.holds(101, 100), book.holds(200, 100)
    (True, True, False)
    """

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self._closed: deque[tuple[int, int, int]] = deque()

    def take(self, second: int, rows: int, sampled_ratio: float) -> None:
        """Count rows that stable answered in place of the canary."""
        self._open[second] = self._open.get(second, 0) + round(rows * UNIT / sampled_ratio)
        while len(self._open) > WINDOW_S:  # of a canary whose own rows nobody closes
            del self._open[min(self._open)]

    def holds(self, second: int, canary_rows: int) -> bool:
        """Close a second in which the canary answered some rows itself; return whether they are only a selection."""
        stood_in = sum(self._open.pop(known) for known in [s for s in self._open if s <= second])
        self._closed.append((second, stood_in, canary_rows * UNIT))
        while self._closed and self._closed[0][0] <= second - WINDOW_S:
            self._closed.popleft()
        failed = sum(stood_in for _, stood_in, _ in self._closed)
        answered = sum(rows for _, _, rows in self._closed)
        return failed > TOLERATED_SHARE * (failed + answered)
