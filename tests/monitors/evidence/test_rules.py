import numpy as np
import pytest

from monitors.evidence.channels import Rows
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import EvidenceMonitor
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


def test_a_feed_that_stands_still_pages_where_repeats_count_once() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(size=(500, 2)), 10, axis=0)
    features = [FeatureSchema(name, "number", "float64") for name in ("age", "pay")]
    monitor = EvidenceMonitor(EvidenceModel.fit(Rows(values), features))
    assert [event for event in monitor.replay(Rows(values)) if event.rule] == []
    still = [event for event in monitor.replay(Rows(np.full((250, 2), 0.3))) if event.rule]
    assert [(event.rule, event.cause, event.rows_seen) for event in still] == [("nothing new", "inputs", 5210)]
