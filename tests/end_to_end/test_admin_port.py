"""Admin API and metrics on a port of their own: what is where, and that both ports come and go together."""

import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.end_to_end.load import Load
from tests.end_to_end.running import TOKEN, RunningGateway, free_port
from tests.models import multi_output, write_bundle

ROWS = {"instances": [[1, 2, 3]]}
PROBES = ["/livez", "/readyz", "/startupz"]
OPERATING = [
    "/metrics",
    "/openapi.json",
    "/admin/v1/models",
    "/admin/v1/alerts",
    "/admin/v1/audit",
    "/console",
    "/console/app.js",
]
SERVING = ["/predict/m", "/v2/models/m/infer", "/v1/models/m:predict", "/invocations"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("admin-port")
    write_bundle(folder / "models" / "m" / "1", multi_output())
    with RunningGateway(folder / "models", folder / "weir.db", "--admin-port", str(free_port())) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    url = gateway.log.read_text().split("admin API: ")[1].split()[0]
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=10.0) as client:
        gateway.wait_until(lambda: client.get("/metrics").status_code == 200, "watched")
        yield client


def statuses(client: httpx.Client, method: str, paths: list[str]) -> set[int]:
    return {client.request(method, path, json=ROWS if method == "POST" else None).status_code for path in paths}


def test_the_public_port_has_inference_and_probes_only(gateway: RunningGateway) -> None:
    with gateway.client() as public:
        assert public.post("/predict/m", json=ROWS).status_code == 200
        assert statuses(public, "GET", [*PROBES, "/v2/models/m"]) == {200}
        assert statuses(public, "GET", OPERATING) == {404}
        assert statuses(public, "POST", ["/v2/repository/index", "/v2/repository/models/m/load"]) == {404}


def test_the_admin_port_has_everything_but_inference(admin: httpx.Client) -> None:
    assert statuses(admin, "GET", [*PROBES, *OPERATING]) == {200}
    assert statuses(admin, "POST", SERVING) == {404}


def test_both_ports_are_there_through_a_rolling_restart_and_go_at_a_stop(
    gateway: RunningGateway, admin: httpx.Client
) -> None:
    with Load(gateway.port, "/predict/m", ROWS, n=4, pause_s=0.005, renew_every=10) as load:
        os.kill(gateway.pid, signal.SIGHUP)
        gateway.wait_until(lambda: "rolling restart is complete" in gateway.log.read_text(), "through")
        load.wait_for(50)
    assert load.failures == []
    assert httpx.get(f"{admin.base_url}/livez").status_code == 200
    assert gateway.stop() == 0
    assert '"error"' not in gateway.log.read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{admin.base_url}/livez")
