"""Eviction: who rests when memory or patience ends, and who never does."""

import pytest

from gateway.catalog.eviction import BUSY_S, Candidate, Role, resting_versions, role_of
from gateway.catalog.residency import Residency
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute

HOUR = 3_600.0


def one(name: str, role: Role = "stable", *, idle_s: float = HOUR, size: int = 10, loaded: bool = True) -> Candidate:
    model, _, version = name.partition("/")
    return Candidate((model, version or "1"), role, size, idle_s, loaded)


def resting(*candidates: Candidate, budget: int = 0, ttl_s: float = 0.0) -> set[str]:
    return {f"{m}/{v}" for m, v in resting_versions(candidates, budget_bytes=budget, idle_ttl_s=ttl_s)}


def test_without_budget_and_patience_nothing_rests() -> None:
    assert resting(one("a", idle_s=1e9), one("b", "extra", size=10**12)) == set()


@pytest.mark.parametrize("role", ["stable", "previous", "pinned", "extra"])
def test_what_is_idle_for_long_rests(role: Role) -> None:
    assert resting(one("a", role, idle_s=HOUR + 1), one("b", role, idle_s=HOUR), ttl_s=HOUR) == {"a/1"}


@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_version_on_trial_never_rests_nor_the_stable_beside_it(role: Role) -> None:
    crowd = [one("m/1"), one("m/2", role), one("n")]
    assert resting(*crowd, ttl_s=1.0) == {"n/1"}
    assert resting(*crowd, budget=1) == {"n/1"}


def test_the_budget_takes_new_ones_first_then_pins_then_previous_then_the_stable_idle_longest() -> None:
    crowd = [
        one("a/1", idle_s=HOUR),
        one("b/1", idle_s=2 * HOUR),
        one("a/0", "previous"),
        one("a/2", "pinned"),
        one("a/3", "extra"),
    ]
    order = ["a/3", "a/2", "a/0", "b/1", "a/1"]
    for kept in range(5, -1, -1):
        assert resting(*crowd, budget=10 * kept or 1) == set(order[: 5 - kept])


def test_a_stable_version_with_traffic_is_not_evicted_for_another() -> None:
    busy, asked = one("a", idle_s=BUSY_S - 1), one("b", idle_s=0.0, loaded=False)
    assert resting(busy, asked, budget=15) == {"b/1"}
    assert resting(one("a", idle_s=BUSY_S), asked, budget=15) == {"a/1"}


def test_a_large_version_that_does_not_fit_leaves_room_to_small_ones() -> None:
    assert resting(one("a", size=100, idle_s=1e3), one("b", idle_s=2e3), budget=20) == {"a/1"}


def test_the_reason_is_said() -> None:
    told = resting_versions([one("a"), one("b", "extra", idle_s=BUSY_S)], budget_bytes=5, idle_ttl_s=100.0)
    assert told == {("a", "1"): "not used for 100 s", ("b", "1"): "the memory budget is used by others"}


def test_roles_come_from_the_route_then_from_the_operators() -> None:
    route = RouteDocument("m", 1, "1", "s", CanaryRoute("2", 0), (ShadowRoute("3", 1),), previous_stable="0")
    roles = [role_of(version, route, Residency(pinned=("1", "5"))) for version in "012356"]
    assert roles == ["previous", "stable", "canary", "shadow", "pinned", "extra"]
