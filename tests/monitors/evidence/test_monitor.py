import json
import tracemalloc
from typing import Any

import numpy as np
import pytest

from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, Event, EvidenceMonitor
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from tests.monitors.evidence.material import model, rows

CONFIG = Config(Budget(rows_between_false_pages=100_000))


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model()


def summaries(seed: int, n: int, **changes: float) -> list[Rows]:
    rng = np.random.default_rng(seed)
    return [rows(rng, 10, **changes) for _ in range(n)]


def pages(monitor: EvidenceMonitor, blocks: list[Rows]) -> list[tuple[int, Event]]:
    """Return the number of the summary and the event of each page."""
    found = [(i, event) for i, block in enumerate(blocks) for event in monitor.update(block)]
    return [(i, event) for i, event in found if event.level == "page"]


def test_unchanged_rows_page_no_more_often_than_promised(fitted: EvidenceModel) -> None:
    assert pages(EvidenceMonitor(fitted, CONFIG), summaries(2, 5000)) == []


@pytest.mark.parametrize(
    ("seed", "changes", "at", "cause"),
    [
        pytest.param(11, {"shift": 1.0}, 3, "inputs", id="mean"),
        pytest.param(12, {"shift": -3.0}, 0, "inputs", id="large-mean"),
        pytest.param(13, {"missing": 0.3}, 1, "inputs", id="missing"),
    ],
)
def test_a_change_pages_at_a_known_summary(
    fitted: EvidenceModel, seed: int, changes: dict[str, float], at: int, cause: str
) -> None:
    (first, event), *_ = pages(EvidenceMonitor(fitted, CONFIG), summaries(seed, 30, **changes))
    assert (first, event.cause) == (at, cause)
    assert (event.evidence_nats or 0.0) >= (event.threshold_nats or np.inf)


def test_a_warning_comes_before_its_page_and_once(fitted: EvidenceModel) -> None:
    monitor = EvidenceMonitor(fitted, CONFIG)
    events = [event for block in summaries(14, 40, shift=0.5) for event in monitor.update(block)]
    inputs = [event.level for event in events if event.cause == "inputs"]
    assert inputs[:2] == ["warning", "page"]


def test_the_feature_that_moved_is_named_first(fitted: EvidenceModel) -> None:
    block = summaries(15, 20, missing=0.4)
    _, event = pages(EvidenceMonitor(fitted, CONFIG), block)[0]
    assert event.drivers[0].channel.name == "age"


def test_a_broken_answer_pages_as_broken(fitted: EvidenceModel) -> None:
    broken = [Rows(block.values_nd, np.full((10, 2), np.nan)) for block in summaries(16, 5)]
    found = pages(EvidenceMonitor(fitted, CONFIG), broken)
    assert found[0][0] == 0
    assert "broken" in {event.cause for i, event in found if i == 0}


def test_a_page_restarts_its_own_cause_and_no_other(fitted: EvidenceModel) -> None:
    monitor = EvidenceMonitor(fitted, CONFIG)
    paged = {event.cause for _, event in pages(monitor, summaries(12, 1, shift=-3.0))}
    assert paged
    restarted = {cause for cause, level in monitor.evidence().items() if level == 0.0}
    assert restarted == paged
    assert set(monitor.evidence()) - paged


@pytest.mark.parametrize("split", [1, 3, 10])
def test_merged_counts_give_the_evidence_of_single_rows_bit_for_bit(fitted: EvidenceModel, split: int) -> None:
    whole, merged = EvidenceMonitor(fitted, CONFIG), EvidenceMonitor(fitted, CONFIG)
    for block in summaries(17, 40, shift=0.1):
        whole.update(block)
        for start in reversed(range(0, 10, split)):
            part = block.part(start, start + split)
            merged.add_counts(fitted.channels.counts(part, RowMemory()), len(part))
        merged.end_summary()
    assert merged.evidence() == whole.evidence()


def test_a_monitor_restored_in_mid_summary_gives_the_same_events(fitted: EvidenceModel) -> None:
    first = EvidenceMonitor(fitted, CONFIG)
    blocks = summaries(18, 60, shift=0.4)
    for block in blocks[:10]:
        first.update(block)
    first.add_counts(fitted.channels.counts(rows(np.random.default_rng(0), 4), RowMemory()), 4)
    second = EvidenceMonitor(fitted, CONFIG)
    second.restore(through_text(first.state()))
    assert second.pending_rows == 4
    assert pages(second, blocks[10:]) == pages(first, blocks[10:])


def through_text(state: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of a state after it was written as JSON: it needs no pickle."""
    text = json.dumps({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in state.items()})
    return dict(json.loads(text))


def test_a_table_replayed_says_what_its_rows_say(fitted: EvidenceModel) -> None:
    block = rows(np.random.default_rng(20), 4000, shift=0.4)
    fed, replayed = EvidenceMonitor(fitted, CONFIG), EvidenceMonitor(fitted, CONFIG)
    said = [event for start in range(0, 4000, 10) for event in fed.update(block.part(start, start + 10))]
    assert said
    assert replayed.replay(block) == said
    assert replayed.evidence() == fed.evidence()


def test_a_state_of_another_model_is_refused(fitted: EvidenceModel) -> None:
    other = EvidenceModel.fit(Rows(np.random.default_rng(0).normal(size=(500, 1))), fitted.channels.features[:1])
    with pytest.raises(ValueError, match="expected"):
        EvidenceMonitor(fitted).restore(EvidenceMonitor(other).state())


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        pytest.param({"pending": np.zeros((2, 2))}, "counts that no monitor of this model can have", id="counts"),
        pytest.param({"rows": -1}, "counts that no monitor of this model can have", id="rows"),
        pytest.param({"warned": ["weather"]}, r"warned of \['weather'\], expected some of", id="cause"),
        pytest.param({"memory": {"rows": 1}}, "memory of rows that is not whole; begin without it", id="memory"),
        pytest.param({"components": np.zeros(3)}, r"state of shape \(3,\)", id="components"),
    ],
)
def test_a_state_that_is_not_whole_is_refused_and_changes_nothing(
    fitted: EvidenceModel, broken: dict[str, Any], complaint: str
) -> None:
    monitor = EvidenceMonitor(fitted, CONFIG)
    monitor.update(rows(np.random.default_rng(3), 14))
    before = through_text(monitor.state())
    with pytest.raises(ValueError, match=complaint):
        monitor.restore({**EvidenceMonitor(fitted, CONFIG).state(), **broken})
    assert through_text(monitor.state()) == before


def test_a_state_that_was_cut_short_is_refused(fitted: EvidenceModel) -> None:
    state = EvidenceMonitor(fitted).state()
    del state["pending"], state["warned"]
    with pytest.raises(ValueError, match=r"state without \['pending', 'warned'\]: it was cut short"):
        EvidenceMonitor(fitted).restore(state)


def test_counts_of_other_channels_are_refused(fitted: EvidenceModel) -> None:
    with pytest.raises(ValueError, match="counts of shape"):
        EvidenceMonitor(fitted).add_counts(fitted.counts_cb[:1], 10)


def test_a_summary_is_due_after_a_second_and_with_ten_rows(fitted: EvidenceModel) -> None:
    monitor = EvidenceMonitor(fitted, CONFIG)
    monitor.add_counts(np.zeros_like(fitted.counts_cb), 9)
    assert not monitor.is_due(60.0)
    monitor.add_counts(np.zeros_like(fitted.counts_cb), 1)
    assert monitor.is_due(1.0)
    assert not monitor.is_due(0.9)


def test_a_summary_without_rows_says_nothing(fitted: EvidenceModel) -> None:
    monitor = EvidenceMonitor(fitted, CONFIG)
    assert monitor.end_summary() == []
    assert monitor.evidence()["inputs"] == 0.0


def test_memory_does_not_grow_with_traffic(fitted: EvidenceModel) -> None:
    monitor = EvidenceMonitor(fitted, CONFIG)
    blocks = summaries(19, 50)
    for block in blocks:
        monitor.update(block)
    tracemalloc.start()
    for _ in range(10):
        for block in blocks:
            monitor.update(block)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 200_000
