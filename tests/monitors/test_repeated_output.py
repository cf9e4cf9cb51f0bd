"""Outputs that mostly repeat, and answers that may."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.budget import Budget
from monitors.evidence.document import read_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.repeated_output import WINDOW, RepeatedOutputs
from monitors.rules import RunRules
from tests.monitors.material import FEATURES, OUTPUT, evidence, observe, rows, scores

Floats = npt.NDArray[np.float64]


def saturated(values_nd: Floats, share: float = 0.7) -> Floats:
    """Return answers of which a share is exactly one class: all rows below a quantile of age."""
    answers_nk = scores(values_nd)
    answers_nk[values_nd[:, 1] < 40.0 + 10.0 * {0.5: 0.0, 0.7: 0.524}[share]] = (1.0, 0.0)
    return answers_nk


@pytest.fixture(scope="module")
def plain() -> EvidenceModel:
    return read_model(evidence())


@pytest.fixture(scope="module")
def saturating() -> EvidenceModel:
    values_nd = rows(np.random.default_rng(2), 20_000)
    return EvidenceModel.fit(Rows(values_nd, saturated(values_nd)), FEATURES, OUTPUT)


def follow(rules: RunRules, values_nd: Floats, scores_nk: Floats, size: int = 100) -> int | None:
    """Return after how many rows the output's rule is broken."""
    for start in range(0, len(values_nd), size):
        part = slice(start, start + size)
        seen = observe(values_nd[part], 0.0, scores_nk=scores_nk[part])
        rules.take(replace(seen, request_ids=tuple(f"{start}-{i}" for i in range(len(seen.values_nd)))))
        if rules.answers():
            return start + size
    return None


def test_a_version_that_mostly_repeats_itself_is_found_within_its_window(plain: EvidenceModel) -> None:
    rng = np.random.default_rng(3)
    values_nd = rows(rng, 2_000)
    answers_nk = scores(values_nd)
    answers_nk[rng.random(2_000) < 0.8] = (0.25, 0.75)
    rules = RunRules(plain, Budget())
    found = follow(rules, values_nd, answers_nk)
    assert found is not None
    assert found <= 400
    [movement] = rules.answers()
    assert movement.statistic == "repeated"
    assert "of 400 requests" in movement.after


def test_scores_that_saturate_as_in_the_reference_break_nothing(saturating: EvidenceModel) -> None:
    values_nd = rows(np.random.default_rng(4), 100_000)
    assert follow(RunRules(saturating, Budget()), values_nd, saturated(values_nd), 500) is None


def test_more_saturation_than_chance_makes_of_the_reference_is_found(saturating: EvidenceModel) -> None:
    rng = np.random.default_rng(5)
    values_nd = rows(rng, 2_000)
    answers_nk = saturated(values_nd)
    answers_nk[rng.random(2_000) < 0.9] = (1.0, 0.0)
    rules = RunRules(saturating, Budget())
    assert rules.repeated < 400
    assert follow(rules, values_nd, answers_nk) is not None


def test_unchanged_answers_break_nothing(plain: EvidenceModel) -> None:
    values_nd = rows(np.random.default_rng(6), 100_000)
    assert follow(RunRules(plain, Budget()), values_nd, scores(values_nd), 500) is None


def test_one_input_that_comes_again_and_again_is_no_repeated_output(plain: EvidenceModel) -> None:
    rng = np.random.default_rng(7)
    values_nd = rows(rng, 2_000)
    values_nd[rng.random(2_000) < 0.8] = values_nd[0]
    assert follow(RunRules(plain, Budget()), values_nd, scores(values_nd)) is None


def test_classes_without_probabilities_may_repeat_as_often_as_in_the_reference() -> None:
    rng = np.random.default_rng(8)
    values_nd = rows(rng, 20_000)
    sure_nk = np.eye(2)[(rng.random(20_000) < 0.1).astype(int)]
    model = EvidenceModel.fit(Rows(values_nd, sure_nk), FEATURES, OUTPUT)
    live_nk = np.eye(2)[(rng.random(100_000) < 0.1).astype(int)]
    assert follow(RunRules(model, Budget()), rows(rng, 100_000), live_nk, 500) is None


def test_the_rule_stands_at_the_worst_of_its_looks() -> None:
    rng = np.random.default_rng(9)
    outputs, window = RepeatedOutputs(230), deque[tuple[int, int]](maxlen=WINDOW)
    for _ in range(300):
        n, share = int(rng.integers(0, 300)), rng.random()
        asked_n = np.where(rng.random(n) < rng.random(), 3, rng.integers(0, 10**9, n))
        answered_n = np.where(rng.random(n) < share, 7, rng.integers(0, 10**9, n))
        outputs.take(asked_n, answered_n)
        found = [(0, 0)]
        for i, pair in enumerate(zip(asked_n.tolist(), answered_n.tolist(), strict=True), 1):
            window.append(pair)
            if i % 64 == 0:
                found.append(looked_at(window))
        assert (outputs.repeats, outputs.inputs) == max(*found, looked_at(window))


def looked_at(window: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return how often the answer of the test came, and of how many inputs, if it came 230 times."""
    asked = [each for each, answered in window if answered == 7]
    return (len(asked), len(set(asked))) if len(asked) >= 230 else (0, 0)
