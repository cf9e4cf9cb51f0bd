"""Plans: strict, with defaults that are safe."""

import pytest

from gateway.errors import DocumentInvalid
from gateway.rollout.document import RolloutDocument, Stage
from gateway.rollout.plan import Plan, parse_plan


def test_an_empty_plan_is_the_default() -> None:
    assert parse_plan(b"") == Plan()


def test_a_plan_says_everything_in_yaml() -> None:
    plan = parse_plan(b"""
steps: [1, 12.5]
shadow: {sample: 10, dwell_s: 5}
dwell_s: 30
on_stall: hold
guards:
  errors: {margin: 0.02, keys: 50}
  latency: null
""")
    assert (plan.weight_bp(0), plan.weight_bp(1)) == (100, 1_250)
    assert plan.guards.errors.keys == 50
    assert plan.guards.latency is None
    assert plan.guards.predictions is not None


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        pytest.param("steps: []", "", id="no steps"),
        pytest.param("steps: [10, 5]", "", id="falling"),
        pytest.param("steps: [5, 100]", "", id="the whole"),
        pytest.param("steps: [0.001]", "", id="finer than a basis point"),
        pytest.param("steps: [5, x]", "/steps/1", id="no number"),
        pytest.param("dwell_s: -1", "", id="negative time"),
        pytest.param("dwel_s: 1", "/dwel_s", id="misspelt"),
        pytest.param("shadow: {sample: 0}", "/shadow", id="no sample"),
        pytest.param("guards: {errors: {margin: 0}}", "/guards/errors", id="no margin"),
        pytest.param(
            "guards: {errors: {margin: 5.0e-324}}", "/guards/errors", id="a margin that no test can tell from 0"
        ),
        pytest.param("guards: {errors: {ratio: 1.0e308}}", "/guards/errors", id="a ratio beyond all numbers"),
        pytest.param("guards: {latency: {quantiles: [0.9999999999999999]}}", "/guards/latency", id="the last of all"),
        pytest.param("guards: {errors: null}", "/guards/errors", id="errors cannot be left out"),
        pytest.param("guards: {latency: {quantiles: [1.5]}}", "/guards/latency", id="no quantile"),
        pytest.param("on_stall: ignore", "/on_stall", id="unknown word"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_its_place(text: str, pointer: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_plan(text.encode())
    assert caught.value.faults[0].pointer == pointer


def test_a_plan_that_is_no_plan_but_a_large_file_is_refused_unread() -> None:
    with pytest.raises(DocumentInvalid, match="at most 65536 bytes"):
        parse_plan(b"steps: [" + b"1," * 500_000 + b"2]")


def test_outcomes_can_be_answered_for_only_where_the_plan_waits_for_them() -> None:
    def gates(text: bytes, stage: Stage) -> tuple[str, ...]:
        plan = parse_plan(text)
        return RolloutDocument(
            id="r", model="m", stable="1", candidate="2", plan=plan, salt="", reason="", stage=stage
        ).gates

    required = b"{guards: {outcomes: {required: true}, latency: null}}"
    assert gates(required, "canary") == ("errors", "predictions", "outcomes")
    assert gates(required, "baking") == ("baking", "outcomes")
    assert gates(required, "shadow") == ("shadow",)
    assert gates(b"{guards: {outcomes: null}}", "canary") == ("errors", "latency", "predictions")
    assert gates(b"{}", "baking") == ("baking",)


@pytest.mark.parametrize("guard", ["{scale: 0}", "{ratio: 0.5}", "{margin: 2}", "{keys: 0}", "{wait: true}"])
def test_a_guard_of_outcomes_that_makes_no_sense_is_refused(guard: str) -> None:
    with pytest.raises(DocumentInvalid):
        parse_plan(f"guards: {{outcomes: {guard}}}".encode())
