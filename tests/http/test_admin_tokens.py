"""Tokens over the admin API: made once, listed without their secret, revoked for good, each with its record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.access.token_control import MOST_TOKENS, TokenControl
from gateway.access.tokens import encode_token, id_in, new_token, token_key
from gateway.errors import DocumentInvalid
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor, WorkerFacts
from tests.http.test_admin import Admin, assert_problem
from tests.serving import HandClock

ANN = {"name": "ann", "role": "operator", "expires_in_s": 3_600, "reason": "on call"}
ADMIN = Actor("admin")


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    store = SqliteStore(tmp_path / "state.db")
    yield Admin(store)
    store.close()


def test_a_token_is_made_listed_and_revoked(admin: Admin) -> None:
    answer = admin("POST", "/tokens", json=ANN)
    made = answer.json()
    assert (answer.status_code, answer.headers["cache-control"], made["behind"]) == (201, "no-store", [])
    assert (id_in(made["token"]), made["name"], made["role"], made["created_by"]) == (
        made["id"],
        "ann",
        "operator",
        "admin",
    )
    (listed,) = admin("GET", "/tokens").json()["tokens"]
    assert listed == {name: made[name] for name in listed}
    gone = admin("DELETE", f"/tokens/{made['id']}?reason=left")
    assert gone.json() == {"id": made["id"], "behind": []}
    assert admin("GET", "/tokens").json() == {"tokens": []}
    assert_problem(admin("DELETE", f"/tokens/{made['id']}"), 404, "resource-unknown")


def test_records_tell_who_made_and_revoked_it_and_nothing_keeps_the_secret(admin: Admin, tmp_path: Path) -> None:
    made = admin("POST", "/tokens", json=ANN).json()
    admin("DELETE", f"/tokens/{made['id']}?reason=left")
    created, revoked = admin.control.audit(resource=f"token/{made['id']}")
    assert (created.action, created.before, created.reason) == ("token.create", None, "on call")
    assert (revoked.action, revoked.after, revoked.reason) == ("token.revoke", None, "left")
    assert created.after == revoked.before == {name: made[name] for name in created.after}
    assert created.actor["token"] == "configured"
    secret = made["token"].rpartition("_")[2].encode()
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        pytest.param({"name": ""}, "/name", id="no name"),
        pytest.param({"name": " ann"}, "/name", id="space"),
        pytest.param({"name": "a\u202eb"}, "/name", id="control"),
        pytest.param({"name": "a" * 65}, "/name", id="long"),
        pytest.param({"name": "Admin"}, "/name", id="reserved"),
        pytest.param({"role": "root"}, "/role", id="no such role"),
        pytest.param({"role": None}, "/role", id="null"),
        pytest.param({"expires_in_s": 0}, "/expires_in_s", id="at once"),
        pytest.param({"expires_in_s": -1}, "/expires_in_s", id="past"),
        pytest.param({"expires_in_s": 10**12}, "/expires_in_s", id="too late"),
        pytest.param({"expires_in_s": 1.5}, "/expires_in_s", id="no integer"),
        pytest.param({"reason": "x" * 501}, "/reason", id="reason"),
        pytest.param({"digest": "x"}, "/digest", id="unknown"),
    ],
)
def test_a_request_that_breaks_its_rules_makes_no_token(admin: Admin, change: dict[str, Any], pointer: str) -> None:
    problem = assert_problem(admin("POST", "/tokens", json={**ANN, **change}), 422, "document-invalid")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert admin("GET", "/tokens").json() == {"tokens": []}


def test_an_answer_waits_for_the_workers_and_names_those_that_do_not_follow(admin: Admin) -> None:
    def announce(worker: str, revision: int) -> None:
        admin.store.announce(worker, encode_facts(WorkerFacts(worker, 1, 0.0, revision=revision)), ttl_s=60)

    announce("w-1", 0)
    announce("shadow-1", 0)
    admin.on_pause = {3: lambda: announce("w-1", 1)}
    assert admin("POST", "/tokens", json=ANN).json()["behind"] == []
    assert admin.pauses == 3
    assert admin("POST", "/tokens", json=ANN).json()["behind"] == ["w-1"]


def test_there_is_an_end_to_tokens_and_old_ones_that_expired_make_room(tmp_path: Path) -> None:
    store, clock = SqliteStore(tmp_path / "state.db"), HandClock()
    ledger = Ledger(store, clock)
    tokens = [new_token("x", "viewer", now_s=0.0, by="admin", expires_in_s=60)[1] for _ in range(MOST_TOKENS)]
    writes = [Write(token_key(token.id), 0, encode_token(token)) for token in tokens]
    ledger.change(writes, actor=ADMIN, action="x", resource="x", before=None, after=None)
    control, body = TokenControl(ledger, store, clock), json.dumps(ANN).encode()
    with pytest.raises(DocumentInvalid, match="fewer than 1000 tokens"):
        control.create(body, ADMIN)
    clock.now_s = 30 * 86_400.0 + 60.0
    control.create(body, ADMIN)
    assert [token["name"] for token in control.all()] == ["ann"]
    store.close()


def test_a_token_that_cannot_be_read_opens_nothing_and_can_be_revoked(admin: Admin) -> None:
    key = token_key("0123456789ab")
    Ledger(admin.store, HandClock()).change(
        [Write(key, 0, b"{}")], actor=ADMIN, action="x", resource=key, before=None, after=None
    )
    assert admin("GET", "/tokens").json() == {"tokens": []}
    assert admin("DELETE", "/tokens/0123456789ab").status_code == 200
    assert admin.store.read(key) is None
