"""The committed dashboards are what the code makes, and keep to the rules that make them work everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.metrics.catalogue import CATALOGUE
from grafana.dashboards import board_names, generated
from tests.grafana.lint import faults
from tests.integration.expressions import exposed_names, metric_names, panel_expressions, rule_expressions

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
QUERY_A = {"refId": "A", "expr": "up", "datasource": DATASOURCE}


SELECTOR = re.compile(r"((?:\w+:)*weir_\w+(?::\w+)*)(\{[^}]*\})?")


@pytest.fixture(scope="module", params=board_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def board(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(generated(name))
    return document


@pytest.fixture(scope="module")
def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_there_is_a_file_for_each_dashboard_and_no_other(repo_root: Path) -> None:
    assert sorted(path.stem for path in (repo_root / "grafana/dashboards").rglob("*.json")) == board_names()


def test_the_committed_dashboard_is_up_to_date(name: str, repo_root: Path) -> None:
    committed = (repo_root / f"grafana/dashboards/weir/{name}.json").read_text(encoding="utf-8")
    assert committed == generated(name), "run scripts/generate"


def test_the_dashboard_is_provisioned_not_imported(name: str, board: dict[str, Any]) -> None:
    assert (board["id"], board["uid"], board["editable"]) == (None, f"weir-{name}", False)
    assert "__inputs" not in board
    assert "weir" in board["tags"]
    assert board["description"].endswith(".")


def test_source_job_instance_and_model_can_be_chosen(board: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "model"]
    assert variables.pop("datasource")["type"] == "datasource"
    assert all(variable["datasource"] == DATASOURCE for variable in variables.values())


def test_each_panel_says_what_it_shows_in_which_unit(panels: list[dict[str, Any]]) -> None:
    for panel in panels:
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_nothing_is_wrong_with_the_document(board: dict[str, Any]) -> None:
    assert faults(board) == []


@pytest.mark.parametrize(
    ("path", "wrong", "fault"),
    [
        pytest.param(("refesh",), "10s", "dashboard.refesh is no member", id="a misspelt member"),
        pytest.param(("panels", 1, "datsource"), DATASOURCE, "datsource is no member", id="of a panel"),
        pytest.param(("panels", 1, "options", "legnd"), {}, "options.legnd is no member", id="of its options"),
        pytest.param(("panels", 1, "targets", 0, "query"), "up", "query is no member", id="of another source's query"),
        pytest.param(("panels", 1, "id"), 1, "2 panels have the number 1", id="a number twice"),
        pytest.param(("panels", 1, "targets", 1), QUERY_A, "2 queries are called A", id="a query's name twice"),
        pytest.param(("panels", 2, "gridPos", "x"), 0, "lies upon", id="two panels at one place"),
        pytest.param(("panels", 1, "gridPos", "w"), 25, "wider than the page", id="a panel beyond the page"),
        pytest.param(("panels", 1, "targets", 0, "expr"), 'up{job=~"$jobs"}', "$jobs is not declared", id="a variable"),
        pytest.param(("panels", 1, "datasource", "uid"), "${source}", "$source is not declared", id="a source"),
        pytest.param(("panels", 1, "fieldConfig", "defaults", "unit"), "sec", "there is no unit sec", id="a unit"),
    ],
)
def test_a_fault_of_each_kind_is_found(path: tuple[str | int, ...], wrong: Any, fault: str) -> None:
    document = json.loads(generated("saturation"))
    *way, last = path
    place: Any = document
    for step in way:
        place = place[step]
    if isinstance(place, list) and last == len(place):
        place.append(wrong)
    else:
        place[last] = wrong
    assert any(fault in found for found in faults(document))


def test_every_panel_and_query_uses_the_chosen_source(panels: list[dict[str, Any]]) -> None:
    for panel in panels:
        assert panel["datasource"] == DATASOURCE, panel["title"]
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"]), panel["title"]


def test_every_selector_keeps_to_the_chosen_job_and_instance(board: dict[str, Any]) -> None:
    for title, expression in panel_expressions(board):
        selectors = SELECTOR.findall(expression)
        assert selectors, title
        for name, matchers in selectors:  # what rules record is summed over instances
            wanted = 'model=~"$model"' if ":" in name else 'job=~"$job",instance=~"$instance"'
            assert wanted in matchers, title


def test_every_rate_follows_the_scrape_interval(board: dict[str, Any]) -> None:
    for title, expression in panel_expressions(board):
        assert set(re.findall(r"rate\(\w+\{[^}]*\}\[([^]]*)\]", expression)) <= {"$__rate_interval"}, title


def test_panels_read_only_what_is_exposed_or_recorded(board: dict[str, Any], repo_root: Path) -> None:
    recorded = {name for name, _ in rule_expressions(repo_root / "deploy/prometheus/rules/recording.yml")}
    for title, expression in panel_expressions(board):
        assert metric_names(expression) <= exposed_names().keys() | recorded, title


def test_every_metric_is_on_a_dashboard_or_internal_and_no_internal_one_is() -> None:
    expressions = [found for name in board_names() for found in panel_expressions(generated(name))]
    names = set().union(*(metric_names(expression) for _, expression in expressions))
    shown = {metric for name, metric in exposed_names().items() if name in names}
    assert {metric.name for metric in CATALOGUE if not metric.internal} == shown


def test_provisioning_finds_the_dashboard_and_lets_nobody_change_it(repo_root: Path) -> None:
    document = yaml.safe_load((repo_root / "grafana/provisioning/dashboards/weir.yaml").read_text(encoding="utf-8"))
    (provider,) = document["providers"]
    assert (provider["type"], provider["disableDeletion"], provider["allowUiUpdates"]) == ("file", True, False)
    assert provider["options"]["foldersFromFilesStructure"] is True


def test_the_provisioned_source_is_the_one_chosen_at_first(board: dict[str, Any], repo_root: Path) -> None:
    path = repo_root / "grafana/provisioning/datasources/prometheus.yaml"
    (source,) = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert source["uid"] == board["templating"]["list"][0]["current"]["value"]
