import pytest

from monitors.evidence.budget import EVIDENCE_SHARE, Budget, Promise


@pytest.mark.parametrize(("promise", "factor"), [("mean", 1), ("p95", 10), ("none95", 20)])
def test_stricter_promises_ask_for_more_evidence(promise: Promise, factor: int) -> None:
    assert Budget(promise=promise).summaries_between_pages == factor * 604_800


def test_the_causes_pages_add_up_to_nine_tenths_of_the_promise() -> None:
    budget = Budget(rows_between_false_pages=50_000, summary_rows=10)
    for causes in (["inputs"], ["inputs", "answers", "confidence", "broken"]):
        levels = budget.thresholds(causes)  # type: ignore[arg-type]  # a literal list of literals
        assert sum(5000 / level for level in levels.values()) == pytest.approx(EVIDENCE_SHARE)


def test_a_version_with_a_part_of_the_budget_needs_as_much_more_evidence() -> None:
    whole, half = Budget().thresholds(["inputs"]), Budget(share=0.5).thresholds(["inputs"])
    assert half["inputs"] == pytest.approx(2 * whole["inputs"])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"pages_per_week": 0.0}, id="no-pages"),
        pytest.param({"pages_per_week": float("nan")}, id="not-a-number"),
        pytest.param({"summary_rows": 0}, id="empty-summaries"),
        pytest.param({"share": 1.5}, id="more-than-all"),
        pytest.param({"rows_between_false_pages": -1.0}, id="negative-rows"),
        pytest.param({"promise": "never"}, id="unknown-promise"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"positive|share|promise"):
        Budget(**arguments)  # type: ignore[arg-type]  # wrong on purpose
