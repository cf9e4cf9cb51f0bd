"""Data-quality rules of a version: what must hold for a row beyond the policies of each single feature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.codec.strict import exact

__all__ = ["Categories", "Freshness", "Missingness", "Operator", "Range", "Relation", "Rule", "RuleKind", "TimeUnit"]

Operator = Literal["<", "<=", "=="]
TimeUnit = Literal["s", "ms", "us", "ns"]
RuleKind = Literal["relation", "freshness", "missing", "range", "categories"]
_KINDS: Final[tuple[RuleKind, ...]] = ("relation", "freshness", "missing", "range", "categories")
_NAME: Final = {"pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
_POSITIVE: Final = {"exclusiveMinimum": 0}
_NOT_NEGATIVE: Final = {"minimum": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Two sums of features compared: the difference left - right may miss its mark by ``tolerance``."""

    left: str | tuple[str, ...]
    operator: Operator
    right: str | tuple[str, ...]
    tolerance: float = field(default=0.0, metadata=_NOT_NEGATIVE)

    def __post_init__(self) -> None:
        if not self.terms[0] or not self.terms[1]:
            raise ValueError("a feature or several on each side")
        if self.terms[0] == self.terms[1]:
            raise ValueError("two sides that differ")

    @property
    def terms(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the features on the left and on the right."""
        left, right = ((side,) if isinstance(side, str) else side for side in (self.left, self.right))
        return left, right


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """A feature that holds Unix time is at most so old; with ``max_ahead_s`` also at most so far in the future."""

    feature: str
    max_age_s: float = field(metadata=_POSITIVE)
    max_ahead_s: float | None = field(default=None, metadata=_NOT_NEGATIVE)
    unit: TimeUnit = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missingness:
    """At most so many of these features are missing in one row."""

    features: tuple[str, ...]
    at_most: int = field(metadata=_NOT_NEGATIVE)

    def __post_init__(self) -> None:
        if len(set(self.features)) < len(self.features):
            raise ValueError("features named once")
        if self.at_most >= len(self.features):
            raise ValueError(f"at_most below {len(self.features)}, the number of features, or the rule never breaks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number lies in a closed range; an absent end is open."""

    feature: str
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None:
            raise ValueError("min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min at most max, not {exact(self.min)} to {exact(self.max)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """A feature has one of these values."""

    feature: str
    one_of: tuple[str, ...] | tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.one_of:
            raise ValueError("at least one value in one_of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, of exactly one kind. Values that are missing break no rule but one of kind ``missing``.

    ``reject`` refuses a request with a row that breaks it; ``flag`` counts and marks the row, which is answered.
    """

    name: str = field(metadata=_NAME)
    action: Literal["reject", "flag"] = "flag"
    relation: Relation | None = None
    freshness: Freshness | None = None
    missing: Missingness | None = None
    range: Range | None = None
    categories: Categories | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if len(given := [kind for kind in _KINDS if getattr(self, kind) is not None]) != 1:
            raise ValueError(f"exactly one of {', '.join(_KINDS)}, not {' and '.join(given) or 'none'}")

    @property
    def kind(self) -> RuleKind:
        """What the rule is about."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that the rule looks at, the one to blame first."""
        if self.relation:
            return self.relation.terms[0] + self.relation.terms[1]
        if self.missing:
            return self.missing.features
        single = self.freshness or self.range or self.categories
        return (single.feature,) if single else ()
