"""Stopping a model: what the document becomes, and what outlives the stop."""

from gateway.routing.change import parse_route_request, propose, resumed, roll_back, stopped
from gateway.routing.codec import decode_route, encode_route, route_view
from gateway.routing.document import CanaryRoute, RouteDocument, Stop

ROUTE = RouteDocument("m", 4, "1", "s", CanaryRoute("2", 500))
SAID = {"now": "2026-01-01T00:00:00Z", "actor": "ann", "reason": "harm"}


def test_a_stop_leaves_the_route_as_it_is_and_a_resumption_puts_it_into_force() -> None:
    after = stopped(ROUTE, "3", None, **SAID)
    assert after.stop == Stop("harm", SAID["now"], "ann", "3")
    assert (after.revision, after.stable, after.canary) == (5, "1", ROUTE.canary)
    assert after.versions() == {"1": "stable", "2": "canary", "3": "fallback"}
    assert decode_route(encode_route(after), 5) == after
    told = {"reason": "harm", "since": SAID["now"], "by": "ann", "version": "3", "answer": None}
    assert route_view(after)["stop"] == told
    back = resumed(after, now_s=1.5, **SAID)
    assert (back.revision, back.stop, back.canary, back.resumed_at) == (6, None, ROUTE.canary, 1.5)
    request = parse_route_request(b'{"stable": "1", "reason": "r"}')
    edited = propose(back, request, now=SAID["now"], actor="bob", salt_source=lambda: "t")
    assert edited.resumed_at == decode_route(encode_route(back), 6).resumed_at == 1.5


def test_a_constant_answer_is_kept_as_the_row_that_it_is() -> None:
    after = stopped(ROUTE, "1", {"label": "no", "probabilities": [1.0, 0.0]}, **SAID)
    assert decode_route(encode_route(after), 5) == after
    assert route_view(after)["stop"]["answer"] == {"label": "no", "probabilities": [1.0, 0.0]}


def test_no_other_change_of_the_route_resumes_a_model() -> None:
    halted = stopped(ROUTE, None, None, **SAID)
    request = parse_route_request(b'{"stable": "2", "reason": "r"}')
    changed = propose(halted, request, now=SAID["now"], actor="bob", salt_source=lambda: "t")
    assert changed.stop == roll_back(halted, **SAID).stop == halted.stop


def test_the_canary_may_be_the_one_that_answers_and_the_stable_version_too() -> None:
    assert stopped(ROUTE, "2", None, **SAID).versions()["2"] == "fallback"
    assert stopped(ROUTE, "1", None, **SAID).versions()["1"] == "stable"
