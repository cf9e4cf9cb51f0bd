from benchmarks.detection.page import (
    budget_section,
    collapse_section,
    cost_section,
    delay_picture,
    delay_section,
    informed_section,
    week_picture,
    week_section,
    whole_weeks_section,
)


def delay(name: str, rows: float) -> dict[str, object]:
    run_length = None if "promise" in name else 500.0 if name == "often wrong" else 10_000.0
    return {"contestant": name, "mean_delay": rows, "missed": 0, "runs": 8, "run_length": run_length}


DELAYS = [
    {"stream": "mean", **delay(name, rows)}
    for name, rows in {
        "Weir": 50.0,
        "Weir, promise of 10,000 rows": 90.0,
        "A": 100.0,
        "B": 80.0,
        "C": 300.0,
        "often wrong": 1.0,
    }.items()
]


def test_the_delay_section_compares_with_the_best_peer() -> None:
    said = delay_section(DELAYS)
    assert "geometric mean **0.62**" in said
    assert "| mean | 50 | 0 of 8 | B 80 | 0.62 | A 100 | C 300 | 90 |" in said


def test_a_collapse_is_a_row() -> None:
    mode = {
        "mode": "C",
        "median_rows": 10.0,
        "worst_rows": 20,
        "first_causes": ["answers"],
        "pages_about_confidence": 7,
    }
    assert collapse_section([mode]).endswith("| C | 10 | 20 | answers | 7 |")


def test_the_picture_has_a_dot_for_each_contestant() -> None:
    assert delay_picture(DELAYS).count("<circle") == 4


def test_the_budget_section_counts_the_families_that_kept_the_promise() -> None:
    found = {"per_100k": 0.5, "upper": 1.6}
    lines = [{"null": null, "contestant": name, **found} for null in ("calm", "wild") for name in ("Weir", "A")]
    assert "in 1 of 2 families" in budget_section([*lines, {**lines[2], "per_100k": 9.0, "upper": 12.0}])


def test_a_cost_is_a_row() -> None:
    names = ("features", "classes", "channels", "rows_per_s", "bytes_gained", "table_bytes")
    assert cost_section([dict.fromkeys(names, 1000)]).endswith("| 1,000 | 1,000 | 1,000 | 1,000 | 1,000 | 1,000 |")


def test_whole_weeks_are_added_up_over_references() -> None:
    lines = [{"null": "calm", "reference": i, "weeks": 2, "pages": 0, "largest": 0.01 * i} for i in range(3)]
    said = whole_weeks_section([*lines, {**lines[0], "null": "wild", "pages": 2}])
    assert "in 1 of 2 families" in said
    assert "| calm | 6 | 3 | 0 | 0.50 | 0.02 |" in said


def test_a_stricter_promise_is_compared_with_a_looser_one() -> None:
    week = {"median_often": 100.0, "median_week": 160.0, "missed": 0, "runs": 24, "false_pages": 0, "null_rows": 48_000}
    said = week_section([{"stream": "mean", **week}, {"stream": "spread", **week, "median_week": 90.0}])
    assert "at worst **1.60** times. 96,000 unchanged rows caused 0 pages." in said
    assert "| mean | 100 | 160 | 1.60 | 0 of 24 |" in said
    assert week_picture([{"stream": "mean", **week}]).count("<circle") == 2


def test_what_is_told_stands_beside_what_is_not() -> None:
    told = {"stream": "mean", "median_often": 40.0, "median_week": 100.0}
    week = {"stream": "mean", "median_often": 100.0, "median_week": 160.0, "missed": 1, "runs": 96, "false_pages": 0}
    said = informed_section([told, {**told, "stream": "spread"}, week])
    assert said.endswith("| mean | 40 | 100 | 2.50 | 100 | 160 | 1.60 | 1 of 96 |")
