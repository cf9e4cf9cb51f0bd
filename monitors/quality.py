"""Data quality: rates of contract faults by feature and of broken rules, rejected requests included.

Observations hold answered rows only; a request that the contract refused never becomes one. The exact counters of the
workers see both, so the rates of a window are differences of their cumulative totals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from monitors.effects import Movement, share_noise
from monitors.records import FaultTotals
from monitors.words import shares_apart

__all__ = ["ALERTED_KINDS", "FaultBook", "FaultRates"]

ALERTED_KINDS = ("missing", "wrong_type", "out_of_range", "unseen", "shape", "rule")
"""Kinds that may raise an alert; ``unknown`` (a column the contract ignores) is only shown."""
_WORDS = {"wrong_type": "wrong type", "out_of_range": "out of range", "shape": "wrong shape"}


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Faults over a window: rows that the contract looked at, and the share with each (feature, kind) of fault."""

    rows: int
    shares: dict[tuple[str, str], float] = field(default_factory=dict)

    def movements(self, expected: Mapping[tuple[str, str], float]) -> tuple[Movement, ...]:
        """Return the rates as things that may have moved.

        Parameters
        ----------
        expected
            Shares that are normal, from the reference; 0 where none is given.

        Examples
        --------
        >>> [m.after for m in FaultRates(200, {("age", "wrong_type"): 0.25}).movements({})]
        ['wrong type 25 %']
        """
        return tuple(
            _movement(feature, kind, share, expected.get((feature, kind), 0.0), self.rows)
            for (feature, kind), share in sorted(self.shares.items())
            if kind in ALERTED_KINDS
        )


class FaultBook:
    """Remembers the last totals of one version, one entry a tick, and gives rates over the newest of them.

    Parameters
    ----------
    window_ticks
        How many ticks back a window may reach.
    minimum_rows
        A window ends as soon as it holds this many rows.

    Notes
    -----
    Memory: ``window_ticks + 1`` totals.
    """

    def __init__(self, window_ticks: int, minimum_rows: int) -> None:
        self.minimum_rows = minimum_rows
        self._totals: deque[tuple[int, FaultTotals]] = deque(maxlen=window_ticks + 1)

    def take(self, tick: int, totals: FaultTotals) -> None:
        """Keep the totals as those of the tick; the last of a tick counts.

        Totals that went backwards start the book anew: the counters behind them were reset.
        """
        if self._totals and totals.rows < self._totals[-1][1].rows:
            self._totals.clear()
        if self._totals and self._totals[-1][0] == tick:
            self._totals.pop()
        self._totals.append((tick, totals))

    def rates(self) -> FaultRates:
        """Return the rates over the fewest newest ticks that hold ``minimum_rows`` rows, or over all."""
        if len(self._totals) < 2:
            return FaultRates(0)
        newest = self._totals[-1][1]
        oldest = self._totals[0][1]
        for _, totals in reversed(self._totals):
            if newest.rows - totals.rows >= self.minimum_rows:
                oldest = totals
                break
        return _between(oldest, newest)


def _between(old: FaultTotals, new: FaultTotals) -> FaultRates:
    rows = new.rows - old.rows
    if rows <= 0:
        return FaultRates(0)
    counts = {key: count - old.faults.get(key, 0) for key, count in new.faults.items()}
    return FaultRates(rows, {key: min(1.0, count / rows) for key, count in counts.items() if count > 0})


def _movement(feature: str, kind: str, share: float, expected: float, rows: int) -> Movement:
    name, words = (f"rule {feature}", "broken") if kind == "rule" else (feature, _WORDS.get(kind, kind))
    noise = share_noise(expected, rows, rows)
    before, after = (f"{words} {told}" for told in shares_apart(expected, share))
    return Movement(name, kind, max(0.0, share - expected), noise, before, after)
