"""Approvals over the admin API, with a real store behind it; the token is ``admin``'s."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.codec.documents import encode_document
from gateway.governance.declared import Declared, declared_key
from gateway.governance.policy import Policy, TierRules, Tiers
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor
from tests.http.test_admin import Admin, assert_problem

PLACE = "/models/m/versions/2"
FREE = TierRules(approvals=1)
POLICY = Policy(models={"m": "limited"}, tiers=Tiers(limited=FREE, high=FREE))
GLASS = {"reason": "the old one fails", "ticket": "T-7"}


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Admin]:
    store = SqliteStore(tmp_path / "state.db")
    ask = Admin(store, POLICY)
    key, known = declared_key("m", "2"), Declared("sha256:" + "2" * 64)
    write = Write(key, 0, encode_document(known))
    Ledger(store, SystemClock()).change([write], actor=Actor("w"), action="x", resource=key, before=None, after=None)
    yield ask
    store.close()


def test_an_approval_is_given_shown_and_taken_back(ask: Admin) -> None:
    given = ask("POST", f"{PLACE}/approvals", json={"comment": "fine"})
    assert (given.status_code, given.headers["cache-control"]) == (200, "no-store")
    shown = ask("GET", f"{PLACE}/approvals").json()
    assert (shown["approved_by"], shown["may_take_traffic"], shown["missing"]) == (["admin"], True, [])
    assert given.json() == {"approvals": shown, "violations": [], "dry_run": False}
    foreseen = ask("DELETE", f"{PLACE}/approvals?dry_run=true&reason=doubts").json()
    assert (foreseen["dry_run"], foreseen["approvals"]["approved_by"]) == (True, [])
    assert ask("DELETE", f"{PLACE}/approvals?reason=doubts").json()["approvals"]["approved_by"] == []
    record = ask("GET", "/audit").json()["records"][-1]
    assert (record["action"], record["reason"], record["request_id"]) == ("approval.withdraw", "doubts", "r-7")
    assert_problem(ask("DELETE", f"{PLACE}/approvals"), 404, "resource-unknown")


def test_a_repetition_under_one_key_is_carried_out_once(ask: Admin) -> None:
    path, body = f"{PLACE}/break-glass", GLASS
    first, again = (ask("POST", path, json=body, idempotency_key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert len(again.json()["approvals"]["break_glass"]) == 1
    reused = ask("POST", path, json={**body, "ticket": "T-8"}, idempotency_key="k")
    assert_problem(reused, 422, "idempotency-key-reused")


def test_who_broke_the_glass_does_not_review_it(ask: Admin) -> None:
    ask("POST", f"{PLACE}/break-glass", json=GLASS)
    assert_problem(ask("POST", f"{PLACE}/break-glass/review", json={"comment": "fine"}), 409, "approval-refused")
    assert_problem(ask("POST", f"{PLACE}/break-glass", json=GLASS), 409, "approval-refused")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("approvals", {"comment": "x" * 501}, "/comment"),
        ("approvals", {"digest": 7}, "/digest"),
        ("approvals", [], ""),
        ("break-glass", {"reason": "x", "ticket": " "}, "/ticket"),
        ("break-glass/review", {"comment": ""}, "/comment"),
        ("approvals?dry_run=perhaps", {}, "/dry_run"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_says_where(ask: Admin, path: str, body: object, pointer: str) -> None:
    refused = ask("POST", f"{PLACE}/{path}", json=body)
    assert_problem(refused, 422, "document-invalid")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


def test_a_body_that_is_too_large_is_not_read(ask: Admin) -> None:
    assert_problem(ask("POST", f"{PLACE}/approvals", json={"comment": "x" * 70_000}), 413, "body-too-large")


def test_versions_that_nobody_has_are_not_found(ask: Admin) -> None:
    assert_problem(ask("GET", "/models/m/versions/9/approvals"), 404, "version-unknown")
    assert_problem(ask("POST", "/models/nobody/versions/1/approvals", json={}), 404, "model-unknown")
