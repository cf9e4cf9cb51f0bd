"""Changes in words: what a channel was and what it is now, in the feature's own unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monitors.effects import percent
from monitors.evidence.channels import Channels
from monitors.evidence.grid import LEVELS, Axis
from monitors.evidence.heaping import heaped_share

__all__ = ["HEAPED_BEFORE", "describe_change", "heaped_after"]

QUANTILES = (0.05, 0.5, 0.95)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


HEAPED_BEFORE = "as in the reference"


def heaped_after(share: float) -> str:
    """Return how exact values are that gather as much as if one value had taken a share of all rows."""
    return f"gathered as if {percent(share)} were one value"


def describe_change(channels: Channels, c: int, before_b: Ints, after_b: Ints) -> tuple[str, str]:
    """Return how a channel was and how it is, as two texts about whatever differs most.

    Parameters
    ----------
    channels
        The model's.
    c
        Which of them.
    before_b, after_b : (b,) int64
        Counts over the channel's cells, of the reference and of now.

    Examples
    --------
    >>> from monitors.evidence.channels import Rows
    >>> from monitors.evidence.repeats import RowMemory
    >>> from monitors.records import FeatureSchema
    >>> x = np.arange(1000.0)[:, None]
    >>> channels = Channels.fit(Rows(x), [FeatureSchema("age", "number", "float64")])
    >>> before, after = (channels.counts(Rows(part), RowMemory())[0] for part in (x, x[:500]))
    >>> describe_change(channels, 0, before, after)
    ('median 500, 90 % in 50 to 950', 'median 250, 90 % in 25 to 475')
    """
    axis = channels.grid.axes[c]
    before_b, after_b = before_b[: axis.size], after_b[: axis.size]
    if axis.is_heaping:
        groups = slice(1, 1 + axis.inner)
        share = heaped_share(after_b[groups], before_b[groups] / max(1, before_b[groups].sum()))
        return HEAPED_BEFORE, heaped_after(share)
    gained_b = _gained(before_b, after_b)
    missing, unseen = axis.inner + 2, axis.inner + 3
    inner_b = _gained(before_b[:missing], after_b[:missing])
    moved = np.abs(np.cumsum(inner_b)).max() if axis.is_ordered else np.abs(inner_b).max()
    cell = missing if abs(gained_b[missing]) >= gained_b[unseen] else unseen
    if abs(gained_b[cell]) > moved:
        return _share("missing" if cell == missing else "unseen", before_b, cell), _share("", after_b, cell)
    if axis.is_ordered:
        edges_e, unit = _edges(channels, c)
        return _centre(axis, edges_e, unit, before_b), _centre(axis, edges_e, unit, after_b)
    cell = int(np.abs(inner_b).argmax())
    return _share(_category(channels, c, cell), before_b, cell), _share("", after_b, cell)


def _gained(before_b: Ints, after_b: Ints) -> Floats:
    """Return by how much the share of each cell grew; nothing where nothing was counted."""
    if not before_b.sum() or not after_b.sum():
        return np.zeros(len(before_b))
    return np.asarray(after_b / after_b.sum() - before_b / before_b.sum())


def _share(name: str, counts_b: Ints, cell: int) -> str:
    return f"{name} {percent(float(counts_b[cell] / max(1, counts_b.sum())))}".strip()


def _edges(channels: Channels, c: int) -> tuple[Floats, str]:
    """Return the edges in the unit to be shown; a rank of confidence is shown as the share of its class below it."""
    if channels.listed[c].cause == "confidence":
        return 100.0 * np.array([0.0, *LEVELS, 1.0]), " % rank"
    return channels.grid.axes[c].edges, ""


def _centre(axis: Axis, edges_e: Floats, unit: str, counts_b: Ints) -> str:
    present_b = counts_b[: axis.inner + 2]
    if not present_b.sum():
        return "no value"
    low, middle, high = (_quantile(axis, edges_e, present_b, level) for level in QUANTILES)
    return f"90 % {low}{unit}" if low == high else f"median {middle}, 90 % in {low} to {high}{unit}"


def _quantile(axis: Axis, edges_e: Floats, present_b: Ints, level: float) -> str:
    """Return the value below which a share of the rows lies, interpolated within its cell."""
    rising_b = np.cumsum(present_b)
    wanted = level * rising_b[-1]
    cell = int(np.searchsorted(rising_b, wanted))
    if cell == 0:
        return f"below {edges_e[0]:.4g}"
    if cell > axis.inner:
        return f"above {edges_e[-1]:.4g}"
    step = int(np.flatnonzero(axis.cells == cell)[0])
    low, high = edges_e[step - 1], edges_e[step]
    share = (wanted - (rising_b[cell] - present_b[cell])) / present_b[cell]
    return f"{low + share * (high - low):.3g}"


def _category(channels: Channels, c: int, cell: int) -> str:
    """Return the name of a category's cell; several rare ones share a cell."""
    names = _categories(channels, c)
    codes = np.flatnonzero(channels.grid.axes[c].cells[1:-1] == cell).tolist()
    return names[codes[0]] if len(codes) == 1 and codes[0] < len(names) else "other known values"


def _categories(channels: Channels, c: int) -> Sequence[str]:
    channel = channels.listed[c]
    if channel.cause == "inputs":
        return next(feature.categories for feature in channels.features if feature.name == channel.name)
    return ("sound", "broken") if channel.cause == "broken" else channels.answers.output.classes
