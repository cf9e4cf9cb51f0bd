"""A dry run in every state of a rollout: it changes nothing, and foretells what the request does then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.rollout.document import TERMINAL, RolloutDocument, RolloutState, Stage, encode_rollout
from gateway.rollout.plan import Plan
from gateway.routing.codec import encode_route, route_key
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor, VersionStatus, WorkerFacts
from tests.http.test_admin import Admin

STAGES: tuple[Stage, ...] = ("validating", "shadow", "canary", "baking")
SIDES: tuple[RolloutState, ...] = ("holding", "paused")
PLACES: list[tuple[RolloutState, Stage]] = [
    ("draft", "validating"),
    *((stage, stage) for stage in STAGES),
    *((side, stage) for side in SIDES for stage in STAGES),
    *((state, "canary") for state in ("rolling_back", *sorted(TERMINAL))),
]
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{verb: (f"/rollouts/m/{verb}", {"reason": "r"}) for verb in ("pause", "resume", "abort", "promote")},
    "override": ("/rollouts/m/override", {"gate": "errors", "reason": "r"}),
    "start": ("/rollouts", {"model": "m", "version": "3", "reason": "r"}),
}
ROUTES = {
    "validating": RouteDocument("m", 1, "1", "s"),
    "shadow": RouteDocument("m", 1, "1", "s", shadows=(ShadowRoute("2", 10_000),)),
    "canary": RouteDocument("m", 1, "1", "s", CanaryRoute("2", 500)),
    "baking": RouteDocument("m", 1, "2", "s", previous_stable="1"),
    "by hand": RouteDocument("m", 1, "3", "h", CanaryRoute("1", 100), reason="mine now", updated_by="bob"),
}
MADE_UP = ("created_at", "updated_at", "entered_at", "since_revision", "id", "overrides")


class Stored(Admin):
    """The API on a rollout that is put anywhere."""

    def put(self, state: RolloutState, stage: Stage, route: RouteDocument) -> None:
        rollout = RolloutDocument(
            id="r", model="m", stable="1", candidate="2", plan=Plan(), salt="s", reason="r", state=state, stage=stage
        )
        bodies = {route_key("m"): encode_route(route), "rollout/m": encode_rollout(rollout)}
        found = {key: self.store.read(key) for key in bodies}
        writes = [Write(key, old.revision if old else 0, bodies[key]) for key, old in found.items()]
        ledger = Ledger(self.store, SystemClock())
        ledger.change(writes, actor=Actor("t"), action="x", resource="rollout/m", before=None, after=None)


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Stored]:
    store = SqliteStore(tmp_path / "weir.db")
    admin = Stored(store)
    admin.announce(v1="ready", v2="ready", v3="ready")
    admin.watch.answer = {"verdicts": []}
    yield admin
    store.close()


def foretold(admin: Admin, name: str) -> bool:
    """Ask for a dry run, then for the same in earnest; return whether it was carried out, as the first one said."""
    path, body = REQUESTS[name]
    before = admin.store.revision()
    dry = admin("POST", f"{path}?dry_run=true", json=body)
    assert (dry.status_code, dry.json()["dry_run"], admin.store.revision()) == (200, True, before)
    answer = admin("POST", path, json=body)
    is_done: bool = answer.is_success
    assert is_done == (dry.json()["violations"] == []), (dry.text, answer.text)
    if is_done:
        told, done = ({**one.json()["rollout"], **dict.fromkeys(MADE_UP)} for one in (dry, answer))
        assert told == done | {"revision": told["revision"]}
    else:
        assert (answer.status_code, admin.store.revision()) == (409, before)
        assert all(violation in answer.json()["detail"] for violation in dry.json()["violations"])
    return is_done


@pytest.mark.parametrize(("state", "stage"), PLACES)
def test_a_dry_run_foretells_every_request_in_every_state(admin: Stored, state: RolloutState, stage: Stage) -> None:
    carried_out = set()
    for name in REQUESTS:
        admin.put(state, stage, ROUTES["validating" if state in TERMINAL else stage])
        if foretold(admin, name):
            carried_out.add(name)
    if state in TERMINAL or state == "rolling_back":
        assert carried_out == ({"start"} if state in TERMINAL else set())
    else:
        assert {"abort"} <= carried_out <= {"abort", "pause", "resume", "promote", "override"}
        assert ("resume" in carried_out) is (state in SIDES)
        assert ("pause" in carried_out) is (state != "paused")
        assert ("promote" in carried_out) is (stage != "validating")


@pytest.mark.parametrize("stage", STAGES)
def test_on_a_route_that_somebody_changed_a_rollout_only_ends(admin: Stored, stage: Stage) -> None:
    for name in ("pause", "resume", "promote", "abort"):
        admin.put(stage, stage, ROUTES["by hand"])
        assert foretold(admin, name) is (name == "abort")
    route = admin("GET", "/models/m/route").json()
    assert (route["stable"], route["canary"]["version"], route["reason"]) == ("3", "1", "mine now")
    assert admin("GET", "/rollouts/m").json()["rollout"]["state"] == "superseded"


def test_an_abort_takes_the_candidate_off_a_route_that_somebody_changed_and_leaves_the_rest(admin: Stored) -> None:
    admin.put("canary", "canary", RouteDocument("m", 1, "3", "h", CanaryRoute("2", 6_000)))
    assert admin("POST", "/rollouts/m/abort").json()["rollout"]["state"] == "rolling_back"
    assert admin("GET", "/models/m/route").json()["canary"] is None
    admin.put("baking", "baking", RouteDocument("m", 1, "2", "h", CanaryRoute("3", 6_000)))
    assert admin("POST", "/rollouts/m/abort").json()["rollout"]["state"] == "rolling_back"
    route = admin("GET", "/models/m/route").json()
    assert (route["stable"], route["canary"]["version"]) == ("1", "3")


def test_nobody_goes_back_to_a_version_that_is_not_there_unless_the_candidate_crashes_the_workers(
    admin: Stored,
) -> None:
    admin.announce(v1="loading", v2="ready", v3="ready")
    admin.put("baking", "baking", ROUTES["baking"])
    assert not foretold(admin, "abort")
    assert admin("POST", "/rollouts/m/abort").json()["type"] == "urn:weir:problem:version-not-warm"
    admin.put("canary", "canary", ROUTES["canary"])
    assert foretold(admin, "abort")
    told = {"1": VersionStatus("loading"), "2": VersionStatus("ready", why="relied on, although it crashed")}
    admin.store.announce("w-1", encode_facts(WorkerFacts("w-1", 1, 0.0, {"m": told})), ttl_s=60)
    admin.put("baking", "baking", ROUTES["baking"])
    assert foretold(admin, "abort")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/rollouts/m/abort?dry-run=true", {}, id="misspelt"),
        pytest.param("/rollouts/m/abort?dry_run=true&dry_run=false", {}, id="both"),
        pytest.param("/models/m/stop?dry_run=true", {}, id="a stop has none"),
        pytest.param("/models/m/rollback?dry_run=true", {}, id="nor a rollback"),
        pytest.param(
            "/rollouts/m/outcomes?dry_run=true", {"outcomes": [{"request_id": "r", "outcome": 1}]}, id="nor outcomes"
        ),
    ],
)
def test_who_asks_for_a_dry_run_in_words_that_are_none_does_not_have_it_done(
    admin: Stored, path: str, body: dict[str, Any]
) -> None:
    admin.put("canary", "canary", ROUTES["canary"])
    before = admin.store.revision()
    answer = admin("POST", path, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"][:4]) == (422, "/dry")
    assert admin.store.revision() == before
