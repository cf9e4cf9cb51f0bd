"""The budget: how many false pages a model may cause, and the thresholds that keep it.

One e-detector with threshold A pages at most T / A times in T summaries in the mean. Causes share the budget of their
model: with share s a cause's threshold is (T / pages) / s, so that the means add up to the promise. Shares sum to 0.9;
0.1 is left to rules that page at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Literal, get_args

from monitors.evidence.channel import Cause

__all__ = ["EVIDENCE_SHARE", "Budget", "Promise", "is_positive"]

Promise = Literal["mean", "p95", "none95"]

EVIDENCE_SHARE = 0.9
WEEK_S = 604_800.0
DAYS_A_WEEK = 7.0
_STRICTER: Mapping[Promise, float] = MappingProxyType({"mean": 1.0, "p95": 10.0, "none95": 20.0})
_WEIGHTS: Mapping[Cause, float] = MappingProxyType({"inputs": 0.4, "answers": 0.2, "confidence": 0.15, "broken": 0.15})


@dataclass(frozen=True, slots=True)
class Budget:
    """What the operator allows.

    Parameters
    ----------
    pages_per_week
        False pages of a model a week.
    promise
        ``mean``: no more than that in the mean. ``p95``: in at least 95 % of weeks at most one (for one page a week).
        ``none95``: in at least 95 % of weeks none.
    rows_between_false_pages
        Instead of a rate in time: rows from one false page to the next in the mean, for tables and replays.
    summary_s
        Least length of a summary, in seconds.
    summary_rows
        Least number of rows of a summary.
    share
        The part of the model's budget for this version and segment.

    Examples
    --------
    >>> Budget().summaries_between_pages
    604800.0
    >>> Budget(promise="none95").summaries_between_pages
    12096000.0
    >>> Budget(rows_between_false_pages=10_000).summaries_between_pages
    1000.0
    >>> {cause: round(level) for cause, level in Budget(rows_between_false_pages=9_000).thresholds(["inputs"]).items()}
    {'inputs': 1000}
    """

    pages_per_week: float = 1.0
    promise: Promise = "mean"
    rows_between_false_pages: float | None = None
    summary_s: float = 1.0
    summary_rows: int = 10
    share: float = 1.0
    weights: Mapping[Cause, float] = field(default_factory=lambda: _WEIGHTS)

    def __post_init__(self) -> None:
        for name in ("pages_per_week", "summary_s", "summary_rows", "rows_between_false_pages"):
            number = getattr(self, name)
            if not is_positive(number) and (number is not None or name != "rows_between_false_pages"):
                raise ValueError(f"a budget's rates and lengths are positive: {name} is {number!r}")
        if not is_positive(self.share) or self.share > 1:
            raise ValueError(f"share is in (0, 1], not {self.share!r}")
        if self.promise not in get_args(Promise):
            raise ValueError(f"promise is one of {', '.join(get_args(Promise))}, not {self.promise}")

    @property
    def summaries_between_pages(self) -> float:
        """Least mean number of summaries between false pages of the model."""
        if self.rows_between_false_pages is not None:
            most = self.rows_between_false_pages / self.summary_rows
        else:
            most = WEEK_S / self.summary_s / self.pages_per_week
        return most * _STRICTER[self.promise]

    def thresholds(self, causes: Collection[Cause]) -> dict[Cause, float]:
        """Return the level of evidence at which each of the causes that are watched pages."""
        total = sum(self.weights[cause] for cause in causes)
        shares = {cause: EVIDENCE_SHARE * self.share * self.weights[cause] / total for cause in causes}
        return {cause: self.summaries_between_pages / share for cause, share in shares.items()}


def is_positive(number: object) -> bool:
    """Return whether something is a finite number above 0."""
    try:
        return isinstance(number, Real) and math.isfinite(number) and float(number) > 0
    except OverflowError:
        return False
