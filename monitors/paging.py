"""Paging: how many false pages a model may cause, and on whose word a person is woken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from monitors.evidence.budget import Budget
from monitors.records import Variant

__all__ = ["ASSUMPTIONS", "STREAM_SHARES", "Calibration", "Paging"]

Calibration = Literal["profile", "baseline", "rule", "uncalibrated"]
"""What stands behind a level. ``profile``: the table that the version was profiled with. ``baseline``: accepted live
traffic. ``rule``: a fact, or a chance so small that it is counted against the tenth of the budget that rules have.
``uncalibrated``: nothing, so it only warns."""

STREAM_SHARES: Mapping[Variant, float] = MappingProxyType({"stable": 2 / 3, "canary": 1 / 3})
"""Part of the model's evidence budget for each role. They are fixed and sum to 1, and in each second at most one
version of a role is counted, so that the shares never sum to more, whichever canary begins or ends. What stable would
gain alone is 0.4 nats: a few rows. A role that is not here never pages."""

ASSUMPTIONS: Mapping[Calibration, str] = MappingProxyType(
    {
        "profile": "normal traffic is like the table of weir profile, rows in an order like that of traffic",
        "baseline": "normal traffic is like the accepted baseline",
        "rule": "",
        "uncalibrated": "",
    }
)


@dataclass(frozen=True, slots=True)
class Paging:
    """What the operator allows.

    Parameters
    ----------
    budget
        False pages of one model, of all its versions together.
    pages_per_week
        Models that may cause another number of false pages a week.
    page_on
        ``baseline``: evidence against a table only warns. ``profile``: it pages.
    burn_in_s
        Seconds from the first row of a version in a role that are no evidence.
    no_traffic_s
        Models that always have traffic, and after how many seconds without a row that is a fact that pages.

    Examples
    --------
    >>> Paging().stream_budget("fraud", "stable").share.__round__(3)
    0.667
    >>> Paging(pages_per_week={"fraud": 0.5}).stream_budget("fraud", "canary").pages_per_week
    0.5
    >>> Paging().pages("profile"), Paging(page_on="profile").pages("profile"), Paging().pages("rule")
    (False, True, True)
    """

    budget: Budget = field(default_factory=Budget)
    pages_per_week: Mapping[str, float] = field(default_factory=dict)
    page_on: Literal["profile", "baseline"] = "baseline"
    burn_in_s: float = 60.0
    no_traffic_s: Mapping[str, float] = field(default_factory=dict)

    def model_budget(self, model: str) -> Budget:
        """Return the budget of a model."""
        own = self.pages_per_week.get(model)
        return self.budget if own is None else replace(self.budget, pages_per_week=own, rows_between_false_pages=None)

    def stream_budget(self, model: str, variant: Variant) -> Budget:
        """Return the budget of one stream: the model's, with the share of the role."""
        return replace(self.model_budget(model), share=STREAM_SHARES[variant])

    def pages(self, calibration: Calibration) -> bool:
        """Whether evidence of this level may wake a person."""
        if calibration == "profile":
            return self.page_on == "profile"
        return calibration in ("baseline", "rule")

    def in_words(self, model: str) -> str:
        """Return the budget as an alert tells it.

        Examples
        --------
        >>> Paging().in_words("fraud")
        '1 false page a week (mean)'
        """
        budget = self.model_budget(model)
        if budget.rows_between_false_pages is not None:
            return f"{budget.rows_between_false_pages:g} rows between false pages ({budget.promise})"
        plural = "" if budget.pages_per_week == 1 else "s"
        return f"{budget.pages_per_week:g} false page{plural} a week ({budget.promise})"
