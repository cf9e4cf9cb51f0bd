"""Gateways on a real Redis: sharing, and what clients and operators see while it is away, frozen, empty or older.

Tests of a running gateway's troubles share one, and each leaves it whole.
"""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import loopback
from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import multi_output, write_bundle
from tests.redis_server import RedisServer

ROWS = {"instances": [[1, 2, 3]]}
SECRET = "a-hushed-password"
LOOK_S = 3.0


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in "12":
        write_bundle(tmp_path / "models" / "m" / version, multi_output())
    return tmp_path / "models"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis", password=SECRET) as server:
        yield server


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisServer, RunningGateway]]:
    """Give a gateway with two versions ready, and its store."""
    folder = tmp_path_factory.mktemp("troubled")
    for version in "12":
        write_bundle(folder / "models" / "m" / version, multi_output())
    (folder / "redis").mkdir()
    with RedisServer(folder / "redis", password=SECRET) as server, gateway_on(server, folder / "models") as gateway:
        gateway.wait_for_workers("m", "2")
        yield server, gateway


def gateway_on(server: RedisServer, models: Path, name: str = "one", refresh_ms: int = 200) -> RunningGateway:
    folder = models.parent / name
    folder.mkdir(exist_ok=True)
    settings = {"WEIR_REDIS__FOLDER": str(folder), "WEIR_SERVING__REFRESH_MS": str(refresh_ms)}
    flags = ("--state", server.address.replace("//", f"//:{SECRET}@"), "--stable", "m=1", "--tick-s", "0.5")
    return RunningGateway(models, folder / "gateway", *flags, workers=1, environ=settings)


def version_at(gateway: RunningGateway) -> str:
    return loopback.post(f"{gateway.url}/predict/m", json=ROWS, timeout=10.0).headers["x-model-version"]


def opens(gateway: RunningGateway, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return loopback.get(f"{gateway.url}/admin/v1/models", headers=headers, timeout=10.0).status_code


def degraded(gateway: RunningGateway) -> str:
    answer = loopback.get(f"{gateway.url}/readyz", timeout=10.0)
    assert answer.status_code == 200
    return " ".join(answer.json()["degraded"])


def shared_settings(gateway: RunningGateway) -> bytes:
    worker = Path(f"/proc/{gateway.children('gateway.app')[0]}/cmdline").read_bytes().split(b"\0")
    return (Path(worker[worker.index(b"--run-dir") + 1].decode()) / "settings.json").read_bytes()


def restored(gateway: RunningGateway) -> int:
    records = gateway.read("/admin/v1/audit", limit=1_000).json()["records"]
    return sum(record["action"] == "state.restore" for record in records)


def put_stable(source: RunningGateway, other: RunningGateway, version: str) -> None:
    """Change a route through one gateway, and wait until another answers by it."""
    assert source.put_route("m", stable=version).status_code == 200
    other.wait_until(lambda: version_at(other) == version, f"stable {version}")


def test_changes_through_one_gateway_are_in_force_on_another_that_has_not_looked_since(
    server: RedisServer, models: Path
) -> None:
    with (
        gateway_on(server, models, "one") as one,
        gateway_on(server, models, "two", refresh_ms=round(1e3 * LOOK_S)) as two,
    ):
        one.wait_until(lambda: one.ready_workers("m", "2") == 2, "version 2 on the workers of both")
        began, versions = time.monotonic(), "21212"
        for version in versions:
            put_stable(one, two, version)
        looks = (time.monotonic() - began) / LOOK_S
        assert looks < len(versions) - 1, "each look may have found one of the changes"
        put_stable(two, one, "1")
        with one.client() as client:
            made = client.post("/admin/v1/tokens", json={"name": "ann", "role": "viewer"}).json()
            assert (made["behind"], opens(two, made["token"])) == ([], 200)
            assert client.delete(f"/admin/v1/tokens/{made['id']}").json()["behind"] == []
            assert opens(two, made["token"]) == 401


@pytest.mark.parametrize("is_frozen", [False, True], ids=["stopped", "frozen"])
def test_serving_goes_on_without_the_store_and_changes_after_it(
    troubled: tuple[RedisServer, RunningGateway], is_frozen: bool
) -> None:
    server, gateway = troubled
    put_stable(gateway, gateway, "1")
    before = restored(gateway)
    with Load(gateway.port, "/predict/m", ROWS, n=2, pause_s=0.005) as load:
        if is_frozen:
            server.freeze()
        else:
            server.stop()
        gateway.wait_until(lambda: "the state store is away" in degraded(gateway), "degraded")
        load.wait_for(200)
        with gateway.client() as client:
            refused = client.post("/admin/v1/models/m/versions/2/load", json={"reason": "a test"})
        assert refused.status_code == 503
        assert refused.json()["type"].endswith("store-unavailable")
        gateway.wait_until(
            lambda: MetricsPage.of(gateway.url).sum("weir_store_away_workers") == 1.0, "on the metrics page"
        )
        if is_frozen:
            server.thaw()
        else:
            server.start()  # and it comes back empty: nothing was saved
        gateway.wait_until(lambda: not degraded(gateway), "whole again")
        gateway.wait_for_workers("m", "2")
        put_stable(gateway, gateway, "2")
        assert (restored(gateway) > before) is not is_frozen
    assert load.failures == []


@pytest.mark.parametrize("is_older", [False, True], ids=["emptied", "older"])
def test_a_store_that_lost_what_was_written_is_restored_under_load(
    troubled: tuple[RedisServer, RunningGateway], is_older: bool
) -> None:
    server, gateway = troubled
    put_stable(gateway, gateway, "1")
    backup = server.back_up()
    put_stable(gateway, gateway, "2")
    before = restored(gateway)
    with Load(gateway.port, "/predict/m", ROWS, n=2, pause_s=0.005) as load:
        load.wait_for(50)
        if is_older:
            server.restore(backup)
        else:
            server.tell("FLUSHALL")
        gateway.wait_until(lambda: restored(gateway) > before, "restored")
        load.wait_for(100)
    assert load.failures == []
    assert {answer.version for answer in load.answers} == {"2"}
    assert gateway.put_route("m", stable="1").status_code == 200


def test_a_gateway_that_starts_while_the_store_is_away_serves_the_last_known_routes(
    server: RedisServer, models: Path
) -> None:
    gateway = gateway_on(server, models)
    with gateway:
        gateway.wait_for_workers("m", "2")
        assert gateway.put_route("m", stable="2", canary={"version": "1", "weight": 100.0}).status_code == 200
        gateway.wait_until(lambda: version_at(gateway) == "1", "canary everywhere", 5.0)
        assert SECRET.encode() not in shared_settings(gateway)
    server.stop()
    kept = models.parent / "one" / "weir.last-known"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with gateway:
        assert version_at(gateway) == "2"
        assert "away" in degraded(gateway)
        server.start()
        gateway.wait_until(lambda: not degraded(gateway), "whole again", 10.0)
        gateway.wait_until(lambda: version_at(gateway) == "1", "canary everywhere", 5.0)
    told = gateway.log.read_text()
    assert "serving begins with the last known routes" in told
    assert SECRET not in told


@pytest.mark.parametrize("is_away", [False, True], ids=["wrong password", "away"])
def test_a_first_start_that_cannot_reach_the_store_ends_with_the_reason(
    server: RedisServer, models: Path, is_away: bool
) -> None:
    address = server.address.replace("//", "//:wrong-guess@")
    if is_away:
        server.stop()
    command = [sys.executable, "-m", "gateway.cli", "serve", "--models", str(models), "--port", "0", "--state", address]
    environ = {**os.environ, "WEIR_ADMIN_TOKEN": "t", "WEIR_REDIS__FOLDER": str(models.parent)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert ("refused" if is_away else "does not take this user and password") in said
    assert "Traceback" not in said
    assert "wrong-guess" not in said
