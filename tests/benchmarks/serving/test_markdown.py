"""Tables, and the marked part of a page."""

from pathlib import Path

import pytest

from benchmarks.serving.claims import Claim
from benchmarks.serving.markdown import claim_table, number, percent, replace_marked, table


def test_a_table_has_one_line_a_row_and_as_many_cells_as_heads() -> None:
    lines = table(("a", "b", "c"), [("x", "1", ""), ("y", "", "2")]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {4}
    assert lines[1] == "| --- | --: | --: |"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (9.876, "9.88"), (99.95, "100"), (100.4, "100"), (-1234.0, "-1,234")],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_what_is_not_a_number_is_an_empty_cell() -> None:
    assert number(float("nan")) == percent(float("nan")) == ""


def test_a_missed_target_is_bold() -> None:
    lines = claim_table([Claim("p99", 3.0, 2.0, at_most=True), Claim("rate", 3.0, 2.0)], "claim").splitlines()
    assert lines[2] == "| p99 | <= 2 | 3 | **no** |  |"
    assert lines[3] == "| rate | >= 2 | 3 | yes |  |"


def test_only_the_marked_part_of_a_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: a -->\nold\n<!-- end: a -->\n<!-- begin: a/b -->\nkept\n<!-- end: a/b -->\n")
    for _ in range(2):
        replace_marked(page, "a", r"new \1")
    text = page.read_text()
    assert text.startswith("before\n<!-- begin: a -->\n\nnew \\1\n\n<!-- end: a -->\n")
    assert "old" not in text
    assert "kept" in text


def test_a_page_without_the_mark_is_not_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="marked a"):
        replace_marked(page, "a", "new")
    assert page.read_text() == "nothing"
