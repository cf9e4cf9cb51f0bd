"""Changes of a route: what is accepted, and what follows."""

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DocumentInvalid, NothingToRollBack
from gateway.routing.change import RouteRequest, first_route, parse_route_request, propose, roll_back
from gateway.routing.codec import decode_route, encode_route, route_view
from gateway.routing.document import FULL_BP, CanaryRoute, RouteDocument, ShadowRoute

CURRENT = RouteDocument("m", 4, "1", "salt-0", previous_stable="0")


def body(**fields: Any) -> bytes:
    return json.dumps({"stable": "1", "reason": "why", **fields}).encode()


def after(current: RouteDocument, request: RouteRequest) -> RouteDocument:
    return propose(current, request, now="now", actor="ann", salt_source=lambda: "new salt")


@pytest.mark.parametrize(
    ("percent", "basis_points"),
    [
        ("33.33", 3333),
        ("0.01", 1),
        ("0.29", 29),
        ("57.99", 5799),
        ("100", 10_000),
        ("100.0", 10_000),
        ("0", 0),
        ("1e1", 1000),
    ],
)
def test_percentages_become_exact_basis_points(percent: str, basis_points: int) -> None:
    text = f'{{"stable": "1", "reason": "r", "canary": {{"version": "2", "weight": {percent}}}}}'
    assert parse_route_request(text.encode()).canary == CanaryRoute("2", basis_points)


@given(st.integers(0, FULL_BP))
def test_every_basis_point_can_be_asked_for_in_percent(basis_points: int) -> None:
    percent = basis_points / 100
    request = parse_route_request(body(canary={"version": "2", "weight": percent}))
    assert request.canary == CanaryRoute("2", basis_points)
    view = route_view(after(CURRENT, request))
    assert view["canary"] == {"version": "2", "weight": percent}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        pytest.param({"canary": {"version": "2", "weight": 33.333}}, "/canary/weight", id="three-decimals"),
        pytest.param({"canary": {"version": "2", "weight": -0.01}}, "/canary/weight", id="negative"),
        pytest.param({"canary": {"version": "2", "weight": 100.01}}, "/canary/weight", id="above-all"),
        pytest.param({"canary": {"version": "2", "weight": "10"}}, "/canary/weight", id="string"),
        pytest.param({"canary": {"version": "2", "weight": True}}, "/canary/weight", id="boolean"),
        pytest.param({"canary": {"version": "2"}}, "/canary/weight", id="no-weight"),
        pytest.param({"canary": {"version": "1", "weight": 1}}, "/canary/version", id="canary-is-stable"),
        pytest.param({"canary": {"version": "2", "weight": 1, "x": 1}}, "/canary/x", id="unknown-in-canary"),
        pytest.param({"shadow": [{"version": "3", "sample": 0.001}]}, "/shadow/0/sample", id="sample"),
        pytest.param({"shadow": [{"version": "3"}, {"version": "3"}]}, "/shadow/1/version", id="shadow-twice"),
        pytest.param({"shadow": [{"version": "1"}]}, "/shadow/0/version", id="shadow-is-stable"),
        pytest.param({"shadows": []}, "/shadows", id="unknown"),
        pytest.param({"stable": 1}, "/stable", id="number-as-version"),
        pytest.param({"stable": ""}, "/stable", id="empty-version"),
        pytest.param({"reason": "  "}, "/reason", id="no-reason"),
        pytest.param({"reason": "x" * 501}, "/reason", id="long-reason"),
    ],
)
def test_a_request_that_breaks_the_rules_is_refused_by_pointer(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_route_request(body(**fields))
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(DocumentInvalid) as caught:
        parse_route_request(body(reason="", canary={"version": "1", "weight": 101}))
    assert [fault.pointer for fault in caught.value.faults] == ["/reason", "/canary/weight", "/canary/version"]


def test_a_request_becomes_the_next_document() -> None:
    request = parse_route_request(body(canary={"version": "2", "weight": 10}, shadow=[{"version": "3", "sample": 0.5}]))
    assert after(CURRENT, request) == RouteDocument(
        model="m",
        revision=5,
        stable="1",
        salt="new salt",
        canary=CanaryRoute("2", 1000),
        shadows=(ShadowRoute("3", 50),),
        previous_stable="0",
        reason="why",
        updated_at="now",
        updated_by="ann",
    )


def test_the_salt_stays_while_the_canary_stays() -> None:
    first = after(CURRENT, RouteRequest("1", CanaryRoute("2", 100), (), "start"))
    raised = propose(
        first, RouteRequest("1", CanaryRoute("2", 200), (), "up"), now="", actor="", salt_source=lambda: "another"
    )
    other = propose(
        raised, RouteRequest("1", CanaryRoute("3", 200), (), "other"), now="", actor="", salt_source=lambda: "another"
    )
    assert (first.salt, raised.salt, other.salt) == ("new salt", "new salt", "another")


def test_the_previous_stable_version_is_remembered_when_stable_changes() -> None:
    assert after(CURRENT, RouteRequest("2", None, (), "r")).previous_stable == "1"
    assert after(CURRENT, RouteRequest("1", None, (), "r")).previous_stable == "0"


def test_rolling_back_removes_the_canary_first() -> None:
    current = RouteDocument("m", 4, "1", "s", CanaryRoute("2", 500), (ShadowRoute("3", 1),), "0")
    back = roll_back(current, now="now", actor="ann", reason="bad")
    assert (back.revision, back.stable, back.canary, back.previous_stable) == (5, "1", None, "0")
    assert (back.shadows, back.reason, back.updated_at, back.updated_by) == (current.shadows, "bad", "now", "ann")


def test_rolling_back_without_a_canary_returns_to_the_previous_stable_version_once() -> None:
    current = RouteDocument("m", 4, "1", "s", None, (ShadowRoute("0", 1), ShadowRoute("3", 1)), "0")
    back = roll_back(current, now="", actor="", reason="bad")
    assert (back.stable, back.previous_stable, back.shadows) == ("0", None, (ShadowRoute("3", 1),))
    with pytest.raises(NothingToRollBack):
        roll_back(back, now="", actor="", reason="again")


REQUESTS = st.builds(
    RouteRequest,
    stable=st.sampled_from("12"),
    canary=st.none() | st.builds(CanaryRoute, st.sampled_from("34"), st.integers(0, FULL_BP)),
    shadows=st.just(()),
    reason=st.just("r"),
)


@given(st.lists(REQUESTS | st.none()))
def test_weights_always_sum_to_all_and_stored_routes_come_back(steps: list[RouteRequest | None]) -> None:
    route, salts = first_route("m", ["1", "2"]), count()
    for step in steps:
        if step is not None:
            route = propose(route, step, now="t", actor="a", salt_source=lambda: str(next(salts)))
        elif route.canary or route.previous_stable:
            route = roll_back(route, now="t", actor="a", reason="r")
        assert route.stable_bp + (route.canary.weight_bp if route.canary else 0) == FULL_BP
        assert 0 <= route.stable_bp <= FULL_BP
        assert decode_route(encode_route(route), route.revision) == route


def test_the_highest_integer_is_first() -> None:
    assert first_route("m", ["2", "10", "9"]) == RouteDocument("m", 0, "10", "", reason="first start")
    assert first_route("m", ["blue", "green"], "green").stable == "green"


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        pytest.param(["1", "01"], None, id="tie"),
        pytest.param(["1", "blue"], None, id="not-an-integer"),
        pytest.param(["1", "²"], None, id="not-a-digit"),
        pytest.param([], None, id="none"),
    ],
)
def test_names_that_do_not_decide_need_a_choice(versions: list[str], chosen: str | None) -> None:
    with pytest.raises(DocumentInvalid, match="weir serve --stable m=VERSION"):
        first_route("m", versions, chosen)


def test_a_choice_must_be_there() -> None:
    with pytest.raises(DocumentInvalid, match="one of 1, 2, found the choice '3'"):
        first_route("m", ["1", "2"], "3")
