import numpy as np
import pytest

from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import EvidenceMonitor
from monitors.evidence.repeats import Floats
from monitors.evidence.rows import Rows
from monitors.evidence.rules import LEAST_REPEATS
from monitors.records import FeatureSchema
from tests.monitors.evidence.material import FEATURES, OUTPUT, model, rows


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model(2000)


def broken(block: Rows, at: int) -> Rows:
    assert block.scores_nk is not None
    block.scores_nk[at] = np.nan
    return block


def test_the_first_broken_answer_pages_in_its_own_batch(fitted: EvidenceModel) -> None:
    monitor, rng = EvidenceMonitor(fitted), np.random.default_rng(0)
    assert monitor.update(rows(rng, 4)) == []
    (event,) = monitor.update(broken(rows(rng, 3), 2))
    assert (event.level, event.cause, event.rule, event.rows_seen) == ("page", "broken", "broken answer", 7)
    assert (event.evidence_nats, event.threshold_nats) == (None, None)
    assert monitor.update(rows(rng, 1)) == []


def test_a_rule_keeps_the_evidence_of_everything_else(fitted: EvidenceModel) -> None:
    monitor, untouched = EvidenceMonitor(fitted), EvidenceMonitor(fitted)
    for seed in range(3):
        untouched.update(rows(np.random.default_rng(seed), 10, shift=0.4))
        monitor.update(broken(rows(np.random.default_rng(seed), 10, shift=0.4), 0))
    assert monitor.evidence()["broken"] > untouched.evidence()["broken"]
    assert monitor.evidence()["inputs"] == untouched.evidence()["inputs"]


def test_a_table_replayed_pages_about_its_first_broken_answer(fitted: EvidenceModel) -> None:
    events = EvidenceMonitor(fitted).replay(broken(rows(np.random.default_rng(1), 100), 42))
    assert [(event.rule, event.rows_seen) for event in events] == [("broken answer", 50)]


def test_where_answers_of_the_reference_were_broken_the_rule_is_left_to_evidence() -> None:
    fitted = EvidenceModel.fit(broken(rows(np.random.default_rng(1), 2000), 5), FEATURES, OUTPUT)
    assert EvidenceMonitor(fitted).update(broken(rows(np.random.default_rng(2), 10), 0)) == []


def test_counts_of_a_worker_break_rules_once_until_somebody_asks(fitted: EvidenceModel) -> None:
    monitor = EvidenceMonitor(fitted)
    for seed in range(5):
        monitor.count(broken(rows(np.random.default_rng(seed), 5), 0))
    assert [event.rule for event in monitor.rule_events()] == ["broken answer"]
    assert monitor.rule_events() == []


@pytest.fixture(scope="module")
def polled() -> tuple[EvidenceModel, Floats]:
    """Give a model whose reference has every row ten times in a row, and that reference."""
    values_rd = np.repeat(np.random.default_rng(3).normal(size=(500, 2)), 10, axis=0)
    features = [FeatureSchema(name, "number", "float64") for name in ("age", "pay")]
    return EvidenceModel.fit(Rows(values_rd), features), values_rd


@pytest.mark.parametrize("batch", [1, 7, 10, 64, 150, 199, 250])
def test_a_standstill_pages_never_earlier_than_row_by_row_and_fewer_than_two_batches_later(
    polled: tuple[EvidenceModel, Floats], batch: int
) -> None:
    monitor = EvidenceMonitor(polled[0])
    fresh_nd = np.random.default_rng(4).normal(size=(batch // 2 + 1, 2))
    values_nd = np.concatenate([fresh_nd, np.repeat(fresh_nd[-1:], 3_000, axis=0)])
    ends = range(batch, len(values_nd), batch)
    pages = (end for end in ends if any(event.rule for event in monitor.update(Rows(values_nd[end - batch : end]))))
    repeated = next(pages) - len(fresh_nd)
    assert LEAST_REPEATS <= repeated < LEAST_REPEATS + 2 * batch
    assert batch > 1 or repeated == LEAST_REPEATS


def test_whether_an_answer_is_broken_does_not_depend_on_the_split(fitted: EvidenceModel) -> None:
    block = broken(rows(np.random.default_rng(5), 60), 42)
    for size in (1, 7, 60):
        monitor = EvidenceMonitor(fitted)
        parts = [block.part(at, at + size) for at in range(0, 60, size)]
        found = [i for i, part in enumerate(parts) if any(event.rule for event in monitor.update(part))]
        assert found == [42 // size]


def test_a_feed_that_stands_still_pages_where_repeats_count_once(polled: tuple[EvidenceModel, Floats]) -> None:
    fitted, values = polled
    monitor = EvidenceMonitor(fitted)
    assert [event for event in monitor.replay(Rows(values)) if event.rule] == []
    still = [event for event in monitor.replay(Rows(np.full((250, 2), 0.3))) if event.rule]
    assert [(event.rule, event.cause, event.rows_seen) for event in still] == [("nothing new", "inputs", 5210)]
