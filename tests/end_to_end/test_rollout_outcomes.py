"""A rollout that nothing but what turned out to be right can tell from its stable version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import TOKEN, RunningGateway
from tests.models import elementwise, write_bundle

PLAN = {
    "steps": [50],
    "shadow": None,
    "dwell_s": 600,
    "guards": {"outcomes": {"scale": 1.0}, "latency": None, "predictions": {"distance": 0.3}},
}
KEYS = 120


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("outcomes")
    for version, operator in {"1": "Identity", "2": "Neg"}.items():
        write_bundle(folder / "models" / "m" / version, elementwise(operator))
    with RunningGateway(folder / "models", folder / "weir.db", "--stable", "m=1", workers=1) as gateway:
        for version in "12":
            gateway.wait_for_workers("m", version)
        yield gateway


def rollout(gateway: RunningGateway) -> Any:
    return gateway.read("/admin/v1/rollouts/m").json()["rollout"]


def report(gateway: RunningGateway, file: Path) -> Any:
    command = [sys.executable, "-m", "gateway.cli", "rollout", "outcomes", "m", str(file), "--json"]
    environ = {**os.environ, "WEIR_ADMIN_TOKEN": TOKEN, "WEIR_URL": gateway.url}
    found = subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False, env=environ)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_outcomes_alone_take_a_version_back_whose_answers_look_alike(gateway: RunningGateway, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    sent = joined = 0

    def ask_of_more_keys(client: httpx.Client) -> None:
        nonlocal sent
        for key in range(sent, sent + KEYS):
            right = 1.0 if key % 2 else -1.0
            headers = {"x-request-id": f"r-{key}", "x-route-key": f"k-{key}"}
            answer = client.post("/predict/m", json={"instances": [[right]]}, headers=headers)
            assert answer.status_code == 200
            with file.open("a") as lines:
                lines.write(json.dumps({"request_id": f"r-{key}", "outcome": right}) + "\n")
        sent += KEYS

    def is_back(client: httpx.Client) -> bool:
        """Report what is known; a worker may have answered the first keys before it knew of the canary."""
        nonlocal joined
        ask_of_more_keys(client)
        joined += report(gateway, file)["joined"]
        return bool(rollout(gateway)["state"] == "rolled_back")

    with gateway.client() as client:
        body = {"model": "m", "version": "2", "reason": "a test", "plan": PLAN}
        assert client.post("/admin/v1/rollouts", json=body).status_code == 201
        gateway.wait_until(lambda: rollout(gateway)["state"] == "canary", "in the canary step")
        gateway.wait_until(lambda: gateway.read("/admin/v1/models/m/route").json()["canary"] is not None, "routed")
        wrong = client.post("/admin/v1/rollouts/m/outcomes", json={"outcomes": [{"request_id": "r-1"}]})
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/outcomes/0/outcome")
        gateway.wait_until(lambda: is_back(client), "rolled back")
    found = rollout(gateway)
    assert found["is_automatic"]
    assert found["cause"].startswith("outcomes: wrong on 100 % of")
    assert "; " not in found["cause"]
    page = MetricsPage.of(gateway.url)
    assert 30 < page.sum("weir_rollout_outcomes_total", model="m", result="joined") == joined <= sent
    assert page.sum("weir_rollout_aborts_total", model="m", gate="outcomes") == 1
    assert report(gateway, file) == {"received": sent, "joined": 0, "unknown": sent, "unusable": 0}
