"""Every rule and every panel, evaluated by a real Prometheus over a metrics page with all metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import pytest
import yaml

from gateway.metrics.catalogue import CATALOGUE, Metric
from gateway.metrics.exposition import render
from gateway.metrics.shared import Series
from tests.integration.prometheus import (
    PrometheusServer,
    dashboard_expressions,
    measured,
    rule_expressions,
    substituted,
)

CAUSES = ("confidence-collapse", "data-quality", "drift", "prediction-drift", "broken-output", "no-data")
OPEN_LABELS = {"cause": CAUSES, "role": ("worker", "shadow", "watch"), "model": ("phishing",), "version": ("1", "2")}


def series_of(metric: Metric, age_s: float) -> Iterator[Series]:
    """Give a metric under every combination of its labels, as it is after ``age_s`` seconds of steady traffic."""
    choices = [metric.values.get(label, OPEN_LABELS.get(label, ("x",))) for label in metric.labels]
    count = 1 + int(100 * age_s)
    for values in product(*choices):
        labels = dict(zip(metric.labels, values, strict=True))
        if metric.kind == "histogram":
            buckets = (count,) * (len(metric.buckets) + 1)
            yield Series(metric.name, labels, metric.kind, sum(buckets), buckets, age_s)
        else:
            value = time.time() if metric.name.endswith("_timestamp_seconds") else 0.5
            yield Series(metric.name, labels, metric.kind, count if metric.kind == "counter" else value)


class MetricsPage(BaseHTTPRequestHandler):
    """A gateway that is nothing but its metrics page."""

    started_at = time.monotonic()

    def do_GET(self) -> None:
        age_s = time.monotonic() - self.started_at
        series = [series for metric in CATALOGUE for series in series_of(metric, age_s)]
        body, content_type = render(series, [], self.headers.get("Accept", ""))
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MetricsPage)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def rule_files(repo_root: Path) -> list[Path]:
    return sorted((repo_root / "deploy/prometheus/rules").glob("*.yml"))


@pytest.fixture(scope="module")
def prometheus(
    target: str, rule_files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    with PrometheusServer(tmp_path_factory.mktemp("prometheus"), [target], rule_files, interval_s=1.0) as server:
        for _ in range(2):  # a rate needs two
            server.wait_for_scrape()
        for _ in range(2):  # a rule may read what another records
            server.wait_for_rules()
        yield server


def test_the_page_is_scraped_without_complaint(prometheus: PrometheusServer) -> None:
    assert [(target["health"], target["lastError"]) for target in prometheus.targets()] == [("up", "")]


def test_every_rule_is_evaluated_without_an_error(prometheus: PrometheusServer, rule_files: list[Path]) -> None:
    rules = prometheus.rules()
    assert len(rules) == sum(len(rule_expressions(path)) for path in rule_files)
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []


def test_every_rule_has_data_to_judge(prometheus: PrometheusServer, rule_files: list[Path]) -> None:
    rules = [rule for path in rule_files for rule in rule_expressions(path)]
    assert rules
    assert [name for name, expression in rules if not prometheus.query(measured(expression))] == []


def test_every_panel_has_data(prometheus: PrometheusServer, repo_root: Path) -> None:
    panels = dashboard_expressions(repo_root / "grafana/dashboards")
    assert len(panels) > 30
    assert [title for title, query in panels if not prometheus.query(measured(substituted(query)))] == []


def test_what_keda_asks_has_one_number(prometheus: PrometheusServer, repo_root: Path) -> None:
    path = repo_root / "deploy/kubernetes/overlays/keda/scaled-object.yaml"
    triggers = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["triggers"]
    (query,) = [trigger["metadata"]["query"] for trigger in triggers if trigger["type"] == "prometheus"]
    assert [sample["metric"] for sample in prometheus.query(query)] == [{}]


def test_a_broken_expression_fails_with_the_words_of_the_server(prometheus: PrometheusServer) -> None:
    with pytest.raises(AssertionError, match="parse error"):
        prometheus.query("sum(")
