import numpy as np

from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.ranks import ClassRanks
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema, OutputSchema

OUTPUT = OutputSchema("classification", ("sure", "unsure"))


def answers(rng: np.random.Generator, n: int, *, sure: float = 0.5, tired: float = 0.0) -> Rows:
    """Return answers of which a share is of the class that the model is sure of; ``tired`` lowers confidence."""
    is_sure = rng.random(n) < sure
    top = np.where(is_sure, rng.uniform(0.9, 1.0, n), rng.uniform(0.6, 0.8, n)) - tired
    return Rows(np.zeros((n, 1)), np.where(is_sure[:, None], np.stack([top, 1 - top], 1), np.stack([1 - top, top], 1)))


def causes(changed: Rows) -> set[str]:
    features = [FeatureSchema("x", "number", "float64")]
    model = EvidenceModel.fit(answers(np.random.default_rng(0), 10_000), features, OUTPUT)
    monitor = EvidenceMonitor(model, Config(Budget(rows_between_false_pages=10_000)))
    return {event.cause for event in monitor.replay(changed) if event.level == "page"}


def test_another_mix_of_classes_is_no_evidence_about_confidence() -> None:
    assert causes(answers(np.random.default_rng(1), 500, sure=0.95)) == {"answers"}


def test_less_confidence_within_the_classes_is() -> None:
    assert "confidence" in causes(answers(np.random.default_rng(1), 500, tired=0.05))


def test_a_row_without_a_known_class_or_a_figure_has_no_rank() -> None:
    ranks = ClassRanks.fit(np.random.default_rng(0).random((500, 1)), np.zeros(500, dtype=np.int64), 2)
    found = ranks.of(np.array([[0.5], [0.5], [np.nan]]), np.array([-1, 2, 0]))
    assert np.isnan(found).all()


def test_a_class_that_the_reference_hardly_has_is_ranked_among_all() -> None:
    figures = np.random.default_rng(0).random((500, 1))
    ranks = ClassRanks.fit(figures, np.zeros(500, dtype=np.int64), 2)
    assert np.array_equal(ranks.edges_kem[0], ranks.edges_kem[1])
