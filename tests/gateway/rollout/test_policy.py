"""The policy of rollouts: what it does where, and what it never does."""

from dataclasses import replace
from typing import Any, cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rollout.change import moved_rollout, moved_route
from gateway.rollout.document import STATES, TERMINAL, Hindrance, Override, RolloutDocument, Stage
from gateway.rollout.plan import Plan
from gateway.rollout.policy import Move, counted_from, decide, following, hindrances
from gateway.rollout.situation import Situation
from gateway.routing.document import FULL_BP, RouteDocument, Stop
from monitors.records import GateResult
from tests.gateway.rollout.material import findings, rollout, route_of, situation

CANARY: dict[str, Any] = {"state": "canary", "stage": "canary"}
STAGES: tuple[Stage, ...] = ("validating", "shadow", "canary", "baking")
often = settings(max_examples=80, deadline=None, derandomize=True)
ORDER = {"validating": 0, "shadow": 1, "canary": 2, "baking": 3}


def place(one: RolloutDocument | Move) -> tuple[int, int, bool]:
    """Return how far a rollout is."""
    state = one.to if isinstance(one, Move) else one.state
    return ORDER[one.stage], one.step, state == "completed"


@st.composite
def rollouts(draw: st.DrawFn) -> RolloutDocument:
    steps = draw(st.lists(st.integers(1, 9_900), min_size=1, max_size=4, unique=True).map(sorted))
    plan = Plan(
        steps=tuple(step / 100 for step in steps),
        shadow=draw(st.sampled_from([Plan().shadow, None])),
        on_stall=draw(st.sampled_from(["rollback", "hold"])),
    )
    state = draw(st.sampled_from(STATES))
    stage = draw(st.sampled_from(STAGES)) if state not in STAGES else state
    stage = "validating" if state == "draft" else stage
    step = draw(st.integers(0, len(steps) - 1)) if stage == "canary" else 0
    return rollout(plan=plan, state=state, stage=stage, step=step, rearms=draw(st.integers(0, 5)))


@st.composite
def situations(draw: st.DrawFn, results: tuple[GateResult, ...] = ("pass", "abort", "inconclusive")) -> Situation:
    one = draw(rollouts())
    seconds = st.sampled_from([0.0, 1.0, 59.0, 601.0, 1e6])
    given_results = draw(st.lists(st.sampled_from(results), max_size=4))
    return Situation(
        rollout=one,
        route=draw(st.sampled_from([route_of(one), route_of(one), None, RouteDocument("fraud", 9, "5", "x")])),
        stage_s=draw(seconds),
        held_s=draw(seconds),
        load=draw(st.sampled_from(["ready", "loading", "failed"])),
        is_home_ready=draw(st.booleans()),
        is_converged=draw(st.booleans()),
        tripped=draw(st.integers(0, 2)),
        incident=draw(st.sampled_from(["", "drift"])),
        stale_s=draw(st.sampled_from([0.0, 60.0])),
        findings=findings(one, *given_results),
    )


@often
@given(situations())
def test_a_rollout_that_is_over_stays_as_it_is(found: Situation) -> None:
    if found.rollout.state in TERMINAL:
        assert decide(found) is None


@often
@given(situations())
def test_it_advances_only_when_every_gate_has_passed_and_nothing_hinders(found: Situation) -> None:
    move = decide(found)
    if move is None or place(move) <= place(found.rollout) or found.rollout.stage == "validating":
        return
    assert found.verdicts
    assert all(verdict.result == "pass" for verdict in found.verdicts)
    assert hindrances(found) == []
    assert found.rollout.state == found.rollout.stage
    assert (move.to, move.stage, move.step) == following(found)


@often
@given(situations(results=("pass", "inconclusive")))
def test_what_is_inconclusive_never_advances_and_never_takes_back_before_the_deadline(found: Situation) -> None:
    if all(verdict.result == "pass" for verdict in found.verdicts) or found.rollout.stage == "validating":
        return
    move = decide(found)
    if move is not None:
        assert place(move) == place(found.rollout)
        if move.to in ("rolling_back", "failed"):
            assert found.rollout.state == "holding"
            assert found.held_s >= found.rollout.plan.hold_s


@often
@given(situations())
def test_evidence_against_the_candidate_is_heeded_in_every_state_that_is_not_over(found: Situation) -> None:
    is_ours = found.route is not None and found.route.stable != "5"
    if not any(verdict.result == "abort" for verdict in found.verdicts) or found.rollout.state in TERMINAL:
        return
    if found.rollout.state == "rolling_back" or not is_ours:
        return
    move = decide(found)
    if found.rollout.stage == "baking" and not found.is_home_ready:
        assert move is None or move.to == "holding"
        return
    assert move is not None
    assert move.to == ("failed" if found.rollout.stage == "shadow" else "rolling_back")


@often
@given(situations(), st.booleans())
def test_a_crash_is_heeded_in_every_state_that_is_not_over_even_before_home_is_ready(
    found: Situation, is_home_lost: bool
) -> None:
    is_ours = found.route is not None and found.route.stable != "5"
    if found.rollout.state in TERMINAL or found.rollout.state == "rolling_back" or not is_ours:
        return
    move = decide(replace(found, crash="worker-0 crashed with SIGFPE", is_home_lost=is_home_lost))
    if found.rollout.stage == "baking" and is_home_lost and not found.is_home_ready:
        assert move is None or move.to == "holding"
        return
    assert move is not None
    assert move.against == ("crash",)
    assert move.to == ("failed" if found.rollout.stage in ("validating", "shadow") else "rolling_back")


@often
@given(situations())
def test_a_route_that_others_changed_is_left_alone(found: Situation) -> None:
    is_ours = found.route is not None and found.route.stable != "5"
    if is_ours or found.rollout.state in TERMINAL or found.rollout.state == "rolling_back":
        return
    move = decide(found)
    assert move is not None
    assert move.to == "superseded"


@often
@given(situations())
def test_every_move_leaves_weights_that_sum_to_the_whole_and_a_route_that_is_the_rollouts(found: Situation) -> None:
    move = decide(found)
    if move is None or found.route is None:
        return
    route = moved_route(move, found.rollout, found.route) or found.route
    after = moved_rollout(move, found.rollout, route.revision, now_s=5.0, now="now", actor="weir")
    assert route.stable_bp + (route.canary.weight_bp if route.canary else 0) == FULL_BP
    assert route.canary is None or 0 < route.canary.weight_bp < FULL_BP
    assert route.revision in (found.route.revision, found.route.revision + 1)
    if move.to in ("rolling_back", "superseded"):
        return
    next_move = decide(Situation(rollout=after, route=route))
    assert next_move is None or next_move.to != "superseded"


@often
@given(situations())
def test_going_back_leaves_all_traffic_on_the_version_that_served_before(found: Situation) -> None:
    move = decide(found)
    if move is None or move.to != "rolling_back" or found.route is None:
        return
    route = moved_route(move, found.rollout, found.route)
    assert route is not None
    assert (route.stable, route.canary) == ("1", None)
    assert [shadow.version for shadow in route.shadows] == ["9"]


def test_a_healthy_rollout_goes_through_every_stage_and_ends() -> None:
    one, route, seen = rollout(state="draft"), route_of(rollout()), []
    for _ in range(20):
        found = Situation(rollout=one, route=route, stage_s=1e6, load="ready", findings=findings(one, "pass", "pass"))
        move = decide(found)
        if move is None:
            break
        route = moved_route(move, one, route) or route
        one = moved_rollout(move, one, route.revision, now_s=5.0, now="now", actor="weir")
        seen.append((move.to, route.canary.weight_bp if route.canary else 0, route.stable))
    assert seen == [
        ("validating", 0, "1"),
        ("shadow", 0, "1"),
        ("canary", 500, "1"),
        ("canary", 2_500, "1"),
        ("canary", 5_000, "1"),
        ("baking", 0, "2"),
        ("completed", 0, "2"),
    ]
    assert route.previous_stable == "1"
    assert [shadow.version for shadow in route.shadows] == ["9"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param({"is_converged": False}, "do not agree", id="workers differ"),
        pytest.param({"incident": "drift"}, "incident: drift", id="the world is to blame"),
        pytest.param({"stale_s": 11.0}, "no evidence for 11 s", id="evidence is stale"),
        pytest.param({"load": "loading", "load_why": "w1: loading"}, "w1: loading", id="a worker has it not"),
        pytest.param({"is_home_ready": False}, "version 1 is not ready", id="nowhere to go back to"),
    ],
)
def test_a_stage_is_held_after_its_time_while_something_hinders(facts: dict[str, Any], words: str) -> None:
    one = rollout(**CANARY)
    assert decide(situation(one, "pass", stage_s=10.0, **facts)) is None
    move = decide(situation(one, "pass", **facts))
    assert move is not None
    assert move.to == "holding"
    assert words in move.cause
    held = replace(one, state="holding", held_at=1.0)
    assert decide(situation(held, "pass", **facts)) is None
    resumed = decide(situation(held, "pass"))
    assert resumed is not None
    assert (resumed.to, resumed.step) == ("canary", 0)


def test_a_model_that_is_stopped_holds_its_rollout_at_once() -> None:
    found = situation(rollout(**CANARY), "pass", stage_s=0.0)
    assert found.route is not None
    stopped = replace(found, route=replace(found.route, stop=Stop("harm", "now", "ann")))
    move = decide(stopped)
    assert move is not None
    assert (move.to, move.cause.partition(":")[0]) == ("holding", "the model is stopped")


@pytest.mark.parametrize(
    ("entered_at", "resumed_at", "since"),
    [
        pytest.param(100.0, 0.0, 100.0, id="never stopped"),
        pytest.param(100.0, 60.0, 100.0, id="stopped in an earlier stage"),
        pytest.param(100.0, 160.0, 160.0, id="stopped in this one"),
        pytest.param(0.0, 0.0, 0.0, id="not begun"),
    ],
)
def test_the_time_of_a_stage_counts_from_its_beginning_or_from_the_end_of_a_stop(
    entered_at: float, resumed_at: float, since: float
) -> None:
    one = rollout(**CANARY, entered_at=entered_at)
    assert counted_from(one, replace(route_of(one), resumed_at=resumed_at)) == since
    assert counted_from(one, None) == entered_at


def test_a_tripped_worker_holds_at_once_and_is_asked_again_a_few_times() -> None:
    one = rollout(**CANARY)
    move = decide(situation(one, "inconclusive", tripped=1, stage_s=0.0))
    assert move is not None
    assert move.to == "holding"
    held = replace(one, state="holding")
    assert decide(situation(held, "inconclusive", tripped=1, held_s=4.0)) is None
    again = decide(situation(held, "inconclusive", tripped=1, held_s=6.0))
    assert again is not None
    assert again.rearms
    route = moved_route(again, held, route_of(one))
    assert route is not None
    assert (route.revision, route.canary) == (8, route_of(one).canary)
    after = moved_rollout(again, held, 8, now_s=5.0, now="now", actor="weir")
    assert (after.state, after.rearms, after.since_revision) == ("canary", 1, 0)
    assert decide(situation(replace(held, rearms=3), "inconclusive", tripped=1, held_s=6.0)) is None


@pytest.mark.parametrize(("on_stall", "to"), [("rollback", "rolling_back"), ("hold", None)])
def test_the_deadline_of_a_hold_is_the_plans(on_stall: str, to: str | None) -> None:
    plan = replace(Plan(), on_stall=cast(Any, on_stall))
    move = decide(situation(rollout(state="holding", stage="canary", plan=plan), "inconclusive", held_s=86_400.0))
    assert (move.to if move else None) == to


@pytest.mark.parametrize(
    ("facts", "to"),
    [
        pytest.param({"load": "failed", "load_why": "refused"}, "failed", id="refused"),
        pytest.param({"load": "loading", "stage_s": 601.0}, "failed", id="too late"),
        pytest.param({"load": "loading", "stage_s": 1.0}, None, id="still loading"),
        pytest.param({"is_converged": False, "stage_s": 1.0}, None, id="workers differ"),
    ],
)
def test_a_candidate_that_does_not_load_never_gets_traffic(facts: dict[str, Any], to: str | None) -> None:
    move = decide(situation(rollout(state="validating"), **facts))
    assert (move.to if move else None) == to


@pytest.mark.parametrize(
    ("at", "to"),
    [
        pytest.param({"state": "validating"}, "failed", id="validating"),
        pytest.param({"state": "shadow", "stage": "shadow"}, "failed", id="shadow"),
        pytest.param({"state": "canary", "stage": "canary"}, "rolling_back", id="canary"),
        pytest.param({"state": "holding", "stage": "canary"}, "rolling_back", id="held"),
        pytest.param({"state": "paused", "stage": "canary"}, "rolling_back", id="paused"),
        pytest.param({"state": "baking", "stage": "baking"}, "rolling_back", id="baking"),
    ],
)
def test_a_candidate_that_crashed_a_process_is_out_whatever_else_is_known(at: dict[str, Any], to: str) -> None:
    move = decide(situation(rollout(**at), "inconclusive", crash="worker-0 crashed with SIGFPE", load="failed"))
    assert move is not None
    assert (move.to, move.cause) == (to, "worker-0 crashed with SIGFPE")


def test_findings_of_another_stage_say_nothing() -> None:
    one = rollout(**CANARY)
    of_before = findings(replace(one, stage="shadow", state="shadow"), "abort")
    assert decide(situation(one, stage_s=1.0, findings=of_before)) is None


def test_going_back_ends_when_every_worker_has_gone_back() -> None:
    one = rollout(state="rolling_back", stage="canary", cause="errors")
    assert decide(situation(one, is_converged=False)) is None
    move = decide(situation(one))
    assert move is not None
    assert (move.to, move.cause) == ("rolled_back", "errors")


def answered_for(one: RolloutDocument, *gates: Hindrance) -> RolloutDocument:
    return replace(one, overrides=tuple(Override(gate, "ann", "now", "looked at it") for gate in gates))


def test_an_operator_answers_for_a_gate_and_for_no_other() -> None:
    one = rollout(**CANARY)
    waits = decide(situation(answered_for(one, "latency"), "inconclusive", "pass", "inconclusive", "pass"))
    assert waits is not None
    assert (waits.to, waits.cause) == ("holding", "errors: it is inconclusive")
    move = decide(situation(answered_for(one, "errors", "latency"), "inconclusive", "pass", "inconclusive", "pass"))
    assert move is not None
    assert (move.to, move.step) == ("canary", 1)
    assert "errors: it is inconclusive (overridden by ann: looked at it)" in move.cause
    after = moved_rollout(move, answered_for(one, "errors", "latency"), 8, now_s=5.0, now="now", actor="weir")
    assert after.overrides == (), "it is of the stage in which it was given"


def test_an_override_ends_a_hold_and_lasts_as_long_as_the_stage() -> None:
    held = answered_for(rollout(state="holding", stage="canary", held_at=1.0), "errors", "incident")
    move = decide(situation(held, "inconclusive", "pass", incident="drift"))
    assert move is not None
    assert (move.to, move.step) == ("canary", 0)
    assert moved_rollout(move, held, 8, now_s=5.0, now="now", actor="weir").overrides == held.overrides


@often
@given(situations(), st.lists(st.sampled_from(get_args(Hindrance)), max_size=6, unique=True))
def test_nobody_answers_for_evidence_against_the_candidate(found: Situation, gates: list[Hindrance]) -> None:
    one = answered_for(found.rollout, *gates)
    if any(verdict.result == "abort" for verdict in found.verdicts):
        assert decide(replace(found, rollout=one)) == decide(found)
