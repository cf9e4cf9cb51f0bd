"""Baselines over the admin API, with a real store behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.state.sqlite import SqliteStore
from tests.http.test_admin import Admin, assert_problem
from tests.monitors.material import evidence

BASELINE: dict[str, Any] = {
    "version": "1",
    "digest": "sha256:ab",
    "source": "log",
    "begin": "2026-01-31T12:00:00Z",
    "end": "2026-02-07T12:00:00Z",
    "rows": 20_000,
    "factor": 1.5,
    "pages_per_week": 2.0,
    "predicted": 0.1,
    "upper": 0.4,
    "evidence": evidence().decode(),
    "reason": "a quiet week",
}


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    store = SqliteStore(tmp_path / "state.db")
    yield Admin(store)
    store.close()


def test_a_baseline_is_accepted_shown_and_reset(admin: Admin) -> None:
    accepted = admin("PUT", "/models/m/baseline", json=BASELINE, if_match='"0"')
    assert (accepted.status_code, accepted.headers["etag"]) == (200, '"1"')
    shown = admin("GET", "/models/m/baseline").json()
    assert shown == accepted.json()
    assert {name: shown[name] for name in BASELINE if name != "evidence"} == {
        name: value for name, value in BASELINE.items() if name != "evidence"
    }
    assert (shown["evidence_bytes"], shown["revision"]) == (len(evidence()), 1)
    assert "evidence" not in shown
    assert admin("POST", "/models/m/baseline/reset", json={"reason": "no"}).status_code == 200
    assert_problem(admin("GET", "/models/m/baseline"), 404, "resource-unknown")
    actions = [record["action"] for record in admin("GET", "/audit").json()["records"]]
    assert actions == ["baseline.accept", "baseline.reset"]
    first = admin.store.audit()[0].after
    assert first is not None
    assert first["pages_per_week"] == 2.0


def test_accepting_needs_the_revision_that_is_replaced(admin: Admin) -> None:
    assert_problem(admin("PUT", "/models/m/baseline", json=BASELINE), 428, "precondition-missing")
    admin("PUT", "/models/m/baseline", json=BASELINE, if_match='"0"')
    assert_problem(admin("PUT", "/models/m/baseline", json=BASELINE, if_match='"0"'), 412, "revision-stale")


def test_a_body_that_promises_nothing_is_refused_with_its_place(admin: Admin) -> None:
    refused = admin("PUT", "/models/m/baseline", json=BASELINE | {"upper": 3.0}, if_match='"0"')
    assert "upper <= 1" in str(assert_problem(refused, 422, "document-invalid")["errors"])


def test_evidence_that_nobody_can_read_is_refused_with_its_place(admin: Admin) -> None:
    refused = admin("PUT", "/models/m/baseline", json=BASELINE | {"evidence": "no evidence"}, if_match='"0"')
    [error] = assert_problem(refused, 422, "document-invalid")["errors"]
    assert error["pointer"] == "/evidence"
    assert "not JSON" in str(error)


def test_evidence_beyond_its_bounds_is_refused_before_it_is_read(admin: Admin) -> None:
    long = admin("PUT", "/models/m/baseline", json=BASELINE | {"evidence": "x" * (7 * 1024**2 + 1)}, if_match='"0"')
    assert "at most 7340032 bytes" in str(assert_problem(long, 422, "document-invalid")["errors"])
    longer = admin("PUT", "/models/m/baseline", json=BASELINE | {"evidence": "x" * 15 * 1024**2}, if_match='"0"')
    assert_problem(longer, 413, "body-too-large")


def test_baselines_need_credentials(admin: Admin) -> None:
    for method, path in (("GET", "baseline"), ("PUT", "baseline"), ("POST", "baseline/reset")):
        assert admin(method, f"/models/m/{path}", token=None).status_code == 401
