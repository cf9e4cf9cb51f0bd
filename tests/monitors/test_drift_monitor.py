import tracemalloc
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from monitors.drift_monitor import DriftMonitor, Finding
from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.rows import Rows
from monitors.evidence.ticks import Ticks
from monitors.records import OutputSchema
from tests.monitors.evidence.material import model, rows

BUDGET = Budget(rows_between_false_pages=100_000)


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model()


def said(monitor: DriftMonitor, block: Rows, batches: Sequence[int], times: np.ndarray | None = None) -> list[Finding]:
    found, start = list[Finding](), 0
    for size in batches:
        part = None if times is None else times[start : start + size]
        found += monitor.update(block.part(start, start + size), times_s=part)
        start += size
    return found + monitor.finish()


@pytest.mark.parametrize("ticks", [pytest.param(Ticks(), id="rows"), pytest.param(Ticks(10, 1.0), id="seconds")])
def test_batches_of_any_size_give_the_same_findings(fitted: EvidenceModel, ticks: Ticks) -> None:
    block = rows(np.random.default_rng(20), 6000, shift=0.4)
    times = np.cumsum(np.random.default_rng(1).exponential(0.05, size=6000))
    whole = said(DriftMonitor(fitted, budget=BUDGET, ticks=ticks), block, [6000], times)
    assert any(finding.level == "page" for finding in whole)
    for batches in ([1] * 700 + [5300], [4999, 1001], [32] * 187 + [16]):
        assert said(DriftMonitor(fitted, budget=BUDGET, ticks=ticks), block, batches, times) == whole


def test_ticks_of_rows_give_the_events_of_the_evidence_monitor(fitted: EvidenceModel) -> None:
    block = rows(np.random.default_rng(20), 4000, shift=0.4)
    events = EvidenceMonitor(fitted, Config(BUDGET)).replay(block)
    found = DriftMonitor(fitted, budget=BUDGET).update(block)
    assert [(f.level, f.cause, f.evidence_nats, f.row) for f in found] == [
        (e.level, e.cause, e.evidence_nats, e.rows_seen) for e in events
    ]


def test_a_page_says_when_and_what_moved(fitted: EvidenceModel) -> None:
    monitor = DriftMonitor(fitted, budget=BUDGET, ticks=Ticks(10, 1.0), calibration="baseline")
    rng = np.random.default_rng(21)
    monitor.update(rows(rng, 3000), times_s=np.arange(3000) / 10)
    found = monitor.update(rows(rng, 1000, missing=0.4), times_s=300 + np.arange(1000) / 10)
    page = next(finding for finding in found if finding.level == "page")
    assert page.cause == "inputs"
    assert 300.0 < (page.time_s or 0.0) < 310.0
    assert page.calibration == "baseline"
    assert page.drivers[0].name == "age"
    assert page.drivers[0].before == "missing 0 %"
    assert float(page.drivers[0].after.removeprefix("missing ").removesuffix(" %")) > 20


def test_importance_orders_the_drivers_of_a_page_and_changes_nothing_else(fitted: EvidenceModel) -> None:
    def page(importance: dict[str, float]) -> Finding:
        rng = np.random.default_rng(22)
        monitor = DriftMonitor(fitted, budget=BUDGET, importance=importance)
        found = monitor.update(rows(rng, 500)) + monitor.update(rows(rng, 300, shift=1.0))
        return next(finding for finding in found if finding.cause == "inputs" and len(finding.drivers) > 2)

    plain, weighed = page({}), page({"age": 0.0, "pay": 2.0})
    assert [driver.name for driver in plain.drivers][:2] == ["age", "pay"]
    features = [driver.name for driver in weighed.drivers if driver.name in ("age", "pay")]
    assert features == ["pay", "age"]
    assert sorted(weighed.drivers, key=repr) == sorted(plain.drivers, key=repr)
    assert replace(weighed, drivers=plain.drivers) == plain
    assert page({"age": 1.0, "pay": 1.0}) == plain


@pytest.mark.parametrize("importance", [{"pay": -1.0}, {"pay": float("nan")}, {"top-1": 1.0}])
def test_an_importance_that_is_none_is_refused(fitted: EvidenceModel, importance: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="importance of"):
        DriftMonitor(fitted, importance=importance)


def test_a_reference_that_is_too_short_only_warns() -> None:
    monitor = DriftMonitor(model(1000), budget=BUDGET)
    found = monitor.update(rows(np.random.default_rng(22), 2000, shift=3.0))
    assert {(finding.level, finding.calibration) for finding in found} == {("warning", "uncalibrated")}


def test_columns_and_answers_are_watched_together() -> None:
    rng = np.random.default_rng(23)

    def table(n: int, bad: float) -> tuple[dict[str, object], np.ndarray]:
        p = rng.beta(2, 5, size=n) * bad
        return {"age": rng.normal(size=n), "city": rng.choice(["Oslo", "Rome"], n).tolist()}, np.column_stack(
            [1 - p, p]
        )

    reference, scores = table(8000, 1.0)
    output = OutputSchema("classification", ("good", "bad"))
    monitor = DriftMonitor.fit(reference, scores=scores, output=output, budget=BUDGET)
    columns, answers = table(500, 1.0)
    assert monitor.update(columns, scores=answers) == []
    columns, answers = table(500, 0.2)
    assert {f.cause for f in monitor.update(columns, scores=answers)} >= {"answers"}


def test_the_trace_is_told_every_summary(fitted: EvidenceModel) -> None:
    told: list[tuple[int, float]] = []
    monitor = DriftMonitor(fitted, budget=BUDGET, trace=lambda row, levels: told.append((row, levels["inputs"])))
    found = monitor.update(rows(np.random.default_rng(20), 1000, shift=1.0))
    assert [row for row, _ in told] == list(range(10, 1001, 10))
    pages = {finding.row for finding in found if finding.level == "page" and finding.cause == "inputs"}
    assert {row for row, level in told if level >= 1.0} == pages


def test_rows_without_names_need_features() -> None:
    with pytest.raises(ValueError, match="need features"):
        DriftMonitor.fit(Rows(np.zeros((10, 1))))


@pytest.mark.parametrize(
    ("plan_n", "complaint"),
    [
        pytest.param(
            np.arange(20_000.0) % 10_000,
            "plan has 10,000 values, and the most frequent one has 2 rows; evidence within one needs 1,000: take more "
            "rows, or a feature with fewer values",
            id="ten-thousand-values",
        ),
        pytest.param(
            np.arange(600.0) % 2,
            "plan has 2 values, and the most frequent one has 300 rows; evidence within one needs 1,000: take more "
            "rows, or a feature with fewer values",
            id="too-few-rows",
        ),
        pytest.param(
            np.full(2_000, 3.0),
            "plan has one value in all rows: choose another feature to tell them apart by",
            id="one-value",
        ),
        pytest.param(
            np.full(2_000, np.nan),
            "plan has no known value in 2,000 rows: choose another feature to tell them apart by",
            id="no-value",
        ),
    ],
)
def test_a_feature_that_makes_no_segments_is_refused_with_the_one_reason(plan_n: np.ndarray, complaint: str) -> None:
    table = {"age": np.random.default_rng(1).normal(size=len(plan_n)), "plan": plan_n}
    with pytest.raises(ValueError, match=r"^plan has ") as refused:
        DriftMonitor.fit(table, segment="plan")
    assert str(refused.value) == complaint


def test_more_channels_than_a_segment_can_have_are_the_reason_where_they_are() -> None:
    rng = np.random.default_rng(1)
    table: dict[str, np.ndarray] = {f"x{i}": rng.integers(0, 2, 2_000).astype(float) for i in range(161)}
    with pytest.raises(ValueError, match=r"^within one value of plan 161 channels would be watched, .* and 160 can be"):
        DriftMonitor.fit(table | {"plan": np.arange(2_000.0) % 2}, segment="plan")


def test_memory_does_not_grow_with_rows(fitted: EvidenceModel) -> None:
    monitor = DriftMonitor(fitted, budget=BUDGET)
    block = rows(np.random.default_rng(19), 4000)
    for _ in range(3):
        monitor.update(block)
    tracemalloc.start()
    for _ in range(10):
        monitor.update(block)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 300_000
