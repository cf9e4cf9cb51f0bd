"""The configuration of Alertmanager: what amtool says, who is told of what, and what silences what."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.alertmanager import AlertmanagerServer, hastened, receiving


@pytest.fixture(scope="module")
def configuration(repo_root: Path) -> Path:
    return repo_root / "deploy/alertmanager/alertmanager.yml"


@pytest.fixture(scope="module")
def severities(repo_root: Path) -> dict[str, str]:
    """Give the severity of every alert."""
    document = yaml.safe_load((repo_root / "deploy/prometheus/rules/alerts.yml").read_text(encoding="utf-8"))
    return {rule["alert"]: rule["labels"]["severity"] for group in document["groups"] for rule in group["rules"]}


@pytest.fixture
def alertmanager(configuration: Path, tmp_path: Path) -> Iterator[AlertmanagerServer]:
    with receiving() as notifications, AlertmanagerServer(tmp_path, hastened(configuration, notifications.url)) as it:
        yield it


def amtool(*arguments: str | Path) -> str:
    done = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_amtool_accepts_the_configuration(configuration: Path) -> None:
    amtool("check-config", configuration)


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pages"), ("ticket", "tickets"), ("unheard", "tickets")])
def test_the_severity_says_who_is_told(configuration: Path, severity: str, receiver: str) -> None:
    option = f"--config.file={configuration}"
    assert amtool("config", "routes", "test", option, "alertname=Any", f"severity={severity}") == receiver


def test_what_silences_and_what_is_silenced_are_alerts_that_exist(
    configuration: Path, severities: dict[str, str]
) -> None:
    document: dict[str, Any] = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    matchers = [m for rule in document["inhibit_rules"] for m in rule["source_matchers"] + rule["target_matchers"]]
    named = [name for m in matchers if m.startswith("alertname") for name in m.split('"')[1].split("|")]
    assert {name for name in named if name != "Weir.+"} <= severities.keys()


def test_a_gateway_that_is_down_silences_its_own_alerts_and_no_other_ones(alertmanager: AlertmanagerServer) -> None:
    alertmanager.send(
        {"alertname": "WeirDown", "severity": "page", "instance": "a"},
        {"alertname": "WeirStoreAway", "severity": "ticket", "instance": "a"},
        {"alertname": "WeirStoreAway", "severity": "ticket", "instance": "b"},
        {"alertname": "WeirLatencyHigh", "severity": "page", "model": "fraud"},
    )
    alertmanager.wait_for_states(
        {"WeirDown a": "active", "WeirStoreAway a": "suppressed"}
        | {"WeirStoreAway b": "active", "WeirLatencyHigh": "active"}
    )
    alertmanager.send({"alertname": "WeirDown", "severity": "page"})
    alertmanager.wait_for_states(
        {"WeirDown": "active", "WeirDown a": "active", "WeirStoreAway a": "suppressed"}
        | {"WeirStoreAway b": "active", "WeirLatencyHigh": "suppressed"}
    )


def test_a_page_silences_the_tickets_of_its_version(alertmanager: AlertmanagerServer) -> None:
    alertmanager.send(
        {"alertname": "WeirDataQuality", "severity": "page", "model": "fraud", "version": "3"},
        {"alertname": "WeirDriftPersistent", "severity": "ticket", "model": "fraud", "version": "3"},
        {"alertname": "WeirDriftPersistent", "severity": "ticket", "model": "fraud", "version": "4"},
        {"alertname": "WeirCanaryTripped", "severity": "ticket", "model": "fraud", "version": "4"},
        {"alertname": "WeirCanaryFallbackMasking", "severity": "ticket", "model": "fraud", "version": "4"},
    )
    alertmanager.wait_for_states(
        {"WeirDataQuality 3": "active", "WeirDriftPersistent 3": "suppressed", "WeirDriftPersistent 4": "active"}
        | {"WeirCanaryTripped 4": "active", "WeirCanaryFallbackMasking 4": "suppressed"}
    )
