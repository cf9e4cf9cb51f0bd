"""Configuration, rules and runbooks: what promtool says, and that nothing is named that does not exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.metrics.catalogue import CATALOGUE
from tests.integration.expressions import exposed_names, metric_names, rule_expressions

CASES = Path(__file__).parents[2] / "deploy/prometheus/tests"


@pytest.fixture(scope="module")
def home(repo_root: Path) -> Path:
    return repo_root / "deploy/prometheus"


@pytest.fixture(scope="module")
def alerts(home: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load((home / "rules/alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def cases(home: Path) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((home / "tests").glob("*.yml"))]
    return [
        case | {"has_input": bool(test["input_series"])}
        for document in documents
        for test in document["tests"]
        for case in test["alert_rule_test"]
    ]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_configuration_and_rules(home: Path) -> None:
    promtool("check", "config", home / "prometheus.yml")


@pytest.mark.parametrize("name", [path.name for path in sorted(CASES.glob("*.yml"))])
def test_alerts_fire_and_stay_quiet_as_their_cases_say(name: str) -> None:
    promtool("test", "rules", CASES / name)


def test_each_alert_has_a_firing_case_a_quiet_case_and_a_case_without_data(
    alerts: list[dict[str, Any]], cases: list[dict[str, Any]]
) -> None:
    wanted = {alert["alert"] for alert in alerts}
    assert {case["alertname"] for case in cases if case["has_input"] and case["exp_alerts"]} == wanted
    assert {case["alertname"] for case in cases if case["has_input"] and not case["exp_alerts"]} == wanted
    assert {case["alertname"] for case in cases if not case["has_input"]} == wanted


def test_each_alert_says_how_bad_it_is_and_what_to_do(alerts: list[dict[str, Any]], repo_root: Path) -> None:
    for alert in alerts:
        assert alert["labels"].keys() == {"severity"}, alert["alert"]
        assert alert["labels"]["severity"] in ("page", "ticket"), alert["alert"]
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}, alert["alert"]
        assert "keep_firing_for" in alert, alert["alert"]
        assert (repo_root / alert["annotations"]["runbook_url"]).is_file(), alert["alert"]


@pytest.mark.parametrize(
    "cause", ["data-quality", "drift", "prediction-drift", "confidence-collapse", "broken-output", "no-data"]
)
def test_each_cause_that_the_watch_names_has_a_runbook(cause: str, repo_root: Path) -> None:
    assert f"cause `{cause}`" in (repo_root / f"docs/runbooks/{cause}.md").read_text(encoding="utf-8")


def test_each_runbook_belongs_to_an_alert(alerts: list[dict[str, Any]], repo_root: Path) -> None:
    named = {alert["annotations"]["runbook_url"] for alert in alerts}
    assert {f"docs/runbooks/{path.name}" for path in (repo_root / "docs/runbooks").glob("*.md")} == named


def test_rules_read_only_what_is_exposed_or_recorded(home: Path) -> None:
    recorded = rule_expressions(home / "rules/recording.yml")
    known = exposed_names().keys() | {name for name, _ in recorded}
    for name, expression in recorded + rule_expressions(home / "rules/alerts.yml"):
        assert metric_names(expression) <= known, name


def test_each_bound_that_a_rule_reads_is_an_edge_of_its_histogram(home: Path) -> None:
    edges = {metric.name: {f"{edge:g}" for edge in metric.buckets} for metric in CATALOGUE}
    expressions = [text for name in ("recording", "alerts") for _, text in rule_expressions(home / f"rules/{name}.yml")]
    found = [pair for text in expressions for pair in re.findall(r'(weir_\w+)_bucket\{[^}]*\ble="([^"]+)"', text)]
    assert found
    assert [(name, bound) for name, bound in found if bound not in edges[name]] == []
