"""Trials on simulated traffic, and the budget that they keep."""

from math import exp
from typing import get_args

import numpy as np
import pytest

from monitors.records import ErrorGuard, GateName, Guards, LatencyGuard, ShadowGuard
from monitors.trials.budget import ALPHA, SHARES, abort_alpha, tripwire_level
from monitors.trials.counts import ArmCounts, TrialCounts
from monitors.trials.quantiles import latency_histogram
from monitors.trials.trial import Trial
from tests.monitors.trials.material import spec

GATES: tuple[GateName, ...] = get_args(GateName)


def arm(
    rng: np.random.Generator,
    keys: int,
    *,
    failing: float = 0.0,
    slower: float = 1.0,
    classes: tuple[float, float] = (0.7, 0.3),
    kept_s: float = 0.0,
) -> ArmCounts:
    failed = int(rng.binomial(keys, failing))
    classes_b = np.zeros(64, np.int64)
    classes_b[:2] = rng.multinomial(keys, classes)
    scores_b = np.bincount((rng.beta(5, 2, keys) * 511).astype(int), minlength=512)
    durations = slower * rng.lognormal(-4.5, 0.3, keys)
    latency_b, own_latency_b = latency_histogram(durations + kept_s), latency_histogram(durations)
    return ArmCounts(keys, keys, failed, failed, latency_b, own_latency_b, classes_b, scores_b)


def results(trial: Trial) -> dict[str, str]:
    return {verdict.gate: verdict.result for verdict in trial.verdicts()}


def test_the_whole_budget_is_spent_at_most_once_over_gates_steps_and_beginnings() -> None:
    assert ALPHA * sum(SHARES.values()) == pytest.approx(0.01)
    begun = [spec(steps=4, restarts=restarts) for restarts in range(50)]
    spent = sum(
        abort_alpha(gate, each) * {"errors": 4, "latency": 4, "predictions": 4, "outcomes": 5}.get(gate, 1)
        for each in begun
        for gate in GATES
    )
    spent += sum(4 * exp(-tripwire_level(4, beginnings)) for beginnings in range(50))
    assert 0.97 * ALPHA < spent <= ALPHA


def test_an_equal_candidate_passes_every_gate_and_is_not_aborted_on_the_way() -> None:
    rng, trial = np.random.default_rng(0), Trial(spec())
    for _ in range(80):
        trial.add(TrialCounts(arm(rng, 50, failing=0.01), arm(rng, 950, failing=0.01)))
        assert "abort" not in results(trial).values()
    assert results(trial) == dict.fromkeys(("split", "errors", "latency", "predictions"), "pass")


def test_a_candidate_that_the_host_keeps_from_its_work_is_neither_taken_back_nor_passed() -> None:
    rng, trial = np.random.default_rng(0), Trial(spec())
    for _ in range(80):
        trial.add(TrialCounts(arm(rng, 50, kept_s=0.5), arm(rng, 950)))
        assert results(trial)["latency"] == "inconclusive"
    why = next(verdict.why for verdict in trial.verdicts() if verdict.gate == "latency")
    assert "answers within 512 ms (11.1 ms without time for which the host gave it no core), of stable's within" in why


def test_a_candidate_that_is_slow_besides_is_taken_back() -> None:
    rng, trial = np.random.default_rng(0), Trial(spec())
    for _ in range(20):
        trial.add(TrialCounts(arm(rng, 50, kept_s=0.5, slower=20.0), arm(rng, 950, kept_s=0.01)))
    assert results(trial)["latency"] == "abort"


@pytest.mark.parametrize("weight_bp", [100, 500])
def test_an_outage_of_both_arms_blames_no_candidate_of_a_small_weight(weight_bp: int) -> None:
    rng, aborted = np.random.default_rng(1), 0
    for _ in range(40):
        trial = Trial(spec(weight_bp=weight_bp))
        for new in rng.binomial(4, weight_bp / 10_000, 300).tolist():
            mine, theirs = rng.binomial([new, 4 - new], 0.5).tolist()
            trial.add(TrialCounts(ArmCounts(new, new, mine, mine), ArmCounts(4 - new, 4 - new, theirs, theirs)))
            if mine and results(trial)["errors"] == "abort":
                aborted += 1
                break
    assert aborted == 0


def test_nothing_passes_before_it_was_seen() -> None:
    trial = Trial(spec())
    assert results(trial) == dict.fromkeys(("split", "errors", "latency", "predictions"), "inconclusive")
    assert all(verdict.needed is None for verdict in trial.verdicts())
    assert results(Trial(spec(stage="shadow"))) == {"shadow": "inconclusive"}
    assert results(Trial(spec(stage="baking"))) == {"baking": "inconclusive"}


@pytest.mark.parametrize(
    ("gate", "harm", "keys"),
    [
        pytest.param("errors", {"failing": 0.30}, 100, id="30 % errors"),
        pytest.param("errors", {"failing": 0.05}, 1_000, id="5 % errors"),
        pytest.param("latency", {"slower": 20.0}, 150, id="a quarter of a second slower"),
        pytest.param("predictions", {"classes": (0.0, 1.0)}, 500, id="collapse to one class"),
    ],
)
def test_harm_is_found_within_so_many_keys_of_the_candidate(gate: str, harm: dict[str, float], keys: int) -> None:
    rng, trial = np.random.default_rng(1), Trial(spec())
    while results(trial)[gate] != "abort":
        trial.add(TrialCounts(arm(rng, 25, **{"failing": 0.01} | harm), arm(rng, 475, failing=0.01)))  # type: ignore[arg-type]  # harm is one of several arguments
        assert trial.counts.candidate.keys <= keys


def test_one_failure_at_next_to_no_traffic_takes_nothing_back() -> None:
    trial = Trial(spec())
    trial.add(TrialCounts(ArmCounts(1, 1, 1, 1), ArmCounts(3, 3, 0, 0)))
    assert results(trial)["errors"] == "inconclusive"


def test_a_stable_version_without_any_failure_does_not_hide_a_candidate_that_fails_some() -> None:
    rng, trial = np.random.default_rng(4), Trial(spec())
    while (found := results(trial)["errors"]) != "abort":
        assert found == "inconclusive"
        trial.add(TrialCounts(arm(rng, 25, failing=0.05), arm(rng, 475)))
        assert trial.counts.candidate.keys <= 300


def test_a_small_difference_beyond_the_margin_is_held_and_not_passed() -> None:
    rng, trial = np.random.default_rng(2), Trial(spec(guards=Guards(errors=ErrorGuard(ratio=4.0))))
    for _ in range(100):
        trial.add(TrialCounts(arm(rng, 50, failing=0.04), arm(rng, 950, failing=0.01)))
    assert results(trial)["errors"] == "inconclusive"


def test_what_is_still_needed_is_about_what_is_then_needed() -> None:
    rng, trial = np.random.default_rng(3), Trial(spec())
    for _ in range(10):
        trial.add(TrialCounts(arm(rng, 50, failing=0.005), arm(rng, 950, failing=0.005)))
    needed = trial.verdicts()[1].needed
    assert needed is not None
    more = 0
    while results(trial)["errors"] != "pass":
        trial.add(TrialCounts(arm(rng, 50, failing=0.005), arm(rng, 950, failing=0.005)))
        more += 50
    assert 0.3 * needed < more < 3 * needed


def test_while_the_split_is_off_nothing_passes_and_aborts_stand() -> None:
    rng, trial = np.random.default_rng(4), Trial(spec())
    for _ in range(40):
        trial.add(TrialCounts(arm(rng, 150), arm(rng, 850)))
    assert results(trial) == dict.fromkeys(("split", "errors", "latency", "predictions"), "inconclusive")
    for _ in range(3):
        trial.add(TrialCounts(arm(rng, 150, failing=1.0), arm(rng, 850)))
    assert results(trial)["errors"] == "abort"


def test_the_split_passes_nothing_before_the_first_key_and_goes_on_without_new_ones() -> None:
    first = Trial(spec())
    assert results(first)["split"] == "inconclusive"
    first.add(TrialCounts(ArmCounts(5, 5), ArmCounts(95, 95)))
    assert results(first)["split"] == "pass"
    assert results(Trial(spec(step=1, weight_bp=2_500), split=first.split))["split"] == "pass"


def test_a_median_that_is_five_percent_worse_is_found_where_none_is_tolerated() -> None:
    rng = np.random.default_rng(3)
    guards = Guards(latency=LatencyGuard(quantiles=(0.5,), ratio=1.0, slack_ms=0.0))
    found = dict[float, str]()
    for slower in (1.0, 1.05):
        trial = Trial(spec(guards=guards, weight_bp=5_000))
        trial.add(TrialCounts(arm(rng, 40_000, slower=slower), arm(rng, 40_000)))
        found[slower] = results(trial)["latency"]
    assert found == {1.0: "inconclusive", 1.05: "abort"}


def test_the_split_goes_on_from_one_stage_to_the_next() -> None:
    first = Trial(spec())
    first.add(TrialCounts(ArmCounts(appeared=200), ArmCounts(appeared=1_800)))
    second = Trial(spec(step=1, weight_bp=2_500), split=first.split)
    assert second.verdicts()[0].evidence == first.verdicts()[0].evidence


def test_a_gate_that_is_left_out_says_nothing() -> None:
    guards = Guards(latency=None, predictions=None)
    assert set(results(Trial(spec(guards=guards)))) == {"split", "errors"}


@pytest.mark.parametrize(
    ("compared", "disagreed", "dropped", "result"),
    [
        pytest.param(2_000, 60, 0, "pass", id="3 % differ"),
        pytest.param(400, 0, 0, "inconclusive", id="too few"),
        pytest.param(2_000, 60, 300, "inconclusive", id="too many dropped"),
        pytest.param(2_000, 190, 0, "inconclusive", id="near the limit"),
        pytest.param(400, 120, 0, "abort", id="30 % differ"),
    ],
)
def test_a_shadow_is_judged_on_the_same_requests(compared: int, disagreed: int, dropped: int, result: str) -> None:
    trial = Trial(spec(stage="shadow", guards=Guards(shadow=ShadowGuard(disagreement=0.1))))
    trial.add(TrialCounts(compared=compared, disagreed=disagreed, dropped=dropped))
    assert results(trial) == {"shadow": result}


@pytest.mark.parametrize(("failed", "result"), [(0, "pass"), (20, "pass"), (95, "inconclusive"), (250, "abort")])
def test_a_candidate_with_all_traffic_is_held_to_a_limit(failed: int, result: str) -> None:
    trial = Trial(spec(stage="baking"))
    trial.add(TrialCounts(ArmCounts(keys=1_000, first_failed=failed)))
    assert results(trial) == {"baking": result}


def test_a_slow_host_is_allowed_for_and_a_slow_candidate_is_not() -> None:
    rng = np.random.default_rng(5)
    guards = Guards(latency=LatencyGuard(quantiles=(0.5,), ratio=1.1, slack_ms=0.0))
    both, one = Trial(spec(guards=guards)), Trial(spec(guards=guards))
    for _ in range(20):
        both.add(TrialCounts(arm(rng, 50, slower=3.0), arm(rng, 950, slower=3.0)))
        one.add(TrialCounts(arm(rng, 50, slower=1.5), arm(rng, 950)))
    assert results(both)["latency"] != "abort"
    assert results(one)["latency"] == "abort"
