import numpy as np
import pytest

from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema
from tests.monitors.evidence.material import FEATURES, model, rows


def test_the_weights_of_each_cause_sum_to_one() -> None:
    fitted = model(2000)
    weights_c = fitted.channel_weights()
    for cause in fitted.causes:
        of_cause = [channel.cause == cause for channel in fitted.channels.listed]
        assert weights_c[of_cause].sum() == pytest.approx(1.0)


def test_exact_values_hold_a_tenth_of_the_inputs_and_joint_channels_two_fifths_of_the_rest() -> None:
    fitted = model(2000)
    joint = [channel.is_joint for channel in fitted.channels.listed]
    heaping = [channel.is_heaping for channel in fitted.channels.listed]
    assert fitted.channel_weights()[joint].sum() == pytest.approx(0.36)
    assert fitted.channel_weights()[heaping].sum() == pytest.approx(0.1)


def test_a_short_reference_is_not_calibrated() -> None:
    assert not model(2000).is_calibrated
    assert model(5000).is_calibrated


def test_many_features_and_few_reference_rows_page_no_more_than_promised() -> None:
    rng = np.random.default_rng(3)
    features = [FeatureSchema(f"x{i}", "number", "float64") for i in range(30)]
    fitted = EvidenceModel.fit(Rows(rng.normal(size=(1000, 30))), features)
    monitor = EvidenceMonitor(fitted, Config(Budget(rows_between_false_pages=10_000)))
    assert [e for e in monitor.replay(Rows(rng.normal(size=(10_000, 30)))) if e.level == "page"] == []


def test_dependence_is_learned_from_the_order_of_the_reference_unless_switched_off() -> None:
    values = np.repeat(rows(np.random.default_rng(1), 500).values_nd, 20, axis=0)
    values[:, :2] += np.random.default_rng(2).normal(scale=0.01, size=(len(values), 2))
    learned = EvidenceModel.fit(Rows(values), FEATURES)
    ignored = EvidenceModel.fit(Rows(values), FEATURES, learns_dependence=False)
    heaping = np.array([channel.is_heaping for channel in learned.channels.listed])
    assert learned.phi_c[~heaping].min() > 10.0
    assert learned.phi_c[heaping].max() == 1.0  # alike, but never the same
    assert ignored.phi_c.tolist() == [1.0] * len(ignored.phi_c)
