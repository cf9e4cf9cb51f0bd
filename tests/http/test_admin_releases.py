"""Release records over the admin API, with a real store behind it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.bundle import read_bundle
from gateway.catalog.digests import DigestRegister
from gateway.clock import SystemClock
from gateway.release.document import GateResult, encode_report
from gateway.release.stored import decode_release, release_key
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import Actor
from tests.http.test_admin import Admin, assert_problem
from tests.models import echo_model, write_bundle
from tests.release.reports import report

PLACE = "/models/m/versions/2/release"


class Site:
    """The API over a store that knows the bytes of version 2 of ``m``, and of no other version."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder / "state.db")
        self.ask = Admin(self.store)
        bundle = read_bundle(write_bundle(folder / "m" / "2", echo_model()), model="m", version="2")
        DigestRegister(Ledger(self.store, SystemClock()), self.store).admit(bundle, Actor("weir"))
        self.report = report(digest=bundle.digest)

    def told(self, **changes: Any) -> dict[str, Any]:
        """Return the report as a body, with some members changed."""
        return asdict(self.report) | changes


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.store.close()


def test_a_report_is_kept_shown_and_audited(site: Site) -> None:
    assert_problem(site.ask("GET", PLACE), 404, "resource-unknown")
    kept = site.ask("POST", PLACE, json=site.told())
    assert (kept.status_code, kept.headers["etag"]) == (200, '"1"'), kept.text
    shown = site.ask("GET", PLACE).json()
    assert shown == kept.json()
    assert (shown["outcome"], shown["tier"], shown["against"], shown["submitted_by"]) == ("pass", "high", "1", "admin")
    assert [(gate["name"], gate["outcome"]) for gate in shown["gates"]] == [("contract", "pass"), ("golden", "skipped")]
    record = site.ask("GET", "/audit").json()["records"][-1]
    assert (record["action"], record["resource"]) == ("release.submit", release_key("m", site.report.digest))
    assert (record["before"], record["after"]) == (None, shown)


def test_the_record_names_the_bytes_that_were_handed_over(site: Site) -> None:
    body = encode_report(site.report)
    record = site.ask.control.releases.submit("m", "2", body, Actor("ann"))
    assert (record.report_sha256, record.submitted_by) == (hashlib.sha256(body).hexdigest(), "ann")
    document = site.store.read(release_key("m", site.report.digest))
    assert document is not None
    assert decode_release(document) == record


def test_a_report_that_is_handed_over_again_stays_whose_it_was(site: Site) -> None:
    body, submit = encode_report(site.report), site.ask.control.releases.submit
    first = submit("m", "2", body, Actor("ann"))
    records = len(site.ask("GET", "/audit").json()["records"])
    assert submit("m", "2", body, Actor("bob")) == first
    assert first.submitted_by == "ann"
    assert len(site.ask("GET", "/audit").json()["records"]) == records


def test_the_newest_report_counts_and_the_audit_log_keeps_the_one_before(site: Site) -> None:
    first = site.ask("POST", PLACE, json=site.told()).json()
    gates = [asdict(GateResult(name="benchmark", outcome="fail", detail="worse"))]
    second = site.ask("POST", PLACE, json=site.told(outcome="fail", gates=gates)).json()
    assert (second["outcome"], second["revision"]) == ("fail", 2)
    assert site.ask("GET", "/audit").json()["records"][-1]["before"] == first


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"digest": "sha256:" + "f" * 64}, "/digest", id="other bytes"),
        pytest.param({"version": "3"}, "/version", id="another version"),
        pytest.param({"model": "n"}, "/model", id="another model"),
        pytest.param({"checked_at": "2999-01-01T00:00:00Z"}, "/checked_at", id="from the future"),
        pytest.param({"checked_at": "2026-01-01T00:00:00"}, "distance from UTC", id="no time zone"),
        pytest.param({"checked_at": "yesterday"}, "isoformat", id="no time"),
        pytest.param({"outcome": "fail"}, "the outcome fail where a gate fails", id="an outcome of its own"),
        pytest.param({"gates": []}, "1 to 64 gates", id="no gates"),
        pytest.param(
            {"gates": [{"name": "x", "outcome": "pass", "detail": "y" * 1_001}]}, "1000 characters", id="a long detail"
        ),
        pytest.param(
            {"gates": [{"name": "<b>", "outcome": "pass", "detail": ""}]}, "lower-case letters", id="a strange name"
        ),
        pytest.param({"gates": [{"name": "x", "outcome": "pass", "detail": ""}] * 2}, "each once", id="a gate twice"),
        pytest.param({"policy_digest": ""}, "policy_digest", id="no policy"),
        pytest.param({"holdout": {"name": "x", "digest": "", "rows": 5}}, "/holdout", id="no holdout"),
        pytest.param({"surprise": 1}, "/surprise", id="an unknown member"),
    ],
)
def test_a_report_that_is_none_of_this_version_is_refused_with_its_place(
    site: Site, changes: dict[str, Any], says: str
) -> None:
    refused = assert_problem(site.ask("POST", PLACE, json=site.told(**changes)), 422, "document-invalid")
    assert says in json.dumps(refused["errors"])
    assert_problem(site.ask("GET", PLACE), 404, "resource-unknown")


def test_of_a_version_that_was_never_loaded_nothing_is_kept(site: Site) -> None:
    refused = site.ask("POST", "/models/m/versions/3/release", json=site.told(version="3"))
    assert "weir load m 3" in assert_problem(refused, 409, "version-not-warm")["detail"]


def test_names_of_nothing_are_unknown(site: Site) -> None:
    assert_problem(
        site.ask("POST", "/models/m/versions/9/release", json=site.told(version="9")), 404, "version-unknown"
    )
    assert_problem(site.ask("POST", "/models/n/versions/2/release", json=site.told(model="n")), 404, "model-unknown")
    assert_problem(site.ask("GET", "/models/m/versions/9/release"), 404, "version-unknown")


def test_a_body_beyond_its_bound_is_refused_before_it_is_read(site: Site) -> None:
    assert_problem(site.ask("POST", PLACE, json=site.told(machine={"x": "y" * 1024**2})), 413, "body-too-large")
    assert_problem(site.ask("POST", PLACE, json=None), 422, "document-invalid")
