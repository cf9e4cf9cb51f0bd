"""Workers that hang, and workers that are replaced one after another, under load.

All tests share a gateway, which each leaves whole; the last one stops it.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import loopback
from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import multi_output, slow_model, write_bundle

CLIENTS = 8
ROWS = {"instances": [[1, 2, 3]]}
ENDLESS = {"instances": [[1e12]]}
WORKER = "gateway.app"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hangs") / "models"
    write_bundle(folder / "m" / "1", multi_output())
    write_bundle(folder / "slow" / "1", slow_model())
    return folder


@pytest.fixture(scope="module")
def gateway(models: Path) -> Iterator[RunningGateway]:
    environ = {"WEIR_SERVING__HANG_S": "1.5", "WEIR_SERVING__ON_LOOP_MS": "50"}
    with RunningGateway(models, models.with_name("weir.db"), environ=environ) as gateway:
        gateway.wait_for_workers("m", "1")
        yield gateway


def restarts(gateway: RunningGateway) -> float:
    return MetricsPage.of(gateway.url).sum("weir_worker_restarts_total", role="worker")


def both_workers(gateway: RunningGateway) -> list[int]:
    """Return the workers, once the one that a test before this killed has been replaced."""
    gateway.wait_until(lambda: len(gateway.children(WORKER)) == 2, "whole")
    return gateway.children(WORKER)


def test_a_stopped_worker_is_killed_and_replaced(gateway: RunningGateway) -> None:
    before, restarted = both_workers(gateway), restarts(gateway)
    os.kill(before[0], signal.SIGSTOP)
    gateway.wait_until(lambda: before[0] not in gateway.children(WORKER), "killed")
    gateway.wait_for_workers("m", "1")
    assert before[1] in gateway.children(WORKER)
    assert restarts(gateway) == restarted + 1.0
    assert "hangs: its event loop stands still" in gateway.log.read_text()


def test_a_worker_whose_loop_is_blocked_is_killed_and_replaced(gateway: RunningGateway) -> None:
    before, restarted = both_workers(gateway), restarts(gateway)
    with pytest.raises(httpx.RemoteProtocolError):
        loopback.post(f"{gateway.url}/predict/slow", json=ENDLESS, timeout=30.0)
    gateway.wait_until(lambda: len(gateway.children(WORKER)) == 2, "whole again")
    assert len(set(before) & set(gateway.children(WORKER))) == 1
    gateway.wait_for_workers("m", "1")
    assert restarts(gateway) == restarted + 1.0


def test_a_rolling_restart_costs_no_client_an_answer(gateway: RunningGateway) -> None:
    before, restarted = set(both_workers(gateway)), restarts(gateway)
    with Load(gateway.port, "/predict/m", ROWS, n=CLIENTS, pause_s=0.002, renew_every=20) as load:
        load.wait_for(300)
        os.kill(gateway.pid, signal.SIGHUP)
        gateway.wait_until(lambda: "rolling restart is complete" in gateway.log.read_text(), "through")
        load.wait_for(300)
    assert load.failures == []
    after = gateway.children(WORKER)
    assert (len(after), before & set(after)) == (2, set())
    assert restarts(gateway) == restarted


def test_a_rolling_restart_ends_before_it_takes_a_good_worker_for_a_bad_one(
    gateway: RunningGateway, models: Path
) -> None:
    before = gateway.children(WORKER)
    (models / "m" / "1" / "model.onnx").write_bytes(b"broken")
    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_until(lambda: "rolling restart ends early" in gateway.log.read_text(), "given up")
    assert gateway.children(WORKER) == before
    assert loopback.post(f"{gateway.url}/predict/m", json=ROWS).status_code == 200
    write_bundle(models / "m" / "1", multi_output())


def test_a_stop_amid_a_rolling_restart_leaves_nobody_behind(gateway: RunningGateway) -> None:
    os.kill(gateway.pid, signal.SIGHUP)
    gateway.wait_until(lambda: len(gateway.children(WORKER)) == 3, "begun")
    pids = gateway.children(WORKER)
    assert gateway.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
