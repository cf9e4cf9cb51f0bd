"""The stop button on a real gateway: each safe state over the fast path, the ASGI path, both protocols and gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests import loopback
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway, free_port
from tests.models import elementwise, write_bundle

ROWS = [[1.0], [2.0]]
PLAIN = b'{"instances": [[1], [2]]}'
TENSOR = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 1], "data": [1, 2]}]}'
REFUSED = "refused"


class Said(NamedTuple):
    """An answer, as any protocol says it."""

    values: list[float]
    version: str
    variant: str


class Stoppable(RunningGateway):
    """A gateway whose model ``m`` negates with version 1 and repeats with version 2."""

    def __init__(self, folder: Path) -> None:
        for version, operator in {"1": "Neg", "2": "Identity"}.items():
            write_bundle(folder / "models" / "m" / version, elementwise(operator))
        self.address = f"127.0.0.1:{(port := free_port())}"
        super().__init__(folder / "models", folder / "weir.db", "--grpc-port", str(port), "--stable", "m=1", workers=1)

    def operate(self, verb: str, expected: Said | str, **body: Any) -> dict[str, Any]:
        """Stop or resume, and wait until that is in force."""
        with self.client() as client:
            response = client.post(f"/admin/v1/models/m/{verb}", json={"reason": "a test"} | body)
            route: dict[str, Any] = response.raise_for_status().json()
        self.wait_until(lambda: self.plain(PLAIN) == expected, f"{verb} in force")
        return route

    def everywhere(self) -> list[Said | str]:
        """Ask on every way in."""
        return [self.plain(PLAIN), self.plain(iter([PLAIN])), self.v1(), self.v2(), self.grpc()]

    def plain(self, body: Any) -> Said | str:
        """Ask in the plain protocol; a body in parts has no length, and takes the ASGI path."""
        response = loopback.post(f"{self.url}/predict/m", content=body, headers={"content-type": "application/json"})
        if (said := _said(response, lambda answer: answer["predictions"])) != REFUSED:
            assert response.json()["variant"] == response.headers["x-variant"]
        return said

    def v1(self) -> Said | str:
        return _said(
            loopback.post(f"{self.url}/v1/models/m:predict", content=PLAIN), lambda answer: answer["predictions"]
        )

    def v2(self) -> Said | str:
        response = loopback.post(f"{self.url}/v2/models/m/infer", content=TENSOR)
        said = _said(response, lambda answer: answer["outputs"][0]["data"])
        if isinstance(said, Said):
            is_constant = said.variant == "constant"
            assert response.json()["parameters"] == ({"variant": "constant"} if is_constant else {})
        return said

    def grpc(self) -> Said | str:
        with triton.InferenceServerClient(self.address) as client:
            tensor = triton.InferInput("x", [2, 1], "FP32").set_data_from_numpy(np.array(ROWS, np.float32))
            try:
                result = client.infer("m", [tensor])
            except InferenceServerException as error:
                return REFUSED if "UNAVAILABLE" in str(error.status()) else str(error)
            response = result.get_response()
            variant = response.parameters["variant"].string_param or "stable"
            return Said(result.as_numpy("y").ravel().tolist(), response.model_version, variant)


def _said(response: httpx.Response, values_of: Any) -> Said | str:
    if response.status_code == 503:
        assert "was stopped by its operators" in response.text
        return REFUSED
    assert response.status_code == 200, response.text
    values = values_of(response.json())
    return Said(values, response.headers["x-model-version"], response.headers["x-variant"])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stoppable]:
    running = Stoppable(tmp_path_factory.mktemp("stop"))
    with running:
        for version in ("1", "2"):
            running.wait_for_workers("m", version)
        yield running


def test_every_safe_state_holds_on_every_way_in_and_ends_with_the_resumption(gateway: Stoppable) -> None:
    serving = Said([-1.0, -2.0], "1", "stable")
    states: list[tuple[Said | str, dict[str, Any]]] = [
        (REFUSED, {}),
        (Said([1.0, 2.0], "2", "stable"), {"version": "2"}),
        (Said([7.5, 7.5], "1", "constant"), {"answer": 7.5}),
        (Said([3.0, 3.0], "2", "constant"), {"answer": {"y": [3]}, "version": "2"}),
    ]
    for expected, body in states:
        route = gateway.operate("stop", expected, **body)
        assert gateway.everywhere() == [expected] * 5
        with gateway.client() as client:
            assert "m is stopped" in client.get("/readyz").json()["degraded"]
            records = client.get("/admin/v1/audit", params={"resource": "route/m", "limit": 1000}).json()["records"]
        assert (records[-1]["action"], records[-1]["after"]["stop"]) == ("route.stop", route["stop"])
        gateway.operate("resume", serving)
        assert gateway.everywhere() == [serving] * 5


def test_constant_answers_are_counted_apart_and_never_watched(gateway: Stoppable) -> None:
    constant = Said([7.5, 7.5], "1", "constant")
    gateway.operate("stop", constant, answer=7.5)
    before = MetricsPage.of(gateway.url)
    assert gateway.everywhere() == [constant] * 5
    wrong = loopback.post(f"{gateway.url}/predict/m", content=b'{"instances": [["x"]]}')
    assert wrong.status_code == 422, "what the contract refuses is refused still"
    after = MetricsPage.of(gateway.url)
    made = after.sum("weir_requests_total", variant="constant") - before.sum("weir_requests_total", variant="constant")
    assert made >= 6
    assert after.sum("weir_monitor_observations_total", variant="constant") == 0
    assert after.sum("weir_monitor_rows_total", variant="constant") == 0
    gateway.operate("resume", Said([-1.0, -2.0], "1", "stable"))


def test_an_answer_that_the_version_could_not_give_stops_nothing(gateway: Stoppable) -> None:
    with gateway.client() as client:
        refused = client.post("/admin/v1/models/m/stop", json={"answer": "no number"})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/answer/y")
        assert client.get("/admin/v1/models/m/route").json()["stop"] is None
