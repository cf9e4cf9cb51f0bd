"""Rollouts on real processes: an equal version gets all traffic, a bad one goes back, a killed leader is replaced."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.end_to_end.load import Load
from tests.end_to_end.running import RunningGateway
from tests.models import echo_model, failing_model, write_bundle

POISON = {"instances": [[1e12]]}  # the echo answers it, the failing model raises
HARMLESS = {"instances": [[1]]}
PLAN = {
    "steps": [30],
    "shadow": {"sample": 100, "dwell_s": 0},
    "dwell_s": 0.5,
    "bake_s": 0.5,
    "guards": {
        "errors": {"margin": 0.2, "keys": 30},
        "latency": {"quantiles": [0.5], "ratio": 3, "slack_ms": 500},
        "predictions": {"distance": 0.7},
        "shadow": {"disagreement": 0.3, "comparisons": 30, "dropped": 1},
    },
}


def load_on(gateway: RunningGateway, document: object, n: int = 4, pause_s: float = 0.005) -> Load:
    def key_of(client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(gateway.port, "/predict/m", document, n=n, key_of=key_of, pause_s=pause_s)


def gateway_of(tmp_path: Path, candidate: bytes) -> RunningGateway:
    for version, model in {"1": echo_model(), "2": candidate}.items():
        write_bundle(tmp_path / "models" / "m" / version, model)
    return RunningGateway(tmp_path / "models", tmp_path / "weir.db", "--stable", "m=1")


def status(gateway: RunningGateway) -> Any:
    return gateway.read("/admin/v1/rollouts/m").json()


def start(gateway: RunningGateway) -> None:
    with gateway.client() as client:
        body = {"model": "m", "version": "2", "reason": "a test", "plan": PLAN}
        response = client.post("/admin/v1/rollouts", json=body, headers={"idempotency-key": "once"})
        assert response.status_code == 201, response.text
        again = client.post("/admin/v1/rollouts", json=body, headers={"idempotency-key": "once"})
        assert again.json()["rollout"]["id"] == response.json()["rollout"]["id"]


def audited(gateway: RunningGateway) -> list[Any]:
    records: list[Any] = gateway.read("/admin/v1/audit", resource="rollout/m").json()["records"]
    return records


def in_state(gateway: RunningGateway, *states: str) -> bool:
    return status(gateway)["rollout"]["state"] in states


def test_an_equal_version_gets_all_traffic_even_when_the_leader_is_killed_on_the_way(tmp_path: Path) -> None:
    with gateway_of(tmp_path, echo_model()) as gateway, load_on(gateway, HARMLESS) as load:
        start(gateway)
        gateway.wait_until(lambda: in_state(gateway, "canary", "holding"), "in a canary step")
        os.kill(gateway.children("gateway.watch")[0], signal.SIGKILL)
        gateway.wait_until(lambda: in_state(gateway, "completed"), "completed")
        load.wait_for(50)
        with gateway.client() as client:
            route = client.get("/admin/v1/models/m/route").json()
    assert load.failures == []
    assert (route["stable"], route["previous_stable"], route["canary"]) == ("2", "1", None)
    records = [record["action"].removeprefix("rollout.") for record in audited_after(tmp_path)]
    assert records.count("lead") == 2
    assert [name for name in records if name not in ("lead", "holding")][:3] == ["start", "validating", "shadow"]
    assert records[-1] == "completed"


def test_a_version_that_fails_goes_back_and_no_client_notices_at_full_load(tmp_path: Path) -> None:
    with gateway_of(tmp_path, failing_model()) as gateway, load_on(gateway, POISON, n=32, pause_s=0.0) as load:
        with gateway.client() as client:
            plan = {**PLAN, "shadow": None}
            body = {"model": "m", "version": "2", "reason": "a test", "plan": plan}
            assert client.post("/admin/v1/rollouts", json=body).status_code == 201
        gateway.wait_until(lambda: in_state(gateway, "rolled_back"), "rolled back")
        found = status(gateway)["rollout"]
        assert found["cause"].startswith("errors: ")
        assert found["is_automatic"]
        with gateway.client() as client:
            assert client.get("/admin/v1/models/m/route").json()["canary"] is None
            refused = client.post("/admin/v1/rollouts", json=body)
        assert refused.status_code == 409
        assert "quarantine" in refused.json()["detail"]
        back = next(record for record in audited(gateway) if record["action"] == "rollout.rolling_back")
        assert {verdict["gate"]: verdict["result"] for verdict in back["evidence"]["verdicts"]}["errors"] == "abort"
    assert load.failures == []
    assert {answer.version for answer in load.answers} == {"1"}


def audited_after(tmp_path: Path) -> list[Any]:
    """Return the records of a gateway that has stopped."""
    from dataclasses import asdict

    from gateway.state.sqlite import SqliteStore

    store = SqliteStore(tmp_path / "weir.db")
    try:
        return [asdict(record) for record in store.audit(limit=1_000, resource="rollout/m")]
    finally:
        store.close()
