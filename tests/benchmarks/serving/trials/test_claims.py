"""The targets in trouble: each holds when it is met, and is missed when its own figure is bad."""

from dataclasses import replace

import pytest

from benchmarks.serving.trials.claims import noise, refusal_share, trial_claims
from benchmarks.serving.trials.records import Record
from tests.benchmarks.serving.trials.findings import (
    FINDINGS,
    ISOLATION,
    OVERLOAD,
    REFUSAL,
    RELOAD,
    SOAK,
    START,
    WORKERS,
)

MLP = replace(OVERLOAD, part="mlp", good=[950.0, 850.0, 1050.0])


def missed(*records: Record) -> list[str]:
    return [claim.text for claim in trial_claims(records) if not claim.holds]


def test_every_target_holds_when_it_is_met() -> None:
    assert missed(*FINDINGS, MLP) == []
    assert len(trial_claims((*FINDINGS, MLP))) == 26


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        pytest.param(replace(OVERLOAD, good=[830.0, 800.0, 900.0]), "goodput", id="goodput below what refusals allow"),
        pytest.param(replace(MLP, good=[890.0, 801.0, 990.0]), "goodput", id="goodput of the MLP"),
        pytest.param(replace(OVERLOAD, full_p99_ms=1100.0), "p99 of answers", id="late answers"),
        pytest.param(replace(OVERLOAD, problems={"500 internal": 1}), "other than 503", id="an error"),
        pytest.param(replace(OVERLOAD, problems={"503": 1}), "other than 503", id="no reason"),
        pytest.param(replace(OVERLOAD, no_answer=1), "other than 503", id="no answer"),
        pytest.param(replace(OVERLOAD, unhinted=1), "without retry-after", id="no hint"),
        pytest.param(replace(OVERLOAD, after_mb=220.0), "memory", id="memory kept"),
        pytest.param(replace(OVERLOAD, after=[0.9, 1.0, 1.0]), "first second", id="slow recovery"),
        pytest.param(replace(ISOLATION, p99_ms=12.0), "stable's p99", id="a shadow that is noticed"),
        pytest.param(replace(ISOLATION, errors=1), "shadow hangs: requests", id="an error beside a shadow"),
        pytest.param(replace(START, seconds=[1.6, 1.1, 1.7]), "first answer", id="a slow start"),
        pytest.param(replace(RELOAD, during_p99_ms=16.0), "p99 during", id="a reload that is noticed"),
        pytest.param(replace(RELOAD, failures=1), "reload", id="a request lost to a reload"),
        pytest.param(replace(RELOAD, after_mb=700.0), "memory", id="a version kept"),
        pytest.param(replace(SOAK, undeserved={"good": "500"}), "undeserved", id="an undeserved answer"),
        pytest.param(replace(SOAK, counters={"good ok": [100, 100, 99]}), "counters", id="one request not counted"),
        pytest.param(replace(SOAK, counters={"cancelled ": [0, 10, 11]}), "counters", id="one counted twice"),
        pytest.param(
            replace(SOAK, growth=SOAK.growth | {"anonymous MB": [1.0, 200.0]}), "growth of memory", id="a leak"
        ),
        pytest.param(
            replace(SOAK, growth=SOAK.growth | {"asyncio tasks": [0.2, 9.0]}), "asyncio tasks", id="tasks left behind"
        ),
        pytest.param(
            replace(SOAK, growth=SOAK.growth | {"open files": [0.5, 120.0]}), "open files", id="files left open"
        ),
    ],
)
def test_a_bad_figure_misses_its_target_and_no_other(bad: Record, text: str) -> None:
    (found,) = missed(REFUSAL, bad)
    assert text in found


def test_a_second_worker_that_brings_little_misses_its_target() -> None:
    one, _ = WORKERS.rates
    assert missed(replace(WORKERS, rates=[one, [5400.0, 3300.0, 4800.0]])) == [
        "MLP: two workers on two cores to one on one"
    ]


def test_goodput_of_each_burst_is_held_against_the_capacity_around_it() -> None:
    moving = replace(OVERLOAD, capacity=[1000.0, 500.0, 800.0], good=[600.0, 400.0, 560.0])
    assert [claim.measured for claim in trial_claims([moving, REFUSAL])][:1] == [0.7]
    other = replace(moving, round=1, capacity=[100.0] * 3, good=[90.0] * 3)
    assert [claim.measured for claim in trial_claims([moving, other, REFUSAL])][:1] == [(0.8 + 0.9) / 2]


def test_the_cost_of_a_refusal_is_that_of_the_quota_where_it_was_measured() -> None:
    assert refusal_share([OVERLOAD, REFUSAL], "small") == (0.1, "429")
    assert refusal_share([OVERLOAD], "small") == (0.15, "503 at 4x")
    assert refusal_share([OVERLOAD, replace(REFUSAL, refused=0)], "small") == (0.15, "503 at 4x")
    assert refusal_share([MLP, REFUSAL], "mlp") == (0.15, "503 at 4x")
    assert refusal_share([replace(OVERLOAD, part="small at 1.5x"), REFUSAL], "small at 1.5x") == (0.1, "429")


def test_the_bound_of_goodput_follows_from_the_cost_of_a_refusal_and_what_was_offered() -> None:
    first = trial_claims([OVERLOAD, REFUSAL])[0]
    assert first.target == pytest.approx((1 - 2 * 0.1) / (1 - 0.1) - 0.05)
    more = trial_claims([replace(OVERLOAD, offered=[3000.0, 2700.0, 3300.0]), REFUSAL])[0]
    assert more.target == pytest.approx((1 - 3 * 0.1) / (1 - 0.1) - 0.05)


def test_a_gateway_whose_refusals_cannot_be_priced_does_not_meet_the_bound() -> None:
    assert "goodput" in missed(replace(OVERLOAD, refusal_us=float("nan")))[0]


def test_medians_are_taken_over_rounds_and_failures_added_up() -> None:
    rounds = [replace(RELOAD, round=i, during_p99_ms=p99_ms) for i, p99_ms in enumerate((99.0, 12.0, 13.0))]
    assert missed(*rounds) == []
    assert len(missed(*rounds, replace(RELOAD, round=3, failures=1))) == 1


def test_noise_is_the_spread_without_trouble_within_limits() -> None:
    assert noise([replace(ISOLATION, around_p99_ms=[10.0, 10.0, 12.0])]) == pytest.approx(1.2)
    assert noise([replace(ISOLATION, around_p99_ms=[10.0, 10.0])]) == 1.1
    assert noise([replace(ISOLATION, around_p99_ms=[10.0, 10.0, 90.0])]) == 1.5
