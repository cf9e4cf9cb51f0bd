"""Which keys have been seen and have failed, within a bounded memory, and what is counted of each."""

from __future__ import annotations

import numpy as np

from monitors.trials.counts import ArmCounts
from monitors.trials.quantiles import latency_histogram

__all__ = ["MOST_KEYS", "ArmTally", "KeyFilter"]

MOST_KEYS = 200_000
"""Keys remembered in a rollout; beyond them every other key is left out, on both arms alike, then three of four..."""

_MIX = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


class KeyFilter:
    """The keys that a rollout counts, and those that have appeared in it.

    A key is counted by bits of its hash, which know nothing of its arm.

    Examples
    --------
    >>> keys = KeyFilter(most=2)
    >>> [keys.appears(key) for key in (1, 2, 1)], keys.halvings
    ([True, True, False], 0)
    """

    def __init__(self, *, most: int = MOST_KEYS) -> None:
        self.halvings = 0
        self._most = most
        self._known: set[int] = set()

    def counts(self, key: int) -> bool:
        """Return whether this key is among those that are counted."""
        return not self.halvings or not (key * _MIX & _WORD) >> (64 - self.halvings)

    def appears(self, key: int) -> bool:
        """Return whether a counted key appears for the first time in the rollout, and remember it."""
        if key in self._known:
            return False
        self._known.add(key)
        if len(self._known) > self._most:
            self.halvings += 1
            self._known = set(filter(self.counts, self._known))
        return True


class ArmTally:
    """What is counted of one arm in one stage, each key once."""

    def __init__(self, keys: KeyFilter) -> None:
        self._keys = keys
        self._seen: set[int] = set()
        self._failed: set[int] = set()
        self._halvings = keys.halvings
        self._begin()

    def _begin(self) -> None:
        self._appeared = self._new = self._first_failed = self._newly_failed = 0
        self._durations: list[float] = []
        self._own_durations: list[float] = []
        self._classes: list[int] = []
        self._scores: list[int] = []

    def see(self, key: int, *, failed: bool) -> bool:
        """Take a request of a key; return whether it is the key's first in the stage on this arm."""
        if not self._keys.counts(key) or key in self._seen:
            return False
        self._seen.add(key)
        self._appeared += self._keys.appears(key)
        self._new += 1
        self._first_failed += failed
        return True

    def fail(self, key: int) -> None:
        """Take a failure of a key that was seen."""
        if key in self._seen and key not in self._failed and self._keys.counts(key):
            self._failed.add(key)
            self._newly_failed += 1

    def describe(self, duration_s: float, class_cell: int, score_cell: int) -> None:
        """Take what the answer to a key's first request was like; a cell of -1 is none."""
        self._durations.append(duration_s)
        if class_cell >= 0:
            self._classes.append(class_cell)
        if score_cell >= 0:
            self._scores.append(score_cell)

    def time(self, duration_s: float) -> None:
        """Take how long that answer took, less what the host kept it."""
        self._own_durations.append(duration_s)

    def cut(self) -> ArmCounts:
        """Return the counts since the last cut."""
        if self._halvings != self._keys.halvings:
            self._halvings = self._keys.halvings
            self._seen = set(filter(self._keys.counts, self._seen))
            self._failed &= self._seen
        zero = ArmCounts()
        found = ArmCounts(
            self._appeared,
            self._new,
            self._first_failed,
            self._newly_failed,
            latency_histogram(self._durations) if self._durations else zero.latency_b,
            latency_histogram(self._own_durations) if self._own_durations else zero.own_latency_b,
            np.bincount(self._classes, minlength=len(zero.classes_b)) if self._classes else zero.classes_b,
            np.bincount(self._scores, minlength=len(zero.scores_b)) if self._scores else zero.scores_b,
        )
        self._begin()
        return found
