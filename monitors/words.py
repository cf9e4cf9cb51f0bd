"""What moved, in words: two texts about whatever differs most, in its own unit, that are not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.cells import Cells
from monitors.names import name_in_words

__all__ = [
    "DIGITS",
    "PERCENTILES",
    "OrderedCells",
    "change_in_words",
    "level_to_tell",
    "numbers_apart",
    "percent",
    "share_in_words",
    "shares_apart",
]

PERCENTILES = {
    0.5: "median",
    0.05: "5th percentile",
    0.25: "25th percentile",
    0.75: "75th percentile",
    0.95: "95th percentile",
}
"""Quantiles that are told."""

MOSTLY, ROUNDING = 0.5, 1e-9
DIGITS = range(3, 18)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class OrderedCells:
    """Cells in rising order: all that is below, inner ones with their two ends, all that is above.

    Parameters
    ----------
    low_i, high_i : (i,) float64
        Ends of the inner cells; the same where a cell is one value.
    """

    low_i: Floats
    high_i: Floats

    def place(self, counts_b: Ints | Floats, level: float) -> float:
        """Return where the value below which a share of the rows lies is: a cell's number, and a part of that cell.

        Parameters
        ----------
        counts_b : (i + 2,)
            Counts, some of them positive.
        level
            The share, above 0.
        """
        rising_b = np.cumsum(counts_b)
        wanted = level * rising_b[-1]
        cell = int(np.searchsorted(rising_b, wanted))
        if not 0 < cell <= len(self.low_i) or self.low_i[cell - 1] == self.high_i[cell - 1]:
            return float(cell)
        part = float((wanted - (rising_b[cell] - counts_b[cell])) / counts_b[cell])
        return cell + min(part, float(np.nextafter(1.0, 0.0)))

    def words(self, place: float, digits: int) -> str:
        """Return the value at a place."""
        cell, inner = int(place), len(self.low_i)
        if cell == 0:
            return f"below {self.low_i[0]:.{digits}g}" if inner else "below"
        if cell > inner:
            return f"above {self.high_i[-1]:.{digits}g}" if inner else "above"
        low, high = self.low_i[cell - 1], self.high_i[cell - 1]
        return f"{low + (place - cell) * (high - low):.{digits}g}"

    def names(self) -> list[str]:
        """Return the name of each cell, for its share."""
        ends = [(f"{low:.4g}", f"{high:.4g}") for low, high in zip(self.low_i, self.high_i, strict=True)]
        inner = [low if low == high else f"{low} to {high}" for low, high in ends]
        return [self.words(0.0, 4), *inner, self.words(len(inner) + 1.0, 4), "missing", "unseen"]

    def moved(self, before_b: Ints, after_b: Ints) -> tuple[str, str] | None:
        """Return the quantile that moved furthest, before and after; of single values only the median is told."""
        if not before_b.sum() or not after_b.sum():
            return None
        levels = [0.5] if np.array_equal(self.low_i, self.high_i) else list(PERCENTILES)
        places = {level: (self.place(before_b, level), self.place(after_b, level)) for level in levels}
        return self.apart(level_to_tell({each: now - then for each, (then, now) in places.items()}), before_b, after_b)

    def apart(self, level: float, before_b: Ints, after_b: Ints) -> tuple[str, str] | None:
        """Return one of the quantiles that are told, before and after; ``None`` where it has not moved."""
        places = [self.place(counts_b, level) for counts_b in (before_b, after_b)]
        for digits in DIGITS:
            told = [self.words(place, digits) for place in places]
            if told[0] != told[1]:
                return _filled(f"{PERCENTILES[level]} {{}}", *told)
        return None


def level_to_tell(moved: Mapping[float, float]) -> float:
    """Return which quantile is told: the one that moved furthest, or the median if it moved at least half as far.

    Parameters
    ----------
    moved
        For some of ``PERCENTILES``, the median among them, how far each moved in the reference's ranks.
    """
    furthest = max(moved, key=lambda level: abs(moved[level]))
    return 0.5 if abs(moved[0.5]) >= abs(moved[furthest]) / 2.0 else furthest


def change_in_words(cells: Cells, before: Ints, after: Ints) -> tuple[str, str]:
    """Return how a feature was and how it is, as two texts about whatever moved most.

    That is the missing share, or among the values that are there: the median of a number or another quantile that
    moved further, the share of one of few values where the median stays, the share of a category.

    Parameters
    ----------
    cells
        The feature's.
    before, after : (B + 4,) int64
        Counts of the reference and of now.

    Examples
    --------
    >>> change_in_words(Cells("values", (0.0, 1.0)), np.array([0, 40, 60, 0, 0, 0]), np.array([0, 1, 9, 0, 0, 0]))
    ('60 % are 1', '90 % are 1')
    """
    law_b, now_b = _law(before), _law(after)
    if now_b[cells.unseen] >= MOSTLY:
        return _filled("unseen {}", *shares_apart(law_b[cells.unseen], now_b[cells.unseen]))
    known_b, present_b = before[: cells.inner + 2], after[: cells.inner + 2]
    gained_b = _law(present_b) - _law(known_b)
    moved = np.abs(np.cumsum(gained_b) if cells.is_ordered else gained_b).max()
    if abs(now_b[cells.missing] - law_b[cells.missing]) > moved:
        return _filled("missing {}", *shares_apart(law_b[cells.missing], now_b[cells.missing]))
    told = _ordered(cells).moved(known_b, present_b) if cells.is_ordered else None
    if told is not None:
        return told
    return share_in_words(known_b, present_b, cells.labels())


def share_in_words(before_b: Ints, after_b: Ints, names: Sequence[str]) -> tuple[str, str]:
    """Return the share of the cell that moved most, before and after; of two that moved as far, the one that gained."""
    law_b, now_b = _law(before_b), _law(after_b)
    gained_b = now_b - law_b
    gained = gained_b.max() >= -gained_b.min() * (1.0 - ROUNDING)
    cell = int(gained_b.argmax() if gained else gained_b.argmin())
    before, after = shares_apart(law_b[cell], now_b[cell])
    return f"{before} are {name_in_words(names[cell])}", f"{after} are {name_in_words(names[cell])}"


def percent(share: float) -> str:
    """Return a share in words.

    Examples
    --------
    >>> percent(0.25), percent(0.0012), percent(1.0)
    ('25 %', '0.12 %', '100 %')
    """
    return f"{100.0 * share:.0f} %" if share in (0.0, 1.0) or share >= 0.1 else f"{100.0 * share:.2g} %"


def shares_apart(before: float, after: float) -> tuple[str, str]:
    """Return two shares in words, with as many digits as it takes to tell them apart.

    Examples
    --------
    >>> shares_apart(0.25, 0.5), shares_apart(0.1004, 0.1041)
    (('25 %', '50 %'), ('10 %', '10.4 %'))
    """
    told = percent(before), percent(after)
    return told if told[0] != told[1] else _filled("{} %", *numbers_apart(100.0 * before, 100.0 * after))


def numbers_apart(before: float, after: float) -> tuple[str, str]:
    """Return two numbers in words, with as many digits as it takes to tell them apart.

    Examples
    --------
    >>> numbers_apart(39.97, 41.2), numbers_apart(1.7640001e9, 1.7640907e9)
    (('40', '41.2'), ('1.764e+09', '1.7641e+09'))
    """
    told = [(f"{before:.{digits}g}", f"{after:.{digits}g}") for digits in DIGITS]
    return next((pair for pair in told if pair[0] != pair[1]), told[0])


def _ordered(cells: Cells) -> OrderedCells:
    points = np.array(cells.points)
    return OrderedCells(points, points) if cells.kind == "values" else OrderedCells(points[:-1], points[1:])


def _law(counts_b: Ints) -> Floats:
    return np.asarray(counts_b / max(1, counts_b.sum()))


def _filled(words: str, before: str, after: str) -> tuple[str, str]:
    return words.format(before), words.format(after)
