"""Governance on a real gateway: who may say what with which token, and what a version gets without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.cli import main
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import elementwise, write_bundle

POLICY = """
schema_version: 1
models: {m: high}
tiers:
  limited: {release_report: optional, unsigned: allow}
  high: {release_report: optional, unsigned: allow}
"""
PLAN = {"steps": [5, 50], "shadow": None, "dwell_s": 3600}
PEOPLE = {"vera": "viewer", "oscar": "operator", "ann": "approver", "bob": "approver"}


class Governed(RunningGateway):
    """A gateway with a model ``m`` of the high tier and one, ``free``, of none; and a token for each of its people."""

    def __init__(self, folder: Path) -> None:
        for version, operator in {"1": "Neg", "2": "Identity"}.items():
            write_bundle(folder / "models" / "m" / version, elementwise(operator))
        write_bundle(folder / "models" / "free" / "1", elementwise("Neg"))
        (folder / "policy.yaml").write_text(POLICY)
        environ = {"WEIR_GOVERNANCE__POLICY": str(folder / "policy.yaml")}
        super().__init__(folder / "models", folder / "weir.db", workers=1, environ=environ)
        self.tokens: dict[str, str] = {}

    def hire(self) -> None:
        """Make the tokens, and wait until the worker knows the last of them and has every version."""
        with self.client() as client:
            for name, role in PEOPLE.items():
                made = client.post("/admin/v1/tokens", json={"name": name, "role": role}).raise_for_status().json()
                self.tokens[name] = made["token"]
        self.wait_until(lambda: self.ask("bob", "GET", "/models").status_code == 200, "the tokens known")
        for version in "12":
            self.wait_for_workers("m", version)

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        told = {"authorization": f"Bearer {self.tokens[who]}", **headers}
        with self.client() as client:
            return client.request(method, f"/admin/v1{path}", json=body, headers=told)

    def approve(self, who: str, version: str) -> httpx.Response:
        return self.ask(who, "POST", f"/models/m/versions/{version}/approvals", {"comment": "looked at it"})

    def weir(self, who: str, *arguments: str) -> int:
        """Run the command as one of the people; return its exit status."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WEIR_TOKEN", self.tokens[who])
            patch.setenv("WEIR_URL", self.url)
            try:
                main(arguments)
            except SystemExit as ended:
                return int(ended.code or 0)
        return 0


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    gateway = Governed(tmp_path_factory.mktemp("governed"))
    with gateway:
        gateway.hire()
        yield gateway


def test_a_model_takes_traffic_with_two_approvals_and_is_rolled_out_with_two_or_a_broken_glass(
    governed: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first start: what lacks something gets no route, and says so.
    assert "m gets no route: version 2 may not take all traffic yet" in governed.log.read_text()
    models = {each["model"]: each for each in governed.ask("vera", "GET", "/models").json()["models"]}
    assert models["free"]["route"]["stable"] == "1"
    assert (models["m"]["route"], models["free"]["versions"][0]["missing"]) == (None, [])
    assert models["m"]["versions"][0]["missing"] == ["2 more approvals: it has 0 of 2 (weir approval give m 1)"]

    # Roles: who makes a change does not approve it.
    for who in ("vera", "oscar"):
        assert governed.approve(who, "1").status_code == 403
    assert governed.ask("ann", "POST", "/models/m/versions/2/break-glass", {}).status_code == 403

    # A route needs both approvals.
    route = {"stable": "1", "reason": "first"}
    refused = governed.ask("oscar", "PUT", "/models/m/route", route, **{"if-match": '"0"'})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:weir:problem:governance-unmet")
    assert refused.json()["missing"][0]["command"] == "weir approval give m 1"
    assert governed.weir("ann", "approval", "give", "m", "1", "--comment", "fine") == 0
    assert governed.weir("ann", "approval", "list", "m", "1", "--check") == 1
    assert "missing: 1 more approval: it has 1 of 2, by ann: weir approval give m 1" in capsys.readouterr().out
    assert governed.approve("bob", "1").json()["approvals"]["may_take_traffic"] is True
    governed.ask("oscar", "PUT", "/models/m/route", route, **{"if-match": '"0"'}).raise_for_status()

    # A rollout is foreseen with what is in its way, refused, and goes with a broken glass that an alert tells.
    rollout = {"model": "m", "version": "2", "reason": "better", "plan": PLAN}
    foreseen = governed.ask("oscar", "POST", "/rollouts?dry_run=true", rollout).json()
    assert foreseen["violations"] == ["2 more approvals: it has 0 of 2 (weir approval give m 2)"]
    assert governed.ask("oscar", "POST", "/rollouts", rollout).json()["status"] == 409
    glass = ("approval", "break-glass", "m", "2", "--reason", "the old one fails", "--ticket", "T-7")
    assert governed.weir("oscar", *glass, "--dry-run") == 0
    assert governed.weir("oscar", *glass) == 0
    governed.ask("oscar", "POST", "/rollouts", rollout).raise_for_status()
    governed.wait_until(lambda: state_of(governed) == "canary", "the canary has traffic")
    page = MetricsPage.of(governed.url)
    assert page.sum("weir_break_glass_grants", model="m", state="in_force") == 1.0

    # Nobody reviews their own, and taking it back needs nobody.
    assert governed.ask("oscar", "POST", "/models/m/versions/2/break-glass/review", {"comment": "x"}).status_code == 403
    assert governed.weir("ann", "approval", "review", "m", "2", "--comment", "it was right") == 0
    assert governed.ask("oscar", "POST", "/rollouts/m/abort", {"reason": "done"}).status_code == 200
    assert governed.weir("bob", "approval", "withdraw", "m", "1", "--reason", "second thoughts") == 0
    assert governed.weir("bob", "approval", "withdraw", "m", "1") == 1
    governed.ask("oscar", "POST", "/models/m/stop", {"reason": "drill"}).raise_for_status()
    governed.ask("oscar", "POST", "/models/m/resume", {"reason": "over"}).raise_for_status()

    # The history says by whom, on what.
    capsys.readouterr()
    assert governed.weir("vera", "history", "m", "--json", "--state", str(governed.state)) == 0
    told = [one["evidence"] for one in json.loads(capsys.readouterr().out)["intervals"]]
    assert told[0][0].startswith("1 at tier high, approved by ann, bob; policy ")
    assert "2 at tier high, approved by nobody, glass broken by oscar, who did without 2 more approvals" in told[1][0]


def state_of(governed: Governed) -> str:
    return str(governed.ask("vera", "GET", "/rollouts/m").json()["rollout"]["state"])
