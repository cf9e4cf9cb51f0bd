"""Repeated rows: a client that sends the same row again brings no news, so such rows count once.

A gateway sees runs: retries, polling, sessions whose features stay. Which rows are repeats is learned from the order of
the reference's rows: a row repeats one of the rows shortly before it if it agrees with it in all columns, or in those
that stay with a client while others change. Routing keys are not needed: no training table has any, and one key may
send many different rows.

Each channel whose rows depend on each other chooses: it counts repeats once where they agree in it, and else where that
tells more than counting every row under the guard. Rows that do not count fall into a spare cell that no bet looks at,
so counts stay whole numbers that add up. What is not exact: a row that comes by two workers counts once for each,
unless one memory sees the rows of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Repeats", "RowMemory", "agreement", "find_repeats", "row_marks"]

WINDOWS = (64, 512, 4096)
LEAST_GAIN = 0.2
WORTH_A_WINDOW = 0.005
MOST_BY_CHANCE = 0.1
LEAST_FIRST_ROWS = 200
JUDGED_ROWS = 20_000

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What a repeated row is.

    Parameters
    ----------
    columns
        Features in which a row agrees with the one that it repeats.
    window
        How many rows back that one may be.
    longest
        Most rows in a row that were repeats, in the reference.
    """

    columns: tuple[int, ...]
    window: int
    longest: int = 0


class RowMemory:
    """When each row of one source, a worker or a host, came last. Memory: up to 1.25 windows of numbers, no rows.

    Examples
    --------
    >>> memory, repeats = RowMemory(), Repeats((0,), 64)
    >>> memory.take(np.array([[1.0], [1.0], [2.0]]), repeats).tolist()
    [True, False, True]
    >>> memory.take(np.array([[1.0], [3.0]]), repeats).tolist()
    [False, True]
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._rows = 0

    def take(self, values_nd: Floats, repeats: Repeats) -> Bools:
        """Return which rows are new: (n,) bool, false where one of the rows before is the same. Cost: O(n)."""
        last, window, row = self._last, repeats.window, self._rows
        is_new = []
        for mark in row_marks(values_nd, repeats.columns).tolist():
            is_new.append(row - last.get(mark, -window - 1) > window)
            last[mark] = row
            row += 1
        self._rows = row
        if len(last) > 1.25 * window:
            self._last = {mark: then for mark, then in last.items() if row - then <= window}
        return np.array(is_new, dtype=np.bool_)

    def state(self) -> dict[str, Any]:
        """Return what is remembered."""
        return {"rows": self._rows, "marks": list(self._last), "last": list(self._last.values())}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._rows = int(state["rows"])
        self._last = dict(zip(state["marks"], state["last"], strict=True))


def row_marks(values_nd: Floats, columns: Sequence[int]) -> Marks:
    """Return a number a row, equal for rows that are equal bit by bit in the given columns: (n,) int64.

    Different rows share one with a chance of 2^-64: every value is mixed (splitmix64) before the columns are summed.
    """
    every = tuple(columns) == tuple(range(values_nd.shape[1]))
    bits_nd = np.array(values_nd if every else values_nd[:, list(columns)], order="C").view(np.uint64)
    with np.errstate(over="ignore"):
        bits_nd += np.arange(1, len(columns) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        bits_nd ^= bits_nd >> np.uint64(30)
        bits_nd *= np.uint64(0xBF58476D1CE4E5B9)
        bits_nd ^= bits_nd >> np.uint64(27)
        bits_nd *= np.uint64(0x94D049BB133111EB)
        bits_nd ^= bits_nd >> np.uint64(31)
        return np.asarray(bits_nd.sum(axis=1, dtype=np.uint64).view(np.int64))


def find_repeats(values_rd: Floats) -> Repeats | None:
    """Return how rows of a reference repeat earlier ones; ``None`` where they do not.

    Rows repeat where at least a fifth more of them agree with a row shortly before, in the order in which they came,
    than their first rows do in random order: few values agree by chance, and that is no sign of a client.

    Parameters
    ----------
    values_rd : (r, d) float64
        Raw features in the order in which the rows came.
    """
    values_rd = values_rd[:JUDGED_ROWS]
    every = tuple(range(values_rd.shape[1]))
    staying = tuple(d for d in every if max(_gains(values_rd, (d,))) >= LEAST_GAIN)
    gains = {
        Repeats(columns, window): gain
        for columns in (every, staying)
        if columns
        for window, gain in zip(WINDOWS, _gains(values_rd, columns), strict=True)
    }
    largest = max(gains.values(), default=0.0)
    if largest < LEAST_GAIN:
        return None
    found = min((r for r, gain in gains.items() if gain >= largest - WORTH_A_WINDOW), key=lambda r: r.window)
    is_new_r = RowMemory().take(values_rd, found)
    longest = int(np.diff(np.flatnonzero(np.append(is_new_r, True)), prepend=0).max()) - 1
    return Repeats(found.columns, found.window, longest)


def agreement(values_rd: Floats, cells_rc: npt.NDArray[np.int64], repeats: Repeats) -> Floats:
    """Return for each channel the share of repeated rows that lie in the cell of the row they repeat: (c,) float64."""
    ages_r = _ages(row_marks(values_rd, repeats.columns))
    again = np.flatnonzero(ages_r <= repeats.window)
    return np.asarray((cells_rc[again] == cells_rc[again - ages_r[again]]).mean(axis=0))


def _gains(values_rd: Floats, columns: Sequence[int]) -> list[float]:
    """Return for each window the share of rows that repeat, less that by chance; 0 where many do by chance."""
    marks_r = row_marks(values_rd, columns)
    ages_r = _ages(marks_r)
    found = []
    for window in WINDOWS:
        first_m = np.random.default_rng(0).permutation(marks_r[ages_r > window])
        by_chance = float((_ages(first_m) <= window).mean()) if len(first_m) >= LEAST_FIRST_ROWS else 1.0
        gain = 1.0 - len(first_m) / max(1, len(marks_r)) - by_chance
        found.append(gain if by_chance <= MOST_BY_CHANCE else 0.0)
    return found


def _ages(marks_r: Marks) -> Marks:
    """Return how many rows ago the same mark came last; very many where it never did."""
    order = np.argsort(marks_r, kind="stable")
    again = np.diff(marks_r[order]) == 0
    ages_r = np.full(len(marks_r), np.iinfo(np.int64).max)
    ages_r[order[1:][again]] = np.diff(order)[again]
    return ages_r
