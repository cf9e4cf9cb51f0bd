"""A rollout whose Redis goes away in a canary step and comes back empty: nothing is lost, and risk only goes down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import loopback
from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import echo_model, failing_model, write_bundle
from tests.redis_server import RedisServer

POISON = {"instances": [[1e12]]}  # stable answers it, the candidate raises
PLAN = {"steps": [30], "shadow": None, "dwell_s": 600}


def gateway_on(server: RedisServer, folder: Path) -> RunningGateway:
    for version, model in {"1": echo_model(), "2": failing_model()}.items():
        write_bundle(folder / "models" / "m" / version, model)
    settings = {"WEIR_REDIS__FOLDER": str(folder)}
    flags = ("--state", server.address, "--stable", "m=1")
    return RunningGateway(folder / "models", folder / "gateway", *flags, workers=1, environ=settings)


def rollout(gateway: RunningGateway) -> Any:
    return gateway.read("/admin/v1/rollouts/m").json()["rollout"]


def is_away(gateway: RunningGateway) -> bool:
    answer = loopback.get(f"{gateway.url}/readyz", timeout=10.0)
    assert answer.status_code == 200
    return any("the state store is away" in why for why in answer.json()["degraded"])


def test_ramps_freeze_tripwires_work_and_the_rollout_outlives_its_store(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis") as server, gateway_on(server, tmp_path) as gateway:
        with gateway.client() as client:
            body = {"model": "m", "version": "2", "reason": "a test", "plan": PLAN}
            assert client.post("/admin/v1/rollouts", json=body).status_code == 201
        gateway.wait_until(lambda: rollout(gateway)["state"] == "canary", "in the canary step")
        before = rollout(gateway)
        gateway.wait_until(lambda: routed(gateway) == {"version": "2", "weight": 30.0}, "routed")
        server.stop()
        gateway.wait_until(lambda: is_away(gateway), "degraded", 20.0)
        with Load(gateway.port, "/predict/m", POISON, n=8, key_of=lambda client, i: f"{client}-{i}") as load:
            gateway.wait_until(lambda: tripped(gateway) == 1.0, "tripped without the store")
            load.wait_for(100)
        assert load.failures == []
        assert {answer.version for answer in load.answers} == {"1"}
        server.start()  # empty: nothing was saved
        gateway.wait_until(lambda: not is_away(gateway), "whole again", 20.0)
        found = rollout(gateway)
        assert (found["id"], found["stage"], found["step"]) == (before["id"], "canary", 0)
        assert found["entered_at"] == before["entered_at"]
        with gateway.client() as client:
            key = {"idempotency-key": "once"}
            answers = [client.post("/admin/v1/rollouts/m/abort", headers=key) for _ in range(2)]
        gateway.wait_until(lambda: rollout(gateway)["state"] == "rolled_back", "rolled back")
        assert routed(gateway) is None
        records = gateway.read("/admin/v1/audit", limit=1000).json()["records"]
        assert "state.restore" in [record["action"] for record in records]
        (back,) = [record for record in records if record["action"] == "rollout.rolling_back"]
        # What the canary failed while the store was away may end it first; the operator is then refused.
        status = 409 if back["actor"]["subject"] == "rollout leader" else 200
        assert [answer.status_code for answer in answers] == [status, status]


def routed(gateway: RunningGateway) -> Any:
    return gateway.read("/admin/v1/models/m/route").json()["canary"]


def tripped(gateway: RunningGateway) -> float:
    return MetricsPage.of(gateway.url).sum("weir_canary_tripped", version="2")
