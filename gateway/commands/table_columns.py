"""Lines of a CSV table as rows of features, a column at a time: the way for tables of many rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gateway.commands.table import cell_value
from gateway.contract import Feature

__all__ = ["Lines", "rows_of"]

Lines = list[tuple[int, list[str]]]
"""Line number and cells of each line."""


def rows_of(block: Lines, places: list[tuple[Feature, int]], name: str) -> list[tuple[Any, ...]]:
    """Return the features of each line in their order, ``None`` for missing.

    Parameters
    ----------
    places
        Each feature, and where its column stands.
    name
        What the table is called in errors.

    Raises
    ------
    TableInvalid
        A cell breaks the contract; names file, line and column.
    """
    return list(zip(*(_column(block, feature, i, name) for feature, i in places), strict=True))


def _column(block: Lines, feature: Feature, at: int, name: str) -> list[Any]:
    """Return a column's values; whatever is not plainly right is looked at cell by cell."""
    texts = [cells[at] for _, cells in block]
    if (values := _plain(texts, feature)) is not None:
        return values
    where = f"column {feature.name!r}"
    return [
        cell_value(text, feature, f"{name}, line {line}, {where}") for (line, _), text in zip(block, texts, strict=True)
    ]


def _plain(texts: list[str], feature: Feature) -> list[Any] | None:
    """Return the values of a column without anything special; ``None`` leaves it to the careful way.

    A tenth of the careful way's time.
    """
    if feature.dtype == "string":
        known = set(texts)
        return texts if "" not in known and known <= set(map(str, feature.categories)) else None
    if not feature.dtype.startswith("float") or feature.categories:
        return None
    try:
        values = list(map(float, texts))
    except ValueError:
        return None
    least, most = min(values), max(values)
    largest = float(np.finfo(feature.dtype).max)
    low = -largest if feature.minimum is None else feature.minimum
    high = largest if feature.maximum is None else feature.maximum
    is_plain = low <= least and most <= high and math.isfinite(sum(values))
    return values if is_plain else None
