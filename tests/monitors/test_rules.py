"""Runs that are too long to be chance."""

from dataclasses import replace

import numpy as np
import pytest

from monitors.evidence.budget import Budget
from monitors.live.book import fitted_of
from monitors.records import Observation
from monitors.rules import RunRules
from tests.monitors.material import evidence, info, observe, rows, scores


@pytest.fixture(scope="module")
def fresh() -> RunRules:
    model = fitted_of(info(evidence=evidence())).model
    assert model is not None
    return RunRules(model, Budget())


@pytest.fixture
def rules(fresh: RunRules) -> RunRules:
    return RunRules(fresh.model, Budget())


def block(n: int = 50, *, seed: int = 0, worker: str = "w1", **changed: float) -> Observation:
    """Return rows of as many requests, with columns replaced by a constant."""
    values_nd = rows(np.random.default_rng(seed), n)
    for name, value in changed.items():
        values_nd[:, ("https", "age", "colour").index(name)] = value
    return replace(observe(values_nd, 0.0, worker=worker), request_ids=tuple(f"{seed}-{i}" for i in range(n)))


def test_a_frozen_number_is_named_with_its_value_and_a_changing_one_is_not(rules: RunRules) -> None:
    assert any(rules.take(block(seed=i, age=41.5)) for i in range(3))
    (frozen,) = rules.features()
    assert (frozen.name, frozen.statistic) == ("age", "frozen")
    assert frozen.after.startswith("41.5 in ")


def test_a_run_breaks_with_the_first_other_value(rules: RunRules) -> None:
    for i in range(4):
        rules.take(block(seed=i, age=41.5))
    rules.take(block(seed=9))
    assert rules.features() == ()


def test_a_run_breaks_no_rule_more_often_than_a_tenth_of_the_budget_allows(rules: RunRules) -> None:
    runs_a_week = 604_800 * 2_000
    shares = (0.45, 0.15, 0.36)
    by_chance = sum(runs_a_week * share**length for share, length in zip(shares, rules.frozen_d, strict=True))
    assert by_chance <= 0.1


def test_another_unit_is_told_with_its_factor(rules: RunRules) -> None:
    values_nd = rows(np.random.default_rng(1), 60)
    values_nd[:, 1] *= 1000.0
    seen = replace(observe(values_nd, 0.0), request_ids=tuple(f"u{i}" for i in range(60)))
    assert rules.take(seen)
    (unit,) = rules.features()
    assert (unit.name, unit.statistic) == ("age", "unit")
    assert "1000 times" in unit.after


def test_one_request_and_one_client_count_once(rules: RunRules) -> None:
    one_request = replace(block(400, age=41.5), request_ids=("r",) * 400)
    one_client = replace(block(400, seed=1, age=41.5), key_hashes_n=np.full(400, 7, dtype=np.uint64))
    for _ in range(3):
        assert not rules.take(one_request)
        assert not rules.take(one_client)


def test_a_constant_output_is_told_only_while_the_inputs_differ(rules: RunRules) -> None:
    same = np.tile(scores(rows(np.random.default_rng(3), 1)), (200, 1))
    seen = replace(block(200, seed=4), scores_nk=same)
    assert rules.take(seen)
    (constant,) = rules.answers()
    assert constant.statistic == "constant"
    repeated = RunRules(rules.model, Budget())
    values_nd = np.tile(rows(np.random.default_rng(3), 1), (200, 1))
    ids = tuple(f"p{i}" for i in range(200))
    repeated.take(replace(observe(values_nd, 0.0, scores_nk=same), request_ids=ids))
    assert repeated.answers() == ()


def test_unchanged_rows_break_nothing(rules: RunRules) -> None:
    assert not any(rules.take(block(500, seed=i, worker=f"w{i % 3}")) for i in range(60))


def test_missing_values_are_no_run(rules: RunRules) -> None:
    assert not any(rules.take(block(seed=i, age=float("nan"))) for i in range(10))
