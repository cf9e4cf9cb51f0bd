"""A version whose native code ends the process that runs it: as a shadow nobody notices, as a canary or stable once or
twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import crashing_model, echo_model, write_bundle

CLIENTS, WORKERS = 16, 2
FATAL = {"instances": [[12345]]}
BROKEN_OFF = {"ConnectionResetError", "RemoteDisconnected", "BrokenPipeError"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("crashing")
    for model in ("careful", "bold", "baked"):
        write_bundle(folder / "models" / model / "1", echo_model())
        write_bundle(folder / "models" / model / "2", crashing_model())
    flags = ("--stable", "careful=1", "--stable", "bold=1", "--stable", "baked=1")
    with RunningGateway(folder / "models", folder / "weir.db", *flags, workers=WORKERS) as running:
        yield running


def load_on(gateway: RunningGateway, model: str) -> Load:
    def key_of(client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(gateway.port, f"/predict/{model}", FATAL, n=CLIENTS, key_of=key_of, pause_s=0.005)


def start(gateway: RunningGateway, model: str, **plan: Any) -> None:
    gateway.wait_for_workers(model, "2")
    with gateway.client() as client:
        body = {"model": model, "version": "2", "reason": "a test", "plan": plan}
        assert client.post("/admin/v1/rollouts", json=body).status_code == 201


def rollout(gateway: RunningGateway, model: str) -> Any:
    with gateway.client() as client:
        return client.get(f"/admin/v1/rollouts/{model}").json().get("rollout", {"state": ""})


def test_as_a_shadow_it_fails_its_rollout_and_no_client_notices(gateway: RunningGateway) -> None:
    workers = gateway.children("gateway.app")
    with load_on(gateway, "careful") as load:
        start(gateway, "careful")
        gateway.wait_until(lambda: rollout(gateway, "careful")["state"] == "failed", "failed")
        load.wait_for(200)
    assert load.failures == []
    assert {answer.version for answer in load.answers} == {"1"}
    assert "crashed with SIGFPE while it ran this version as shadow" in rollout(gateway, "careful")["cause"]
    assert gateway.children("gateway.app") == workers


def test_as_a_canary_it_ends_each_worker_once_at_most_and_goes_back(gateway: RunningGateway) -> None:
    start(gateway, "bold", shadow=None, steps=[30])
    gateway.wait_until(lambda: rollout(gateway, "bold")["state"] == "canary", "in the canary step")
    with load_on(gateway, "bold") as load:
        gateway.wait_until(lambda: on_all_workers(gateway, "bold"), "back")
        seen = len(load.failures)
        load.wait_for(200)
        assert len(load.failures) == seen
    assert "crashed with SIGFPE while it ran this version as canary" in rollout(gateway, "bold")["cause"]
    assert 0 < len(load.failures) <= WORKERS * CLIENTS
    assert {failure.error for failure in load.failures} <= BROKEN_OFF
    assert {answer.version for answer in load.answers} == {"1"}
    assert gateway.log.read_text().count("crashed with SIGFPE, busy") <= WORKERS + 1  # and the shadow process


def test_in_the_bake_it_goes_back_though_every_worker_that_serves_it_crashes(gateway: RunningGateway) -> None:
    start(gateway, "baked", shadow=None, steps=[30], dwell_s=0)
    gateway.wait_until(lambda: rollout(gateway, "baked")["state"] == "canary", "in the canary step")
    with gateway.client() as client:
        answer = client.post("/admin/v1/rollouts/baked/promote", json={"reason": "a test"})
        assert answer.status_code == 200, answer.text
    gateway.wait_until(lambda: gateway.ready_workers("baked", "2") == WORKERS, "the stable version")
    gateway.wait_until(lambda: is_applied(gateway, "baked"), "stable on every worker")
    with load_on(gateway, "baked") as load:
        gateway.wait_until(lambda: on_all_workers(gateway, "baked"), "back")
        load.wait_for(200)
    assert "crashed with SIGFPE while it ran this version as stable" in rollout(gateway, "baked")["cause"]
    assert {failure.error for failure in load.failures} <= {*BROKEN_OFF, "503"}
    assert {answer.version for answer in load.answers} == {"1"}


def is_applied(gateway: RunningGateway, model: str) -> bool:
    """Return whether every process has said that it works by the route in force."""
    page = MetricsPage.of(gateway.url)
    with gateway.client() as client:
        revision = client.get(f"/admin/v1/models/{model}/route").raise_for_status().json()["revision"]
    is_newest = page.sum("weir_route_revision", model=model) == revision
    return is_newest and page.sum("weir_route_lagging_workers", model=model) == 0


def on_all_workers(gateway: RunningGateway, model: str) -> bool:
    """Return whether the rollout is over and every worker has stable, asked without failing while they start."""
    try:
        return rollout(gateway, model)["state"] == "rolled_back" and gateway.ready_workers(model, "1") == WORKERS
    except httpx.TransportError:
        return False
