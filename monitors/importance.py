"""Importance: how much the operator cares about each feature, where what moved is put in order.

It orders and nothing else: which channels evidence names, and how often wrongly, does not depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType

from monitors.evidence.channel import EXACT_VALUES, WITHIN
from monitors.records import StreamInfo

__all__ = ["EQUAL", "Importance"]


@dataclass(frozen=True, slots=True)
class Importance:
    """Importance of features by name; of what is not listed it is 1.

    Examples
    --------
    >>> importance = Importance({"age": 3.0})
    >>> importance.of("age"), importance.of("age, exact values"), importance.of("pay")
    (3.0, 3.0, 1.0)
    >>> importance.of("age where plan is new")
    3.0
    >>> Importance({"age": 3.0, "age where known": 2.0}).of("age where known where plan is new")
    2.0
    """

    by_name: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of_version(cls, info: StreamInfo) -> Importance:
        """Return what the manifest of a version says."""
        named = zip((feature.name for feature in info.features), info.importances, strict=False)
        return cls({name: importance for name, importance in named if importance != 1.0})

    @classmethod
    def checked(cls, by_name: Mapping[str, float], known: Collection[str]) -> Importance:
        """Return what a caller says.

        Raises
        ------
        ValueError
            For a feature that is not known, and for anything but a finite number of at least 0.
        """
        for name, importance in by_name.items():
            if name not in known:
                raise ValueError(f"importance of {name!r}, which is none of the features")
            if not _is_importance(importance):
                raise ValueError(f"importance of {name!r} is {importance!r}, expected a finite number of at least 0")
        return cls({name: float(importance) for name, importance in by_name.items() if importance != 1.0})

    def of(self, name: str) -> float:
        """Return the importance of a feature, which also is that of its exact values, and of it within a segment."""
        words = name.removesuffix(EXACT_VALUES).split(WITHIN)
        whole = [WITHIN.join(words[:end]) for end in range(len(words), 0, -1)]
        return next((self.by_name[known] for known in (name, *whole) if known in self.by_name), 1.0)


EQUAL = Importance()


def _is_importance(value: object) -> bool:
    try:
        return isinstance(value, Real) and math.isfinite(value) and float(value) >= 0.0
    except OverflowError:
        return False
