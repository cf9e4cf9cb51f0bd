from monitors.evidence.budget import Budget
from monitors.paging import Paging
from monitors.realised import WINDOW_S, realised
from monitors.records import Page


def page(paged_at: float, *, model: str = "m", is_false: bool = False) -> Page:
    return Page("a", model, "1", "stable", "drift", "baseline", paged_at, "", is_false=is_false)


def test_pages_of_the_model_in_the_last_four_weeks_count() -> None:
    now_s = 2 * WINDOW_S
    pages = [page(now_s - WINDOW_S), page(now_s - WINDOW_S - 1.0), page(now_s, is_false=True), page(now_s, model="o")]
    found = realised("m", pages, Paging(Budget(pages_per_week=0.5)), now_s)
    assert (found.pages, found.false_pages, found.allowed) == (2, 1, 2.0)


def test_a_budget_in_rows_allows_no_number_of_weeks() -> None:
    found = realised("m", [], Paging(Budget(rows_between_false_pages=1e6)), 0.0)
    assert (found.pages, found.allowed) == (0, None)
