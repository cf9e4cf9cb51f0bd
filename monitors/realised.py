"""Realised against promised: how often a model has paged, how often in vain, and how often it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitors.paging import Paging
from monitors.records import Page

__all__ = ["WINDOW_S", "Realised", "realised"]

WINDOW_S = 28 * 86_400.0
WEEKS = 4.0


@dataclass(frozen=True, slots=True)
class Realised:
    """Pages of a model in the last four weeks.

    Parameters
    ----------
    budget
        The promise in words.
    allowed
        False pages that it allows in four weeks in the mean; ``None`` where it counts rows.
    pages, false_pages
        How many there were, and how many of them operators have marked false.
    """

    budget: str
    allowed: float | None
    pages: int
    false_pages: int


def realised(model: str, pages: Sequence[Page], paging: Paging, now_s: float) -> Realised:
    """Return what came of the promise for a model.

    Examples
    --------
    >>> page = Page("a", "m", "1", "stable", "drift", "profile", 1_000.0, "", is_false=True)
    >>> realised("m", [page], Paging(), 2_000.0)
    Realised(budget='1 false page a week (mean)', allowed=4.0, pages=1, false_pages=1)
    """
    mine = [page for page in pages if page.model == model and now_s - page.paged_at <= WINDOW_S]
    budget = paging.model_budget(model)
    allowed = None if budget.rows_between_false_pages is not None else WEEKS * budget.pages_per_week
    return Realised(paging.in_words(model), allowed, len(mine), sum(page.is_false for page in mine))
