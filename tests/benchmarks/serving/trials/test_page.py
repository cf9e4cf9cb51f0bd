"""The page of the trials."""

from dataclasses import replace
from pathlib import Path

from benchmarks.serving.trials.page import report, write_page
from tests.benchmarks.serving.trials.findings import FINDINGS, OVERLOAD, SOAK

TITLES = ["Targets in trouble", "Overload", "Versions in trouble", "Starts", "Reloads", "Workers", "Bad clients"]


def titles(text: str) -> list[str]:
    return [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]


def test_each_trial_has_its_table_and_every_line_of_a_table_as_many_cells() -> None:
    text = report(FINDINGS, "Two cores.")
    assert titles(text) == TITLES
    assert text.startswith("Parts: 7, of which 0 had other processes on more than 5 % of a core. Two cores.\n")
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") for line in lines}) == 1, lines[0]


def test_a_trial_that_was_not_run_has_no_table() -> None:
    assert titles(report([OVERLOAD])) == TITLES[:2]
    assert titles(report([])) == TITLES[:1]


def test_only_the_newest_soak_is_shown() -> None:
    assert report([SOAK, SOAK]).count("| good |") == 1


def test_a_soak_says_for_how_long_its_own_clients_stood_still_where_it_looked() -> None:
    line = "The clients themselves stood still for 70.1 s at most."
    assert line in report([replace(SOAK, stood_still_s=70.1)])
    assert "stood still" not in report([SOAK])


def test_the_page_of_this_project_has_the_marked_part(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(Path("docs/performance.md").read_text(encoding="utf-8"), encoding="utf-8")
    write_page(page, FINDINGS, "")
    assert "### Versions in trouble" in page.read_text(encoding="utf-8")
