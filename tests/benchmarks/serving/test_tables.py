"""The campaign's tables."""

from dataclasses import replace

import pytest

from benchmarks.serving.page import report
from benchmarks.serving.result import Failure, Result
from benchmarks.serving.summary import Summary
from benchmarks.serving.tables import closed_table, failure_list, open_table
from tests.benchmarks.serving.results import result


def cells_of(table: str, server: str) -> dict[str, str]:
    heads, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
    return dict(zip(heads, next(line for line in lines if line[0] == server), strict=True))


def campaign(server: str, rate: float) -> list[Result]:
    """Return a server's cells: capacity, half of it at twice the load with as many 503, all of it afterwards."""
    shed = replace(result(server, max(rate, 1.0) / 2, kind="open", level=2), statuses={200: 60, 503: 30, 500: 10})
    calm = result(server, max(rate, 1.0), kind="open", level=0.8)
    after = result(server, max(rate, 1.0), kind="after")
    return [replace(result(server, 1.0), goodput=rate), calm, shed, after]


def test_a_row_shows_the_rate_and_its_share_of_the_fastest_peer_s() -> None:
    rounds = [result("Weir", rate, round_=i) for i, rate in enumerate((900.0, 1000.0, 1100.0))]
    row = cells_of(closed_table(Summary([*rounds, result("KServe", 100.0)]), "small"), "Weir")
    assert row["req/s"] == "1,000"
    assert row["range"] == "900-1,100"
    assert row["of fastest peer"] == "10"


def test_an_overload_shows_what_was_good_shed_and_wrong() -> None:
    row = cells_of(open_table(Summary(campaign("Weir", 1000.0)), "small"), "Weir")
    assert row["2x: good of capacity"] == "50%"
    assert row["2x: 503"] == "30%"
    assert row["2x: other codes"] == "500"
    assert row["after, of capacity"] == "100%"


def test_a_server_that_answered_nothing_has_empty_ratios() -> None:
    row = cells_of(open_table(Summary(campaign("KServe", 0.0)), "small"), "KServe")
    assert row["2x: good of capacity"] == row["after, of capacity"] == ""


@pytest.mark.parametrize("rate", [pytest.param(1000.0, id="answers"), pytest.param(0.0, id="answers nothing")])
def test_the_whole_report_is_written_from_what_there_is(rate: float) -> None:
    text = report(Summary(campaign("Weir", rate)), [Failure("small", "KServe", "no")], "How.", "images")
    assert "### Model: small" in text
    assert "- KServe (small): no" in text


def test_a_failure_is_listed_once_over_all_rounds() -> None:
    assert failure_list([Failure("small", "KServe", "no", round_) for round_ in range(3)]) == "- KServe (small): no"
    assert failure_list([]) == "None."
