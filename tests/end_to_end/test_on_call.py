"""What a person on call meets: runbooks, whose every command runs against a gateway."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from gateway.audit.signing_key import make_key
from gateway.cli import main
from gateway.demo.data import load_phishing, sample_instances
from gateway.metrics.catalogue import CATALOGUE
from gateway.rollout.document import TERMINAL
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import TOKEN, RunningGateway
from tests.integration.expressions import exposed_names
from tests.models import elementwise, write_bundle

BROKEN = "4"
VERSIONS = ("1", "2", "3", BROKEN)
REQUESTS = 50
ROLLOUT = "/admin/v1/rollouts/phishing"
LAST = ("stop", "resume", "unload")
GOVERNED = ("spare", "1")
"""A model whose version lacks approvals, so that somebody may break the glass for it."""
POLICY = """\
schema_version: 1
models: {spare: high}
tiers:
  limited: {release_report: optional, unsigned: allow}
  high: {release_report: optional, unsigned: allow}
"""
GATEWAY = "http://127.0.0.1:8080"
PLACES = re.compile(r"\b(?:MODELS|MODEL|VERSION|ID|WHY|ANSWER|GATE)\b")
INLINE = re.compile(r"`(weir [a-z][^`]*)`")
BEGINNING = re.compile(r"\bweir_\w+")
NAME = re.compile(r"\bweir_[a-z_]+[a-z]\b")


class Typed:
    """Runs what a runbook says to type: ``weir`` in this process, which saves its start, the rest in a shell."""

    def __init__(self, gateway: RunningGateway, values: dict[str, str]) -> None:
        self._gateway, self._values = gateway, values

    def filled(self, command: str) -> str:
        """Return a command with its capitals filled in."""
        return PLACES.sub(lambda found: self._values[found[0]], command).replace(GATEWAY, self._gateway.url)

    def status(self, command: str) -> int:
        """Return the exit status of a command; what it prints is pytest's."""
        line = self.filled(command)
        if line.startswith("weir ") and "|" not in line:
            try:
                main(shlex.split(line)[1:])
            except SystemExit as end:
                return int(end.code or 0)
            return 0
        done = subprocess.run(["bash", "-o", "pipefail", "-c", line], env=os.environ, check=False, timeout=30)
        return done.returncode


@pytest.fixture(scope="module")
def gateway(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("on-call")
    shutil.copytree(demo_models, folder / "models")
    write_bundle(folder / "models" / "/".join(GOVERNED), elementwise("Neg"))
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    flags = ("--stable", "phishing=1")
    environ = {"WEIR_PREDICTION_LOG__PATH": str(folder / "log"), "WEIR_GOVERNANCE__POLICY": str(folder / "policy.yaml")}
    make_key(folder / "key.pem")
    environ |= {"WEIR_AUDIT__CHECKPOINTS": str(folder / "kept"), "WEIR_AUDIT__CHECKPOINT_KEY": str(folder / "key.pem")}
    with RunningGateway(folder / "models", folder / "weir.db", *flags, workers=1, environ=environ) as running:
        for version in VERSIONS:
            running.wait_for_workers("phishing", version)
        with running.client() as client:
            for rows in islice(sample_instances(load_phishing().instances()), REQUESTS):
                client.post("/predict/phishing", json={"instances": rows}).raise_for_status()
        yield running


@pytest.fixture(scope="module")
def runbooks(repo_root: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((repo_root / "docs/runbooks").glob("*.md"))}


@pytest.fixture
def typed(gateway: RunningGateway, demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Give what runs a command of a runbook against the gateway."""
    monkeypatch.setenv("WEIR_URL", gateway.url)
    monkeypatch.setenv("WEIR_STATE", str(gateway.state))
    monkeypatch.setenv("WEIR_ADMIN_TOKEN", TOKEN)
    values = {"MODELS": str(demo_models), "MODEL": "phishing", "VERSION": "2", "ANSWER": "legitimate", "GATE": "errors"}
    return Typed(gateway, values | {"ID": "no-such-alert", "WHY": "quiet"})


def first_looks(text: str) -> list[str]:
    """Return the commands of a runbook's first look."""
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def test_every_first_look_of_every_runbook_shows_something(
    runbooks: dict[str, str], typed: Typed, gateway: RunningGateway
) -> None:
    shown = (
        "weir_requests_total",
        "weir_canary_fallback_total",
        "weir_shadow_requests_total",
        "weir_queue_rows",
        "weir_monitor_tick_timestamp_seconds",
    )
    shadow, canary = {"version": "3", "sample": 100.0}, {"version": "2", "weight": 10.0}
    begin_rollout(gateway)
    end_rollout(gateway)
    gateway.put_route("phishing", stable="1", canary=canary, shadow=[shadow]).raise_for_status()
    gateway.wait_until(lambda: all(MetricsPage.of(gateway.url).has(name) for name in shown), "on the page")
    assert [name for name, text in runbooks.items() if not first_looks(text)] == []
    commands = {line: name for name, text in runbooks.items() for line in first_looks(text)}
    assert [f"{name}: {line}" for line, name in commands.items() if typed.status(line) != 0] == []


def test_every_action_of_every_runbook_can_be_taken(
    runbooks: dict[str, str], typed: Typed, gateway: RunningGateway
) -> None:
    actions = {found.partition(" --reason")[0]: found for text in runbooks.values() for found in INLINE.findall(text)}
    assert len(actions) > 10
    failed = []
    for action in sorted(actions.values(), key=in_order):
        prepare(gateway, action)
        is_whole = PLACES.search(action) or action in ("weir alerts", "weir audit")
        if action.startswith("weir approval review"):
            action = action.replace("MODEL VERSION", " ".join(GOVERNED))
        status = typed.status(action if is_whole else f"{action} --help")
        if status != (1 if "no-such-alert" in typed.filled(action) else 0):
            failed.append(action)
    assert failed == []


def prepare(gateway: RunningGateway, action: str) -> None:
    """Bring about what an action of a runbook is there for."""
    if "MODEL" not in action:
        return
    match action.split()[1:3]:
        case ["rollout", "abort" | "override"]:
            begin_rollout(gateway)
        case ["approval", "review"]:
            break_glass(gateway)
        case ["rollback", _]:
            end_rollout(gateway)
            canary = {"version": "2", "weight": 10.0}
            gateway.put_route("phishing", stable="1", canary=canary, shadow=[]).raise_for_status()
        case ["rollout", "start"] | ["unload", _]:
            end_rollout(gateway)
            gateway.put_route("phishing", stable="1", canary=None, shadow=[]).raise_for_status()


def begin_rollout(gateway: RunningGateway) -> None:
    """Bring a rollout of version 2 to the stage of a canary, in the place of one that is under way."""
    plan = {"steps": [50], "shadow": None, "dwell_s": 3600}
    wanted = {"model": "phishing", "version": "2", "reason": "a rollout to decide on", "plan": plan, "override": True}
    end_rollout(gateway)
    gateway.put_route("phishing", stable="1", canary=None, shadow=[]).raise_for_status()
    with gateway.client() as client:
        client.post("/admin/v1/rollouts", json=wanted).raise_for_status()
        gateway.wait_until(lambda: client.get(ROLLOUT).json()["rollout"]["state"] == "canary", "a canary")


def end_rollout(gateway: RunningGateway) -> None:
    """Abort the rollout that is under way, if one is."""
    with gateway.client() as client:
        if client.get(ROLLOUT).status_code == 404:
            return

        def is_over() -> bool:
            return client.get(ROLLOUT).json()["rollout"]["state"] in TERMINAL

        if not is_over():
            answer = client.post(f"{ROLLOUT}/abort", json={"reason": "seen"})
            assert answer.is_success or "rollout-refused" in answer.text  # it may be at its end already
            gateway.wait_until(is_over, "an end of the rollout")


def break_glass(gateway: RunningGateway) -> None:
    """Break the glass for the governed version as an operator, whose grant the admin may review."""
    model, version = GOVERNED
    glass, path = {"reason": "a test", "ticket": "T-1"}, f"/admin/v1/models/{model}/versions/{version}/break-glass"
    with gateway.client() as client:
        made = client.post("/admin/v1/tokens", json={"name": "oscar", "role": "operator"}).raise_for_status().json()
        client.headers["authorization"] = f"Bearer {made['token']}"
        gateway.wait_until(lambda: client.post(path, json=glass).is_success, "a broken glass")


def in_order(action: str) -> int:
    """Return the place of an action: a model is stopped before it is resumed, and a version unloaded last."""
    return LAST.index(verb) + 1 if (verb := action.split()[1]) in LAST else 0


def test_a_report_tells_a_colleague_what_was_done(typed: Typed, tmp_path: Path) -> None:
    page, document = tmp_path / "report.html", tmp_path / "report.json"
    assert typed.status(f"weir report MODEL --out {page}") == 0
    assert typed.status(f"weir report MODEL --json --out {document}") == 0
    told = json.loads(document.read_text(encoding="utf-8"))
    assert told["traffic"]
    assert "route.rollback" in {change["action"] for change in told["changes"]}
    assert told["audit_head"] in page.read_text(encoding="utf-8")
    assert typed.status("weir report no-such-model") == 1


def test_runbooks_name_only_metrics_that_exist(runbooks: dict[str, str]) -> None:
    known = exposed_names().keys() | {metric.name for metric in CATALOGUE}
    for runbook, text in runbooks.items():
        prose = re.sub(r"```sh\n.*?```", "", text, flags=re.DOTALL)
        assert {name for name in NAME.findall(prose) if not name.startswith("weir_admin")} <= known, runbook
        sought = {name for line in first_looks(text) for name in BEGINNING.findall(line)}
        assert [name for name in sought if not any(one.startswith(name) for one in known)] == [], runbook
