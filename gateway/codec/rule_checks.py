"""Data-quality rules as closures of elementwise arithmetic: the same one judges a row's numbers and columns of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, nextafter
from typing import Any, Final

import numpy as np

from gateway.rules import Categories, Freshness, Missingness, Range, Relation, Rule

__all__ = ["PER_SECOND", "Breaks", "compiled"]

Breaks = Callable[[Sequence[Any], float], Any]
"""From values by place (of one row floats, or columns of (n,) float64; NaN is missing) and Unix time to what breaks:
of a row a bool, of columns (n,) booleans. A column of strings is a sequence with ``None`` for missing."""

PER_SECOND: Final[dict[str, float]] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def compiled(rule: Rule, places: Mapping[str, int], dtypes: Mapping[str, str]) -> Breaks:
    """Return a rule as a closure.

    Parameters
    ----------
    places
        Where the value of each feature stands among the values.
    dtypes
        Types in which values come; a limit is rounded as the value was, so that 0.1 in float32 is not above 0.1.
    """
    if rule.relation:
        return _relation(rule.relation, places)
    if rule.freshness:
        return _freshness(rule.freshness, places)
    if rule.missing:
        return _missingness(rule.missing, places)
    if rule.range:
        return _range(rule.range, places, dtypes)
    assert rule.categories is not None
    return _categories(rule.categories, places, dtypes)


def _relation(relation: Relation, places: Mapping[str, int]) -> Breaks:
    left, right = ([places[name] for name in side] for side in relation.terms)
    highest = nextafter(relation.tolerance, -inf) if relation.operator == "<" else relation.tolerance
    lowest = -relation.tolerance if relation.operator == "==" else -inf
    a, b = left[0], right[0]

    def differ(values: Sequence[Any], _now_s: float) -> Any:
        difference = sum([values[j] for j in left]) - sum([values[j] for j in right])
        return (difference > highest) | (difference < lowest)

    def exceeds(values: Sequence[Any], _now_s: float) -> Any:  # what most rules are, at half the cost
        return values[a] - values[b] > highest

    return exceeds if lowest == -inf and len(left) == len(right) == 1 else differ


def _freshness(freshness: Freshness, places: Mapping[str, int]) -> Breaks:
    j, per_second, oldest_s = places[freshness.feature], PER_SECOND[freshness.unit], freshness.max_age_s
    ahead_s = inf if freshness.max_ahead_s is None else freshness.max_ahead_s

    def breaks(values: Sequence[Any], now_s: float) -> Any:
        age_s = now_s - values[j] / per_second
        return (age_s > oldest_s) | (age_s < -ahead_s)

    return breaks


def _missingness(missing: Missingness, places: Mapping[str, int]) -> Breaks:
    js, at_most = [places[name] for name in missing.features], missing.at_most

    def breaks(values: Sequence[Any], _now_s: float) -> Any:
        return sum([values[j] != values[j] for j in js]) > at_most  # NaN is what differs from itself

    return breaks


def _range(limits: Range, places: Mapping[str, int], dtypes: Mapping[str, str]) -> Breaks:
    j, dtype = places[limits.feature], dtypes.get(limits.feature)
    low = -inf if limits.min is None else _rounded(limits.min, dtype)
    high = inf if limits.max is None else _rounded(limits.max, dtype)

    def breaks(values: Sequence[Any], _now_s: float) -> Any:
        return (values[j] < low) | (values[j] > high)

    return breaks


def _categories(categories: Categories, places: Mapping[str, int], dtypes: Mapping[str, str]) -> Breaks:
    j, dtype = places[categories.feature], dtypes.get(categories.feature)
    known = frozenset(one if isinstance(one, str) else _rounded(one, dtype) for one in categories.one_of)

    def strays(value: Any) -> bool:
        return value is not None and value == value and value not in known

    def breaks(values: Sequence[Any], _now_s: float) -> Any:
        column = values[j]
        if isinstance(column, np.ndarray):
            column = column.tolist()
        elif not isinstance(column, list | tuple):
            return strays(column)
        return np.array([strays(value) for value in column], np.bool_)

    return breaks


def _rounded(limit: float, dtype: str | None) -> float:
    if dtype is None or not dtype.startswith("float"):
        return float(limit)
    with np.errstate(over="ignore"):
        return float(np.float64(limit).astype(dtype))
