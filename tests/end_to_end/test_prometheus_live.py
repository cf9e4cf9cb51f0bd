"""Metrics, rules and panels on a real gateway, scraped by a real Prometheus, while clients count what they send."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc
from sklearn.datasets import load_diabetes, load_iris

from gateway.audit.signing_key import make_key
from gateway.cli import main
from gateway.demo.data import load_phishing, sample_instances
from gateway.metrics.catalogue import CATALOGUE
from tests.end_to_end.clients import Clients, Instance
from tests.end_to_end.running import RunningGateway, free_port
from tests.integration.prometheus import (
    PrometheusServer,
    dashboard_expressions,
    measured,
    rule_expressions,
    substituted,
)
from tests.models import IRIS_SIZES, columns_classifier, regressor, write_bundle

MONITOR = {
    "WEIR_MONITOR__TICK_S": "1",
    "WEIR_MONITOR__MINIMUM_ROWS": "50",
    "WEIR_MONITOR__DETECTORS": '["page-hinkley"]',
}
AWAITED = (
    'weir_confidence_collapse_index{variant="canary"}',
    'rate(weir_monitor_rows_total{variant="shadow"}[30s]) > 0',
    'weir_rollout_samples{gate="errors"} > 5',
    'weir_rollout_samples_needed{gate="errors"}',
)
OF_TRACING = {"weir_trace_spans_total"}
"""What only a gateway that traces has; the tests of tracing read it."""

PATIENCE_S = 150.0
LEFT_OUT = "https"
RULED = """\
schema_version: 1
interface:
  features: [{name: petal_length}, {name: petal_width}, {name: sepal, dtype: string}]
  rules:
    - {name: small, range: {feature: petal_length, max: 6}}
"""
pytestmark = pytest.mark.timeout(300)  # the first test waits until every metric, rule and panel has data
POLICY = """\
schema_version: 1
models: {spare: high}
tiers:
  limited: {release_report: optional, unsigned: allow}
  high: {release_report: optional, unsigned: allow}
"""
OUTCOMES = {200: "ok", 422: "client_error"}


@dataclass
class Tally:
    """What the clients have seen, as the gateway should have counted it."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: int = 0
    rows_checked: int = 0
    left_out: int = 0
    others: int = 0

    def add_other(self, _: list[Instance], response: httpx.Response) -> None:
        """Count an answer of another model, which must be one of success."""
        response.raise_for_status()
        self.others += 1

    def add(self, instances: list[Instance], response: httpx.Response) -> None:
        """Count one answer."""
        variant = response.headers.get("x-variant", "refused")
        self.requests[variant, OUTCOMES[response.status_code]] += 1
        self.rows_checked += len(instances)
        if response.status_code == 200:
            self.rows += len(instances)
            self.left_out += sum(LEFT_OUT not in row for row in instances)


@dataclass
class World:
    """A gateway that has been used and scraped, and what its clients counted.

    Beside the demonstration's model it serves what that has not: rules, segments, labels, a regression, and has one
    that lacks its approvals.
    """

    gateway: RunningGateway
    prometheus: PrometheusServer
    tally: Tally
    without_data: list[str]
    at_rest_s: float

    def samples(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression has in the first scrape after the last answer was counted everywhere."""
        return self.prometheus.query(expression, self.at_rest_s)

    def total(self, expression: str) -> float:
        """Return the one number of such an expression."""
        (sample,) = self.samples(expression)
        return float(sample["value"][1])


def faulty_requests() -> Iterator[list[Instance]]:
    """Give real rows for ever; every tenth request leaves a feature out, every 25th has one of the wrong type."""
    for number, rows in zip(count(1), sample_instances(load_phishing().instances(), most=8), strict=False):
        instances: list[Instance] = [dict(row) for row in rows]
        if number % 10 == 0:
            del instances[0][LEFT_OUT]
        if number % 25 == 0:
            instances[0]["long_url"] = "yes"
        yield instances


@pytest.fixture(scope="module")
def rule_files(repo_root: Path) -> list[Path]:
    return sorted((repo_root / "deploy/prometheus/rules").glob("*.yml"))


@pytest.fixture(scope="module")
def rules(rule_files: list[Path]) -> list[tuple[str, str]]:
    return [rule for path in rule_files for rule in rule_expressions(path)]


def flowers() -> list[dict[str, str | float]]:
    """Return irises as a table's rows: the features of ``columns_classifier`` and the species."""
    iris = load_iris()
    sizes = [IRIS_SIZES[2 - int(np.searchsorted([5.4, 6.3], length))] for length in iris.data[:, 0]]
    return [
        {"petal_length": float(row[2]), "petal_width": float(row[3]), "sepal": size, "species": str(species)}
        for row, size, species in zip(iris.data, sizes, iris.target_names[iris.target], strict=True)
    ]


def patients() -> list[dict[str, float]]:
    """Return the rows that ``regressor`` was trained on."""
    x_nd, _ = load_diabetes(return_X_y=True)
    return [{f"x{j}": float(value) for j, value in enumerate(row)} for row in x_nd]


def write_profiled(
    folder: Path, rows: Sequence[Mapping[str, str | float]], model: bytes, *flags: str, **files: str
) -> None:
    """Write a version and its profile, as the command makes it from a table."""
    write_bundle(folder, model, **files)
    table = folder.parent.parent.parent / f"{folder.parent.name}.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    models, name, version = str(folder.parent.parent), folder.parent.name, folder.name
    with pytest.raises(SystemExit) as done:
        main(["profile", models, name, version, "--table", str(table), *flags])
    assert done.value.code == 0


@pytest.fixture(scope="module")
def models(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live") / "models"
    shutil.copytree(demo_models / "phishing", folder / "phishing", ignore=shutil.ignore_patterns("4"))
    flags = ("--label", "species", "--segment", "sepal")
    write_profiled(folder / "iris/1", flowers(), columns_classifier(), *flags, **{"model.yaml": RULED})
    write_profiled(folder / "patients/1", patients(), regressor())
    write_bundle(folder / "patients/2", regressor())
    write_bundle(folder / "spare/1", regressor())
    return folder


@pytest.fixture(scope="module")
def expressions(rules: list[tuple[str, str]], repo_root: Path) -> list[tuple[str, str]]:
    """Give what must have data while there is traffic: metrics, rules, panels and what the traffic is for, by name."""
    metrics = [metric for metric in CATALOGUE if metric.name not in OF_TRACING]
    exposed = [f"{metric.name}_count" if metric.kind == "histogram" else metric.name for metric in metrics]
    panels = dashboard_expressions(repo_root / "grafana/dashboards")
    assert len(panels) > 30
    judged = [(title, measured(substituted(query))) for title, query in panels]
    return [(name, name) for name in (*exposed, *AWAITED)] + [(name, measured(rule)) for name, rule in rules] + judged


@pytest.fixture(scope="module")
def world(
    models: Path, rule_files: list[Path], expressions: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("prometheus")
    grpc_port = free_port()
    flags = ("--stable", "phishing=1", "--stable", "patients=1", "--grpc-port", str(grpc_port))
    make_key(folder / "key.pem")
    audit = {"CHECKPOINTS": folder / "checkpoints", "CHECKPOINT_KEY": folder / "key.pem", "CHECKPOINT_S": 1}
    environ = {**MONITOR, "WEIR_PREDICTION_LOG__PATH": str(folder / "log")}
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    environ["WEIR_GOVERNANCE__POLICY"] = str(folder / "policy.yaml")
    environ |= {f"WEIR_AUDIT__{name}": str(value) for name, value in audit.items()}
    gateway = RunningGateway(models, folder / "weir.db", *flags, workers=2, environ=environ)
    (folder / "server").mkdir()
    server = PrometheusServer(folder / "server", [gateway.url.removeprefix("http://")], rule_files, interval_s=1.0)
    asked = [[{name: value for name, value in row.items() if name != "species"}] for row in flowers()]
    patients_asked: list[list[Instance]] = [[dict(row)] for row in patients()]
    tally = Tally()
    with server, gateway:  # a server takes five seconds to its first scrape, and a gateway some to its first page
        server.wait_for_scrape()
        for version in ("2", "3"):
            gateway.wait_for_workers("phishing", version)
        shadow, canary = {"version": "3", "sample": 100.0}, {"version": "2", "weight": 50.0}
        assert gateway.put_route("phishing", stable="1", canary=canary, shadow=[shadow]).status_code == 200
        server.wait_for("weir_route_apply_delay_seconds_count == 2")
        with gateway.client() as admin:
            rollout = {"model": "patients", "version": "2", "reason": "a test", "plan": {"steps": [50], "shadow": None}}
            assert admin.post("/admin/v1/rollouts", json=rollout).status_code == 201
            glass = {"reason": "a test", "ticket": "T-1"}
            admin.post("/admin/v1/models/spare/versions/1/break-glass", json=glass).raise_for_status()
        server.wait_for("weir_route_apply_delay_seconds_count == 4")
        with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}") as client:
            assert client.is_server_live()
        with (
            Clients(gateway.url, "phishing", faulty_requests(), tally.add),
            Clients(gateway.url, "iris", cycle(asked), tally.add_other, threads=1),
            Clients(gateway.url, "patients", cycle(patients_asked), tally.add_other, threads=1),
        ):
            without_data = server.without_data(expressions, deadline_s=PATIENCE_S)
        server.wait_for(f"sum(weir_requests_total) >= {tally.requests.total() + tally.others}")
        server.wait_for(f'sum(weir_monitor_rows_total{{model="phishing",variant!="shadow"}}) >= {tally.rows}')
        server.wait_for(f"sum(weir_shadow_requests_total) >= {tally.requests['stable', 'ok']}")
        yield World(gateway, server, tally, without_data, server.wait_for_scrape())


def test_the_page_is_scraped_without_complaint(world: World) -> None:
    assert [(target["health"], target["lastError"]) for target in world.prometheus.targets()] == [("up", "")]


def test_every_rule_is_evaluated_without_an_error(world: World, rules: list[tuple[str, str]]) -> None:
    assert len(rules) > 20
    assert [rule["name"] for rule in world.prometheus.rules() if rule["health"] != "ok"] == []


def test_every_metric_rule_and_panel_has_data_while_there_is_traffic(world: World) -> None:
    assert world.without_data == []


def test_two_workers_count_exactly_what_the_clients_count(world: World) -> None:
    counted = world.samples('sum by (variant, outcome) (weir_requests_total{model="phishing"}) > 0')
    found = {(s["metric"]["variant"], s["metric"]["outcome"]): int(s["value"][1]) for s in counted}
    refused = {name: n for name, n in found.items() if name[1] != "ok"}
    sent = world.tally.requests
    assert {name: n for name, n in found.items() if name[1] == "ok"} == {
        name: n for name, n in sent.items() if name[1] == "ok"
    }
    assert set(refused) <= {("stable", "client_error"), ("canary", "client_error")}
    assert sum(refused.values()) == sent["refused", "client_error"]
    assert (
        world.total('sum(weir_request_duration_seconds_count{model="phishing"})')
        == sent.total() - sent["refused", "client_error"]
    )


def test_rows_and_faults_are_exact_those_of_refused_requests_included(world: World) -> None:
    tally = world.tally
    assert world.total('sum(weir_rows_total{model="phishing"})') == tally.rows
    assert world.total('sum(weir_contract_rows_total{model="phishing"})') == tally.rows_checked
    left_out = world.total(f'sum(weir_feature_faults_total{{feature="{LEFT_OUT}",kind="missing"}})')
    assert left_out == tally.left_out > 0
    refused = world.total('sum(weir_feature_faults_total{feature="long_url",kind="wrong_type"})')
    assert refused == tally.requests["refused", "client_error"]


def test_every_row_reaches_the_watch_and_every_answer_of_stable_the_shadow(world: World) -> None:
    assert world.total('sum(weir_monitor_rows_total{model="phishing",variant!="shadow"})') == world.tally.rows
    assert world.total("sum(weir_shadow_requests_total)") == world.tally.requests["stable", "ok"]


def test_a_change_of_the_route_is_applied_by_both_workers_and_timed(world: World) -> None:
    assert world.total("weir_route_apply_delay_seconds_count") == 4, "two changes on two workers"
    assert world.total('weir_route_apply_delay_seconds_bucket{le="2.5"}') == 4
