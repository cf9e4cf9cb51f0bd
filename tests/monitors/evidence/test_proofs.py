"""Small seeded versions of what the benchmarks prove: merged is single, restored goes on, changes are found on time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, Event, EvidenceMonitor
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from tests.monitors.evidence.material import model, rows

CONFIG = Config(Budget(rows_between_false_pages=100_000))
SUMMARY_ROWS = 10
Change = Callable[[Rows, np.random.Generator], Rows]


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model()


def through_text(state: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of a state after it was written as JSON."""
    plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in state.items()}
    return dict(json.loads(json.dumps(plain)))


def picked(block: Rows, places: npt.NDArray[np.intp]) -> Rows:
    assert block.scores_nk is not None
    return Rows(block.values_nd[places], block.scores_nk[places])


@pytest.mark.parametrize("seed", range(8))
def test_rows_spread_over_workers_at_random_give_the_evidence_of_one_process_bit_for_bit(
    fitted: EvidenceModel, seed: int
) -> None:
    rng = np.random.default_rng(100 + seed)
    whole, merged = EvidenceMonitor(fitted, CONFIG), EvidenceMonitor(fitted, CONFIG)
    for _ in range(30):
        block = rows(rng, int(rng.integers(1, 80)), shift=0.2)
        worker_n = rng.integers(0, 5, size=len(block))
        whole.count(block)
        for worker in rng.permutation(5):
            places = rng.permutation(np.flatnonzero(worker_n == worker))
            for part in np.array_split(places, int(rng.integers(1, 4))):
                merged.add_counts(fitted.channels.counts(picked(block, part), RowMemory()), len(part))
        assert merged.end_summary() == whole.end_summary()
        assert merged.evidence() == whole.evidence()


@pytest.mark.parametrize("seed", range(6))
def test_a_monitor_restored_again_and_again_says_what_one_that_never_stopped_says(
    fitted: EvidenceModel, seed: int
) -> None:
    rng = np.random.default_rng(200 + seed)
    steady, restarted = EvidenceMonitor(fitted, CONFIG), EvidenceMonitor(fitted, CONFIG)
    said: list[list[Event]] = [[], []]
    for number in range(120):
        block = rows(rng, int(rng.integers(1, 15)), shift=0.5 if number > 30 else 0.0)
        said[0] += steady.update(block)
        said[1] += restarted.update(block)
        if rng.random() < 0.1:
            state = through_text(restarted.state())
            restarted = EvidenceMonitor(fitted, CONFIG)
            restarted.restore(state)
    assert {event.level for event in said[0]} == {"warning", "page"}
    assert said[1] == said[0]
    assert restarted.evidence() == steady.evidence()


def spread(block: Rows, _: np.random.Generator) -> Rows:
    values_nd = block.values_nd.copy()
    values_nd[:, 0] *= 3.0
    return Rows(values_nd, block.scores_nk)


def flipped_correlation(block: Rows, rng: np.random.Generator) -> Rows:
    """Each feature by itself is as it was."""
    values_nd = block.values_nd.copy()
    values_nd[:, 0] = rng.permutation(values_nd[:, 0])
    values_nd[:, 1] = -0.8 * values_nd[:, 0] + 0.6 * rng.normal(size=len(values_nd))
    return Rows(values_nd, block.scores_nk)


def unseen_category(block: Rows, rng: np.random.Generator) -> Rows:
    values_nd = block.values_nd.copy()
    values_nd[rng.random(len(values_nd)) < 0.3, 2] = -1.0
    return Rows(values_nd, block.scores_nk)


def rare_category(block: Rows, rng: np.random.Generator) -> Rows:
    values_nd = block.values_nd.copy()
    values_nd[:, 2] = rng.choice(3, size=len(values_nd), p=(0.1, 0.3, 0.6))
    return Rows(values_nd, block.scores_nk)


def one_answer(block: Rows, _: np.random.Generator) -> Rows:
    return Rows(block.values_nd, np.tile([0.6, 0.4], (len(block), 1)))


def unsure_answers(block: Rows, rng: np.random.Generator) -> Rows:
    bad_n = 0.5 + 0.02 * rng.normal(size=len(block))
    return Rows(block.values_nd, np.column_stack([1.0 - bad_n, bad_n]))


def too_sure_answers(block: Rows, _: np.random.Generator) -> Rows:
    assert block.scores_nk is not None
    bad_n = np.where(block.scores_nk[:, 1] > 0.5, 0.9999, 0.0001)
    return Rows(block.values_nd, np.column_stack([1.0 - bad_n, bad_n]))


def first_page(fitted: EvidenceModel, change: Change, seed: int) -> tuple[int, set[str]]:
    """Return the number of the summary that pages first, and about what."""
    rng = np.random.default_rng(seed)
    monitor = EvidenceMonitor(fitted, CONFIG)
    for number in range(100):
        events = monitor.update(change(rows(rng, SUMMARY_ROWS), rng))
        if causes := {event.cause for event in events if event.level == "page"}:
            return number, set(causes)
    return 100, set()


@pytest.mark.parametrize(
    ("change", "at", "causes"),
    [
        pytest.param(spread, 1, {"inputs"}, id="spread"),
        pytest.param(flipped_correlation, 2, {"inputs"}, id="correlation"),
        pytest.param(unseen_category, 0, {"inputs"}, id="unseen"),
        pytest.param(rare_category, 2, {"inputs"}, id="rare"),
        pytest.param(one_answer, 0, {"answers", "confidence"}, id="one-answer"),
        pytest.param(unsure_answers, 0, {"confidence"}, id="unsure"),
        pytest.param(too_sure_answers, 0, {"answers", "confidence"}, id="too-sure"),
    ],
)
def test_a_change_pages_at_exactly_this_summary_about_its_cause(
    fitted: EvidenceModel, change: Change, at: int, causes: set[str]
) -> None:
    assert first_page(fitted, change, 300) == (at, causes)
