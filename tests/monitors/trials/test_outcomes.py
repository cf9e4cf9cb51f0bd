"""Outcomes that come later: joined with the answers, and weighed against stable's."""

from math import log

import numpy as np
import pytest

from benchmarks.rollout.outcomes import keys_until_abort
from monitors.records import GateResult, Guards, OutcomeGuard, OutputSchema, StreamInfo, TrueOutcome
from monitors.trials.book import TrialBook
from monitors.trials.budget import abort_level
from monitors.trials.joining import Answer, ArmLosses, OutcomeJoin
from monitors.trials.outcomes import OutcomeEvidence, outcomes_verdict
from tests.monitors.trials.material import answers, info, spec

REQUIRED = OutcomeGuard(required=True, keys=50)


def told(**outcomes: str | float) -> list[TrueOutcome]:
    return [TrueOutcome(name, outcome) for name, outcome in outcomes.items()]


def evidence_of(*blocks: ArmLosses) -> OutcomeEvidence:
    evidence = OutcomeEvidence(tolerated=1.1)
    evidence.add(blocks)
    return evidence


def result_of(evidence: OutcomeEvidence, guard: OutcomeGuard) -> GateResult | None:
    verdict = outcomes_verdict(spec(), guard, evidence)
    return None if verdict is None else verdict.result


def test_an_outcome_is_compared_once_and_a_key_counts_once() -> None:
    join = OutcomeJoin()
    join.expect("a", 7, Answer(True, 0, "yes"))
    join.expect("b", 7, Answer(True, 0, "no"))
    join.expect("c", 0, Answer(False, 0, "yes"))
    assert join.take(told(a="no", b="no", c="yes", d="no")) == {"joined": 2, "unknown": 2, "unusable": 0}
    assert join.take(told(a="no")) == {"joined": 0, "unknown": 1, "unusable": 0}
    assert list(join.cut()) == [ArmLosses(1, 1, 1.0, 0.0)]
    assert list(join.cut()) == []


def test_the_oldest_answers_are_forgotten_beyond_a_number() -> None:
    join = OutcomeJoin(most=2)
    for name in "abc":
        join.expect(name, 0, Answer(False, 0, "yes"))
    assert join.take(told(a="yes", b="yes", c="yes")) == {"joined": 2, "unknown": 1, "unusable": 0}


def test_steps_are_compared_apart_and_an_arm_waits_for_the_other() -> None:
    join = OutcomeJoin()
    for name, of_candidate, step in [("a", True, 0), ("b", True, 1), ("c", False, 1), ("d", False, 0)]:
        join.expect(name, 0, Answer(of_candidate, step, "yes"))
    join.take(told(a="no", b="yes", c="yes"))
    assert list(join.cut()) == [ArmLosses(1, 1, 0.0, 0.0)]
    join.take(told(d="yes"))
    assert list(join.cut()) == [ArmLosses(1, 1, 1.0, 0.0)]


@pytest.mark.parametrize(
    ("answered", "outcome", "loss"),
    [
        pytest.param("1", 1.0, 0.0, id="number of a class"),
        pytest.param("0.5", 0.5, 0.0, id="class that is a fraction"),
        pytest.param("yes", "Yes", 1.0, id="other class"),
        pytest.param(3.0, 4.0, 0.5, id="share of the scale"),
        pytest.param(3.0, -40.0, 1.0, id="beyond the scale"),
    ],
)
def test_a_loss_lies_between_right_and_wrong(answered: str | float, outcome: str | float, loss: float) -> None:
    join = OutcomeJoin(scale=2.0)
    join.expect("a", 0, Answer(True, 0, answered))
    join.expect("b", 0, Answer(False, 0, "yes"))
    assert join.take(told(a=outcome, b="yes"))["joined"] == 2
    assert list(join.cut()) == [ArmLosses(1, 1, loss, 0.0)]


@pytest.mark.parametrize(("outcome", "scale"), [("high", 2.0), (3.0, None)])
def test_an_outcome_that_cannot_be_compared_leaves_its_answer_waiting(
    outcome: str | float, scale: float | None
) -> None:
    join = OutcomeJoin(scale=scale)
    join.expect("a", 0, Answer(True, 0, 3.0))
    for _ in range(2):
        assert join.take(told(a=outcome)) == {"joined": 0, "unknown": 0, "unusable": 1}


def test_without_outcomes_there_is_no_verdict_unless_the_plan_requires_some() -> None:
    assert result_of(evidence_of(), OutcomeGuard()) is None
    assert result_of(evidence_of(), REQUIRED) == "inconclusive"


def test_few_outcomes_hinder_nothing_unless_the_plan_requires_more() -> None:
    few = evidence_of(ArmLosses(5, 5, 0.0, 0.0))
    assert (result_of(few, OutcomeGuard()), result_of(few, REQUIRED)) == ("pass", "inconclusive")
    many = evidence_of(ArmLosses(800, 800, 8.0, 8.0))
    assert result_of(many, REQUIRED) == "pass"


def test_a_candidate_that_is_wrong_more_often_is_aborted() -> None:
    rng = np.random.default_rng(5)
    evidence, keys = OutcomeEvidence(tolerated=1.1), 0
    while result_of(evidence, OutcomeGuard()) != "abort":
        keys += 10
        evidence.add([ArmLosses(10, 90, float(rng.binomial(10, 0.3)), float(rng.binomial(90, 0.1)))])
        assert keys < 400


def test_a_candidate_that_is_wrong_four_times_as_often_is_found_through_the_join() -> None:
    keys = keys_until_abort(0.4, 0.1, 0.5, seed=1)
    assert keys is not None
    assert keys <= 400


def test_an_equal_candidate_is_hardly_ever_aborted_whatever_the_share_that_is_wrong() -> None:
    rng, level, aborted = np.random.default_rng(6), log(50), 0
    assert level < abort_level("outcomes", spec())
    for _ in range(200):
        share, weight = rng.uniform(0.01, 0.9), rng.choice([0.05, 0.5])
        evidence = OutcomeEvidence(tolerated=1.0)
        for _ in range(60):
            mine = int(rng.binomial(20, weight))
            if 0 < mine < 20:
                losses = rng.binomial(1, share, 20) * rng.uniform(0.2, 1.0, 20)
                evidence.add([ArmLosses(mine, 20 - mine, float(losses[:mine].sum()), float(losses[mine:].sum()))])
            if evidence.nats >= level:
                aborted += 1
                break
    assert aborted <= 10  # 200 / 50, and three standard deviations


def book_of(**changes: object) -> TrialBook:
    book = TrialBook()
    book.receive(info("1"))
    book.receive(info("2"))
    book.follow([spec(**changes)])
    return book


def test_an_outage_that_makes_half_of_all_answers_wrong_blames_no_equal_candidate_while_weights_change() -> None:
    level = abort_level("outcomes", spec(steps=3))
    assert sum(most_nats_in_an_outage(seed) >= level for seed in range(12)) == 0


def most_nats_in_an_outage(seed: int, report: int = 10) -> float:
    """Return the highest evidence over three steps of 1,200 keys; outages come and go in each."""
    rng = np.random.default_rng(seed)
    join, evidence, most = OutcomeJoin(), evidence_of(), -9.0
    for step, weight in enumerate((0.01, 0.05, 0.25)):
        for first in range(0, 1_200, report):
            wrong = 0.5 if first % 400 < 200 else 0.02
            names = [f"{step}-{first + at}" for at in range(report)]
            for name in names:
                join.expect(name, 0, Answer(bool(rng.random() < weight), step, "no" if rng.random() < wrong else "yes"))
            join.take(told(**dict.fromkeys(names, "yes")))
            evidence.add(join.cut())
            most = max(most, evidence.nats)
    return most


def test_answers_are_joined_by_the_name_of_their_class_and_pinned_or_mended_ones_are_not() -> None:
    book = book_of()
    book.receive(answers("2", ["a"], [1], labels=[1]))
    book.receive(answers("1", ["b"], [2], labels=[0]))
    book.receive(answers("2", ["c"], [3], labels=[1], variant="pinned"))
    book.receive(answers("1", ["d"], [4], labels=[1], flags=[1]))
    taken = book.take_outcomes("fraud", told(a="no", b="no", c="no", d="no"))
    assert taken == {"joined": 2, "unknown": 2, "unusable": 0}
    verdict = {one.gate: one for one in book.judge()["fraud"].verdicts}["outcomes"]
    assert verdict.samples == 1
    assert "wrong on 100 % of 1 keys, stable on 0 % of 1" in verdict.why
    assert book.take_outcomes("other", told(a="no")) == {"joined": 0, "unknown": 1, "unusable": 0}


def test_a_regression_is_joined_by_its_value() -> None:
    book = book_of(guards=Guards(outcomes=OutcomeGuard(scale=1.0)))
    for version in "12":
        book.receive(StreamInfo("fraud", version, "", (), OutputSchema("regression")))
    book.receive(answers("2", ["a"]))
    book.receive(answers("1", ["b"]))
    book.take_outcomes("fraud", told(a=0.5, b=0.75))
    verdict = {one.gate: one for one in book.judge()["fraud"].verdicts}["outcomes"]
    assert verdict.estimate == pytest.approx(0.25)


def test_outcomes_of_a_step_that_is_over_still_take_the_candidate_back_in_the_bake() -> None:
    book = book_of(step=2, weight_bp=5_000)
    names = [str(number) for number in range(60)]
    book.receive(answers("2", [f"c{name}" for name in names], list(range(1, 61))))
    book.receive(answers("1", [f"s{name}" for name in names], list(range(101, 161))))
    book.follow([spec(stage="baking", step=2)])
    assert [one.gate for one in book.judge()["fraud"].verdicts] == ["baking"]
    book.take_outcomes("fraud", [TrueOutcome(f"c{name}", "yes") for name in names])
    book.take_outcomes("fraud", [TrueOutcome(f"s{name}", "no") for name in names])
    assert {one.gate: one.result for one in book.judge()["fraud"].verdicts}["outcomes"] == "abort"


def test_a_plan_without_the_gate_takes_no_outcomes() -> None:
    book = book_of(guards=Guards(outcomes=None))
    book.receive(answers("2", ["a"]))
    assert book.take_outcomes("fraud", told(a="no")) == {"joined": 0, "unknown": 1, "unusable": 0}
    assert "outcomes" not in [one.gate for one in book.judge()["fraud"].verdicts]


@pytest.mark.parametrize(("name", "outcome"), [("", "a"), ("x" * 257, "a"), ("a", float("nan")), ("a", "x" * 257)])
def test_an_outcome_that_is_none_is_refused(name: str, outcome: str | float) -> None:
    with pytest.raises(ValueError, match="is"):
        TrueOutcome(name, outcome)
