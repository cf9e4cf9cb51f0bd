"""Changes in words: what a channel was and what it is now, in the feature's own unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitors.evidence.channels import Channels
from monitors.evidence.grid import LEVELS
from monitors.evidence.heaping import heaped_share
from monitors.words import (
    DIGITS,
    PERCENTILES,
    OrderedCells,
    level_to_tell,
    percent,
    share_in_words,
    shares_apart,
)

__all__ = ["HEAPED_BEFORE", "describe_absence", "describe_change", "heaped_after"]

QUANTILES = (0.05, 0.5, 0.95)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


HEAPED_BEFORE = "as in the reference"


def heaped_after(share: float) -> str:
    """Return how exact values are that gather as much as if one value had taken a share of all rows."""
    return f"gathered as if {percent(share)} were one value"


def describe_change(
    channels: Channels, c: int, before_b: Ints, after_b: Ints, *, briefly: bool = False
) -> tuple[str, str]:
    """Return how a channel was and how it is, as two texts about whatever differs most.

    Parameters
    ----------
    channels
        The model's.
    c
        Which of them.
    before_b, after_b : (b,) int64
        Counts over the channel's cells, of the reference and of now.
    briefly
        Of a number, tell the one quantile that moved furthest in place of the median and the middle nine tenths.

    Examples
    --------
    >>> from monitors.evidence.rows import Rows
    >>> from monitors.evidence.repeats import RowMemory
    >>> from monitors.records import FeatureSchema
    >>> x = np.arange(1000.0)[:, None]
    >>> channels = Channels.fit(Rows(x), [FeatureSchema("age", "number", "float64")])
    >>> before, after = (channels.counts(Rows(part), RowMemory())[0] for part in (x, x[:500]))
    >>> describe_change(channels, 0, before, after)
    ('median 500, 90 % in 50 to 950', 'median 250, 90 % in 25 to 475')
    >>> describe_change(channels, 0, before, after, briefly=True)
    ('median 500', 'median 250')
    """
    axis = channels.grid.axes[c]
    before_b, after_b = before_b[: axis.size], after_b[: axis.size]
    if axis.is_heaping:
        groups = slice(1, 1 + axis.inner)
        share = heaped_share(after_b[groups], before_b[groups] / max(1, before_b[groups].sum()))
        return HEAPED_BEFORE, heaped_after(share)
    missing = axis.inner + 2
    inner_b = _gained(before_b[:missing], after_b[:missing])
    moved = np.abs(np.cumsum(inner_b)).max() if axis.is_ordered else np.abs(inner_b).max()
    gained_b = _gained(before_b, after_b)
    if max(abs(gained_b[missing]), gained_b[missing + 1]) > moved:
        return describe_absence(channels, c, before_b, after_b)
    if axis.is_ordered:
        cells, unit = _ordered(channels, c)
        present = before_b[:missing], after_b[:missing]
        told = _quantile(cells, *present) if briefly else _quantiles(cells, unit, *present)
        if told is not None and told[0] != told[1]:
            return told
    return share_in_words(before_b, after_b, _names(channels, c))


def describe_absence(channels: Channels, c: int, before_b: Ints, after_b: Ints) -> tuple[str, str]:
    """Return which share of a channel's values was missing and is, or unseen where that moved more."""
    axis = channels.grid.axes[c]
    before_b, after_b = before_b[: axis.size], after_b[: axis.size]
    missing, unseen = axis.inner + 2, axis.inner + 3
    gained_b = _gained(before_b, after_b)
    cell = missing if abs(gained_b[missing]) >= gained_b[unseen] else unseen
    return _shares("missing" if cell == missing else "unseen", before_b, after_b, cell)


def _gained(before_b: Ints, after_b: Ints) -> Floats:
    """Return by how much the share of each cell grew; nothing where nothing was counted."""
    if not before_b.sum() or not after_b.sum():
        return np.zeros(len(before_b))
    return np.asarray(after_b / after_b.sum() - before_b / before_b.sum())


def _shares(name: str, before_b: Ints, after_b: Ints, cell: int) -> tuple[str, str]:
    shares = [float(counts_b[cell] / max(1, counts_b.sum())) for counts_b in (before_b, after_b)]
    before, after = shares_apart(*shares)
    return f"{name} {before}", f"{name} {after}"


def _ordered(channels: Channels, c: int) -> tuple[OrderedCells, str]:
    """Return the cells in the unit to be shown; a rank of confidence is shown as the share of its class below it."""
    axis = channels.grid.axes[c]
    if channels.listed[c].cause == "confidence":
        edges_e = 100.0 * np.array([0.0, *LEVELS, 1.0])
        return OrderedCells(edges_e[:-1], edges_e[1:]), " % rank"
    steps_i = [int(np.flatnonzero(axis.cells == cell)[0]) for cell in range(1, axis.inner + 1)]
    low_i, high_i = axis.edges[[step - 1 for step in steps_i]], axis.edges[steps_i]
    if axis.inner and int(axis.cells.max()) == axis.inner + 3:  # cells of single values, with what is unseen between
        low_i = high_i = (low_i + high_i) / 2.0
    return OrderedCells(low_i, high_i), ""


def _quantiles(cells: OrderedCells, unit: str, before_b: Ints, after_b: Ints) -> tuple[str, str]:
    """Return median and middle nine tenths, with as many digits as it takes to tell the two apart, if they differ."""
    then, now = (_places(cells, counts_b) for counts_b in (before_b, after_b))
    told = ((_centre(cells, unit, then, digits), _centre(cells, unit, now, digits)) for digits in DIGITS)
    first = next(told)
    return first if first[0] != first[1] else next((pair for pair in told if pair[0] != pair[1]), first)


def _quantile(cells: OrderedCells, before_b: Ints, after_b: Ints) -> tuple[str, str] | None:
    """Return the quantile that moved furthest in the reference's ranks; of single values only the median is told."""
    if not before_b.sum() or not after_b.sum():
        return None
    level = 0.5
    if not np.array_equal(cells.low_i, cells.high_i):
        before_e, now_e = (np.cumsum([0.0, *counts_b]) / counts_b.sum() for counts_b in (before_b, after_b))
        level = level_to_tell({each: float(np.interp(each, now_e, before_e)) - each for each in PERCENTILES})
    return cells.apart(level, before_b, after_b)


def _places(cells: OrderedCells, present_b: Ints) -> tuple[float, ...]:
    """Return where the quantiles that are told lie; nothing where no value is."""
    return tuple(cells.place(present_b, level) for level in QUANTILES) if present_b.sum() else ()


def _centre(cells: OrderedCells, unit: str, places: tuple[float, ...], digits: int) -> str:
    if not places:
        return "no value"
    low, middle, high = (cells.words(place, digits) for place in places)
    return f"90 % {low}{unit}" if low == high else f"median {middle}, 90 % in {low} to {high}{unit}"


def _names(channels: Channels, c: int) -> Sequence[str]:
    """Return the name of each cell; several rare categories share one."""
    axis = channels.grid.axes[c]
    if axis.is_ordered:
        cells, unit = _ordered(channels, c)
        return [f"{name}{unit}" for name in cells.names()]
    known = _categories(channels, c)
    codes = [np.flatnonzero(axis.cells[1:-1] == cell).tolist() for cell in range(1, axis.inner + 1)]
    inner = [known[of[0]] if len(of) == 1 and of[0] < len(known) else "other known values" for of in codes]
    return ("below", *inner, "above", "missing", "unseen")


def _categories(channels: Channels, c: int) -> Sequence[str]:
    channel = channels.listed[int(channels.whole_c[c])]
    if channel.cause == "inputs":
        return next(feature.categories for feature in channels.features if feature.name == channel.name)
    return ("sound", "broken") if channel.cause == "broken" else channels.answers.output.classes
