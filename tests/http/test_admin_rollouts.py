"""Rollouts over the admin API, with a real store behind it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.rollout.document import decode_rollout, encode_rollout
from gateway.routing.codec import decode_route, encode_route, route_key
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor
from tests.http.test_admin import Admin

BODY = {"model": "m", "version": "2", "reason": "retrained", "plan": {"steps": [1, 10]}}
ROLLOUTS = "/rollouts"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    store = SqliteStore(tmp_path / "weir.db")
    Ledger(store, SystemClock()).change(
        [Write(route_key("m"), 0, encode_route(RouteDocument("m", 0, "1", "s")))],
        actor=Actor("test"), action="route.seed", resource="route/m", before=None, after=None,
    )  # fmt: skip
    yield Admin(store)
    store.close()


def start(admin: Admin, path: str = ROLLOUTS, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return admin("POST", path, json={**BODY, **body}, **(headers or {}))


def test_a_rollout_is_started_shown_and_listed(admin: Admin) -> None:
    response = start(admin)
    assert response.status_code == 201
    rollout = response.json()["rollout"]
    assert (rollout["state"], rollout["stable"], rollout["candidate"]) == ("draft", "1", "2")
    assert rollout["plan"]["steps"] == [1, 10]
    assert rollout["plan"]["guards"]["errors"]["margin"] == 0.01
    assert "salt" not in rollout
    shown = admin("GET", f"{ROLLOUTS}/m").json()
    assert shown["rollout"] == rollout
    assert shown["evidence"] == {"path": "/admin/v1/rollouts/m"}
    admin.watch.away = True
    assert admin("GET", f"{ROLLOUTS}/m").json()["evidence"] is None
    assert admin("GET", ROLLOUTS).json() == {"rollouts": [rollout]}


def test_a_dry_run_changes_nothing_and_names_what_stands_in_the_way(admin: Admin) -> None:
    response = start(admin, f"{ROLLOUTS}?dry_run=true", version="1")
    assert response.status_code == 200
    assert response.json()["dry_run"]
    assert response.json()["violations"] == ["version 1 is stable already"]
    assert admin("GET", f"{ROLLOUTS}/m").status_code == 404
    refused = start(admin, version="1")
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:weir:problem:rollout-refused"


def test_a_key_carries_a_request_out_once(admin: Admin) -> None:
    first = start(admin, headers={"idempotency_key": "k"})
    again = start(admin, headers={"idempotency_key": "k"})
    assert first.json() == again.json()
    assert start(admin).status_code == 409
    for key in ("", "k2", "k2"):
        admin("POST", f"{ROLLOUTS}/m/pause", **({"idempotency_key": key} if key else {}))
    assert [record.action for record in admin.store.audit(resource="rollout/m")] == ["rollout.start", "rollout.paused"]


def test_a_key_that_comes_back_with_another_request_is_refused_and_does_nothing(admin: Admin) -> None:
    start(admin, headers={"idempotency_key": "k"})
    records = len(admin.store.audit())
    others = [
        admin("POST", f"{ROLLOUTS}/m/abort", idempotency_key="k"),
        admin("POST", f"{ROLLOUTS}/m/override", json={"gate": "errors", "reason": "r"}, idempotency_key="k"),
        start(admin, headers={"idempotency_key": "k"}, reason="another"),
    ]
    for refused in others:
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:weir:problem:idempotency-key-reused")
        assert "'k' belongs to another request" in refused.json()["detail"]
    assert admin("POST", f"{ROLLOUTS}/m/abort?dry_run=true", idempotency_key="k").json()["dry_run"]
    assert len(admin.store.audit()) == records


def test_verbs_act_on_the_rollout_with_reason_and_actor(admin: Admin) -> None:
    start(admin)
    paused = admin("POST", f"{ROLLOUTS}/m/pause", json={"reason": "lunch"})
    assert (paused.status_code, paused.json()["rollout"]["state"]) == (200, "paused")
    admin("POST", f"{ROLLOUTS}/m/resume")
    aborted = admin("POST", f"{ROLLOUTS}/m/abort", json={"reason": "enough"}).json()["rollout"]
    assert (aborted["state"], aborted["cause"], aborted["is_automatic"]) == ("failed", "enough", False)
    record = admin.store.audit(resource="rollout/m")[-1]
    assert (record.actor["subject"], record.reason, record.request_id) == ("admin", "enough", "r-7")
    assert admin("POST", f"{ROLLOUTS}/m/promote").status_code == 409
    assert admin("POST", f"{ROLLOUTS}/other/pause").status_code == 404


def in_canary(admin: Admin) -> None:
    """Put the started rollout into its first canary step, as the leader would."""
    stored = admin.store.read("rollout/m")
    assert stored is not None
    canary = replace(decode_rollout(stored), state="canary", stage="canary")
    route = admin.store.read(route_key("m"))
    assert route is not None
    moved = replace(decode_route(route.body, route.revision), canary=CanaryRoute("2", canary.weight_bp))
    Ledger(admin.store, SystemClock()).change(
        [
            Write("rollout/m", stored.revision, encode_rollout(canary)),
            Write(route_key("m"), route.revision, encode_route(moved)),
        ],
        actor=Actor("test"), action="rollout.canary", resource="rollout/m", before=None, after=None,
    )  # fmt: skip


def test_a_gate_is_overridden_once_with_a_reason_and_the_evidence_of_the_moment(admin: Admin) -> None:
    start(admin)
    path, body = f"{ROLLOUTS}/m/override", {"gate": "errors", "reason": "known since May"}
    early = admin("POST", path, json=body)
    assert "errors is no gate of its stage, validating, which has none" in early.json()["detail"]
    in_canary(admin)
    verdicts = [{"gate": "errors", "result": "inconclusive", "why": "few keys"}]
    admin.watch.answer = {"verdicts": verdicts}
    foreseen = admin("POST", f"{path}?dry_run=true", json=body).json()
    assert [one["gate"] for one in foreseen["rollout"]["overrides"]] == ["errors"]
    for _ in range(2):
        given = admin("POST", path, json=body, idempotency_key="k").json()["rollout"]["overrides"]
        assert [(one["gate"], one["by"], one["reason"]) for one in given] == [("errors", "admin", "known since May")]
    record = admin.store.audit(resource="rollout/m")[-1]
    assert (record.action, record.reason) == ("rollout.override", "known since May")
    assert record.evidence == {"gate": "errors", "verdicts": verdicts}
    assert "overridden already" in admin("POST", path, json=body).json()["detail"]
    assert admin("POST", path, json={"gate": "split", "reason": "r"}).status_code == 422
    assert admin("POST", path, json={"gate": "latency", "reason": " "}).status_code == 422


def test_a_rollout_is_not_promoted_while_its_model_is_stopped(admin: Admin) -> None:
    start(admin)
    in_canary(admin)
    assert admin("POST", "/models/m/stop", json={"reason": "fire"}).status_code == 200
    foreseen = admin("POST", f"{ROLLOUTS}/m/promote?dry_run=true").json()
    assert foreseen["violations"] == ["the model is stopped (fire); resume the model first"]
    refused = admin("POST", f"{ROLLOUTS}/m/promote")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:weir:problem:rollout-refused")
    assert "the model is stopped (fire)" in refused.json()["detail"]
    assert admin.store.audit(resource="rollout/m")[-1].action == "rollout.canary"
    assert admin("POST", "/models/m/resume", json={"reason": "out"}).status_code == 200
    assert "stopped" not in admin("POST", f"{ROLLOUTS}/m/promote?dry_run=true").text


def test_an_abort_cannot_be_overridden(admin: Admin) -> None:
    start(admin)
    in_canary(admin)
    admin.watch.answer = {"verdicts": [{"gate": "errors", "result": "abort", "why": "9 of 9 keys fail"}]}
    refused = admin("POST", f"{ROLLOUTS}/m/override", json={"gate": "errors", "reason": "hurry"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:weir:problem:rollout-refused")
    assert "errors aborts, which cannot be overridden: 9 of 9 keys fail" in refused.json()["detail"]
    assert admin.store.audit(resource="rollout/m")[-1].action == "rollout.canary"


@pytest.mark.parametrize(
    ("path", "headers", "body", "pointer"),
    [
        pytest.param(ROLLOUTS, {}, {"reason": ""}, "", id="no reason"),
        pytest.param(ROLLOUTS, {}, {"plan": {"steps": [10, 5]}}, "/plan", id="falling steps"),
        pytest.param(ROLLOUTS, {}, {"plam": {}}, "/plam", id="misspelt"),
        pytest.param(f"{ROLLOUTS}?dry_run=yes", {}, {}, "/dry_run", id="neither true nor false"),
        pytest.param(ROLLOUTS, {"idempotency_key": "k" * 129}, {}, "", id="long key"),
    ],
)
def test_what_cannot_be_read_is_a_422_with_its_place(
    admin: Admin, path: str, headers: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    response = start(admin, path, headers, **body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


def test_outcomes_are_checked_here_and_handed_to_the_watch(admin: Admin) -> None:
    report = {"outcomes": [{"request_id": "r-1", "outcome": "spam"}, {"request_id": "r-2", "outcome": 1}]}
    path = f"{ROLLOUTS}/m/outcomes"
    assert admin("POST", path, json=report).status_code == 404
    start(admin)
    assert admin("POST", path, json=report).json() == {"path": "/admin/v1/rollouts/m/outcomes", "body": report}
    admin.watch.away = True
    assert admin("POST", path, json=report).status_code == 503


@pytest.mark.parametrize(
    ("report", "pointer"),
    [
        ({}, "/outcomes"),
        ({"outcomes": []}, ""),
        ({"outcomes": [{"request_id": "r"}]}, "/outcomes/0/outcome"),
        ({"outcomes": [{"request_id": "", "outcome": 1}]}, "/outcomes/0"),
        ({"outcomes": [{"request_id": "r", "outcome": True}]}, "/outcomes/0/outcome"),
        ({"outcomes": [{"request_id": "r", "outcome": 1, "weight": 2}]}, "/outcomes/0/weight"),
        ({"outcomes": [{"request_id": str(n), "outcome": 1} for n in range(501)]}, ""),
    ],
)
def test_a_report_with_a_fault_is_refused_whole(admin: Admin, report: dict[str, Any], pointer: str) -> None:
    start(admin)
    response = admin("POST", f"{ROLLOUTS}/m/outcomes", json=report)
    assert response.status_code == 422
    assert pointer in [fault["pointer"] for fault in response.json()["errors"]]
