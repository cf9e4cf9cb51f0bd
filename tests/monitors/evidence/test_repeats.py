import json

import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.budget import Budget
from monitors.evidence.document import read_model, write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.repeats import Repeats, RowMemory, find_repeats
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

FEATURES = tuple(FeatureSchema(name, "number", "float64") for name in ("age", "pay"))
CONFIG = Config(Budget(rows_between_false_pages=100_000))

Floats = npt.NDArray[np.float64]


def runs(seed: int, n: int, shift: float = 0.0) -> Floats:
    """Return rows of clients that send theirs 17 times in the mean."""
    rng = np.random.default_rng(seed)
    client = np.cumsum(rng.random(n) < 1 / 17)
    return np.asarray(rng.normal(shift, 1.0, size=(client[-1] + 1, 2))[client])


def found(values: Floats) -> tuple[tuple[int, ...], int] | None:
    repeats = find_repeats(values)
    return None if repeats is None else (repeats.columns, repeats.window)


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return EvidenceModel.fit(Rows(runs(1, 20_000)), FEATURES)


def test_rows_that_come_again_at_once_are_repeats() -> None:
    assert found(runs(0, 5000)) == ((0, 1), 64)


def test_rows_of_clients_that_take_turns_are_repeats_within_a_longer_window() -> None:
    rng = np.random.default_rng(0)
    client = 100 * (np.arange(20_000) // 2000) + rng.integers(100, size=20_000)
    assert found(rng.normal(size=(1000, 2))[client]) == ((0, 1), 4096)


def test_features_that_stay_with_a_client_tell_a_repeat_when_others_vary() -> None:
    values = runs(0, 5000)
    values[:, 1] = np.random.default_rng(1).normal(size=5000)
    assert found(values) == ((0,), 64)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.random.default_rng(0).normal(size=(5000, 2)), id="independent"),
        pytest.param(np.random.default_rng(0).integers(3, size=(5000, 2)).astype(float), id="few-values"),
        pytest.param(np.ones((5000, 2)), id="constant"),
        pytest.param(np.random.default_rng(0).permutation(runs(0, 100_000)), id="shuffled"),
        pytest.param(np.zeros((0, 2)), id="no-rows"),
        pytest.param(np.zeros((5000, 0)), id="no-features"),
    ],
)
def test_rows_that_agree_by_chance_or_never_are_no_repeats(values: Floats) -> None:
    assert find_repeats(values) is None


def test_the_longest_stretch_of_repeats_is_known() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=(300, 1)), 3 + (np.arange(300) == 150) * 40, axis=0)
    repeats = find_repeats(values)
    assert repeats is not None
    assert repeats.longest == 42


def test_a_missing_value_repeats_like_any_other() -> None:
    again = RowMemory().take(np.array([[np.nan, 1.0], [np.nan, 1.0], [np.nan, 2.0]]), Repeats((0, 1), 8))
    assert again.tolist() == [True, False, True]


def test_a_row_counts_again_when_it_was_away_for_longer_than_the_window() -> None:
    values = np.array([[5.0], *([float(i)] for i in range(100, 108)), [5.0]])
    assert RowMemory().take(values, Repeats((0,), 8)).all()
    assert not RowMemory().take(values, Repeats((0,), 9))[-1]


@pytest.mark.parametrize("split", [1, 7, 64])
def test_repeats_do_not_depend_on_the_batches(split: int) -> None:
    values, repeats, memory = runs(2, 500), Repeats((0, 1), 64), RowMemory()
    parts = [memory.take(values[start : start + split], repeats) for start in range(0, 500, split)]
    assert np.array_equal(np.concatenate(parts), RowMemory().take(values, repeats))


def test_memory_is_bounded_by_the_window() -> None:
    memory = RowMemory()
    for seed in range(20):
        memory.take(np.random.default_rng(seed).normal(size=(100, 1)), Repeats((0,), 64))
    assert len(memory.state()["marks"]) <= 1.25 * 64


def test_a_model_of_repeated_rows_counts_each_once_and_pays_for_no_dependence(fitted: EvidenceModel) -> None:
    assert fitted.channels.counts_once_c.all()
    assert fitted.phi_c.tolist() == [1.0] * len(fitted.phi_c)
    counts_cb = fitted.channels.counts(Rows(np.tile([[0.3, 0.4]], (10, 1))), RowMemory())
    assert counts_cb.sum(axis=1).tolist() == [10] * len(fitted.phi_c)
    assert counts_cb[:, -1].tolist() == [9] * len(fitted.phi_c)
    assert fitted.table.nats_cbk[:, -1].max() == 0.0


def test_a_feature_of_the_request_counts_every_row_though_its_client_repeats() -> None:
    values = runs(3, 20_000)
    values[:, 1] = np.random.default_rng(1).normal(size=20_000)
    model = EvidenceModel.fit(Rows(values), FEATURES)
    assert model.channels.counts_once_c[:2].tolist() == [True, False]


def test_bets_are_fair_under_the_law_of_all_rows_too() -> None:
    """Clients with positive values repeat longer: a sample of the stream has more of them than first rows have."""
    rng = np.random.default_rng(4)
    clients = rng.normal(size=(3000, 2))
    values = np.repeat(clients, np.where(clients[:, 0] > 0, 15, 3), axis=0)
    model = EvidenceModel.fit(Rows(values), FEATURES)
    assert model.channels.counts_once_c[0]
    assert model.every_row_cb is not None
    means_k = np.exp(model.table.nats_cbk[0]).T @ (model.every_row_cb[0] / model.every_row_cb[0].sum())
    assert means_k[model.table.weights_ck[0] > 0].max() <= 1.0


def test_a_shift_of_repeated_rows_is_found_and_unchanged_ones_are_silent(fitted: EvidenceModel) -> None:
    def pages(values: Floats) -> list[int]:
        events = EvidenceMonitor(fitted, CONFIG).replay(Rows(values))
        return [event.rows_seen for event in events if event.level == "page"]

    assert pages(runs(5, 50_000)) == []
    assert pages(runs(6, 2000, shift=1.0))[0] <= 800


def test_batches_of_any_size_give_the_same_evidence(fitted: EvidenceModel) -> None:
    values = Rows(runs(7, 400, shift=0.5))
    whole, parts = EvidenceMonitor(fitted, CONFIG), EvidenceMonitor(fitted, CONFIG)
    whole.replay(values)
    for start in range(0, 400, 10):
        for i in range(start, start + 10, 5):
            parts.count(values.part(i, i + 5))
        parts.end_summary()
    assert parts.evidence() == whole.evidence()


def test_a_monitor_restored_within_a_run_gives_the_same_evidence(fitted: EvidenceModel) -> None:
    values = Rows(runs(8, 400, shift=0.5))
    first = EvidenceMonitor(fitted, CONFIG)
    for start in range(0, 200, 10):
        first.update(values.part(start, start + 10))
    state = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in first.state().items()}
    second = EvidenceMonitor(fitted, CONFIG)
    second.restore(json.loads(json.dumps(state)))
    for start in range(200, 400, 10):
        first.update(values.part(start, start + 10))
        second.update(values.part(start, start + 10))
    assert second.evidence() == first.evidence()


def test_a_model_of_repeated_rows_is_read_back_bit_for_bit(fitted: EvidenceModel) -> None:
    again = read_model(write_model(fitted))
    block = Rows(runs(9, 200))
    assert np.array_equal(again.table.nats_cbk, fitted.table.nats_cbk)
    assert np.array_equal(again.channels.counts(block, RowMemory()), fitted.channels.counts(block, RowMemory()))
    assert again.digest == fitted.digest
    assert write_model(again) == write_model(fitted)
