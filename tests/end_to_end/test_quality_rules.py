"""Data-quality rules on a real gateway: every protocol refuses and says which rule, and the watch alerts on a rate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests import loopback
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway, free_port
from tests.models import multi_output, write_bundle

MANIFEST = """
schema_version: 1
interface:
  features: [{name: start}, {name: end}, {name: seen_at}]
  rules:
    - {name: in-order, action: reject, relation: {left: start, operator: <=, right: end}}
    - {name: small, range: {feature: end, max: 100}}
    - {name: fresh, freshness: {feature: seen_at, max_age_s: 3600, unit: s}}
"""
BROKEN = "expected start <= end, found start 5.0, end 3.0 (rule 'in-order')"


class RuledGateway(RunningGateway):
    """A gateway with one model whose rows are judged by rules, beside gRPC."""

    grpc_port = 0

    def rows(self, *pairs: tuple[float, float]) -> list[list[float]]:
        """Return rows that are seen now."""
        return [[start, end, time.time()] for start, end in pairs]

    def plain(self, *pairs: tuple[float, float]) -> httpx.Response:
        """Ask for predictions."""
        return loopback.post(f"{self.url}/predict/m", json={"instances": self.rows(*pairs)})

    def alert(self) -> dict[str, Any] | None:
        """Return the open alert on the quality of data."""
        alerts = self.read("/admin/v1/alerts").json()["alerts"]
        return next((a for a in alerts if a["cause"] == "data-quality" and a["state"] != "resolved"), None)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuledGateway]:
    folder = tmp_path_factory.mktemp("ruled")
    write_bundle(folder / "models" / "m" / "1", multi_output(), **{"model.yaml": MANIFEST})
    tick = {"TICK_S": "0.3", "MINIMUM_ROWS": "50", "CLEAR_TICKS": "1", "MINIMUM_FIRING_S": "0"}
    environ = {f"WEIR_MONITOR__{name}": value for name, value in tick.items()}
    port = free_port()
    flags = ("--grpc-port", str(port))
    running = RuledGateway(folder / "models", folder / "weir.db", *flags, workers=1, environ=environ)
    running.grpc_port = port
    with running:
        yield running


def test_a_row_that_breaks_a_rejecting_rule_is_a_problem_at_its_place(gateway: RuledGateway) -> None:
    answer = gateway.plain((1, 2), (5, 3))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:weir:problem:input-rejected")
    assert answer.json()["errors"] == [
        {
            "pointer": "/instances/1/0",
            "kind": "rule",
            "expected": "start <= end",
            "found": "start 5, end 3",
            "feature": "start",
            "rule": "in-order",
        }
    ]


@pytest.mark.parametrize(("path", "status"), [("/v1/models/m:predict", 400), ("/invocations", 422)])
def test_the_other_protocols_of_rows_refuse_in_their_own_way(gateway: RuledGateway, path: str, status: int) -> None:
    answer = loopback.post(f"{gateway.url}{path}", json={"instances": gateway.rows((5, 3))})
    assert (answer.status_code, "in-order" in answer.text) == (status, True)


def test_the_open_inference_protocol_refuses_in_its_own_words(gateway: RuledGateway) -> None:
    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": gateway.rows((5, 3))[0]}
    answer = loopback.post(f"{gateway.url}/v2/models/m/infer", json={"inputs": [tensor]})
    assert answer.status_code == 400
    assert f"/inputs/0/data/0: {BROKEN}" in answer.json()["error"]


def test_grpc_refuses_with_the_same_words(gateway: RuledGateway) -> None:
    tensor = triton.InferInput("x", [1, 3], "FP32")
    tensor.set_data_from_numpy(np.array(gateway.rows((5, 3)), np.float32))
    with (
        triton.InferenceServerClient(f"127.0.0.1:{gateway.grpc_port}") as client,
        pytest.raises(InferenceServerException) as caught,
    ):
        client.infer("m", [tensor])
    assert caught.value.status() == f"StatusCode.{grpc.StatusCode.INVALID_ARGUMENT.name}"
    assert f"/inputs/0/data/0: {BROKEN}" in str(caught.value.message())


def test_the_watch_alerts_on_the_rate_of_a_flagging_rule_and_names_it(gateway: RuledGateway) -> None:
    def see(large: int, holds: bool) -> bool:
        assert gateway.plain(*[(1, 2)] * (200 - large), *[(1, 200)] * large).status_code == 200
        alert = gateway.alert()
        return (alert is not None and "rule small" in alert["summary"]) == holds

    assert gateway.plain((5, 3), (5, 4)).status_code == 422
    gateway.wait_until(lambda: see(80, True), "alerted", timeout_s=30.0)
    alert = gateway.alert()
    assert alert is not None
    drivers = {driver["name"]: driver for driver in alert["drivers"]}
    assert (drivers["rule small"]["statistic"], drivers["rule small"]["before"]) == ("rule", "broken 0 %")
    assert "rule fresh" not in drivers
    page = MetricsPage.of(gateway.url)
    assert page.sum("weir_rule_broken_rows_total", rule="small") >= 80
    assert page.sum("weir_rule_broken_rows_total", rule="in-order") >= 2
    assert page.sum("weir_rule_broken_rows_total", rule="fresh") == 0
    gateway.wait_until(lambda: see(0, False), "calm again", timeout_s=30.0)
