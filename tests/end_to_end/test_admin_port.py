"""Admin API and metrics on a port of their own: what is where, and that both ports come and go together."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests import loopback
from tests.access.issuer import AUDIENCE, LocalIssuer
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
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, issuer: LocalIssuer) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("admin-port")
    write_bundle(folder / "models" / "m" / "1", multi_output())
    port, environ = str(free_port()), {"WEIR_ACCESS_LOG": "true"}
    trusted = {"ISSUER": issuer.url, "AUDIENCE": AUDIENCE, "ROLES": "{ops: operator}"}
    environ |= {f"WEIR_AUTH__OIDC__{name}": value for name, value in trusted.items()}
    with RunningGateway(folder / "models", folder / "weir.db", "--admin-port", port, environ=environ) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    url = gateway.log.read_text().split("admin API: ")[1].split()[0]
    with loopback.Client(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=10.0) as client:
        gateway.wait_until(lambda: client.get("/metrics").status_code == 200, "watched")
        yield client


def statuses(client: httpx.Client, method: str, paths: list[str]) -> set[int]:
    return {client.request(method, path, json=ROWS if method == "POST" else None).status_code for path in paths}


def patience_s(changed: dict[str, Any]) -> float:
    """Return how long to wait for a change of tokens: hardly where all workers have said that they know of it."""
    return 10.0 if changed["behind"] else 0.1


def test_the_public_port_has_inference_and_probes_only(gateway: RunningGateway) -> None:
    with gateway.client() as public:
        assert public.post("/predict/m", json=ROWS).status_code == 200
        assert statuses(public, "GET", [*PROBES, "/v2/models/m"]) == {200}
        assert statuses(public, "GET", OPERATING) == {404}
        assert statuses(public, "POST", ["/v2/repository/index", "/v2/repository/models/m/load"]) == {404}


def test_the_admin_port_has_everything_but_inference(admin: httpx.Client) -> None:
    assert statuses(admin, "GET", [*PROBES, *OPERATING]) == {200}
    assert statuses(admin, "POST", SERVING) == {404}


def test_a_request_to_either_port_leaves_a_line_of_the_access_log(gateway: RunningGateway, admin: httpx.Client) -> None:
    with gateway.client() as public:
        public.post("/predict/m?secret=1", json=ROWS, headers={"x-request-id": "logged-1"})
    admin.get("/admin/v1/models", headers={"x-request-id": "logged-2"})

    def lines() -> dict[str, dict[str, object]]:
        told = [json.loads(line) for line in gateway.log.read_text().splitlines() if '"weir.access"' in line]
        return {line["request_id"]: line for line in told}

    gateway.wait_until(lambda: {"logged-1", "logged-2"} <= lines().keys(), "written")
    predicted, asked = lines()["logged-1"], lines()["logged-2"]
    assert [predicted[name] for name in ("path", "status", "version", "variant")] == ["/predict/m", 200, "1", "stable"]
    assert (asked["path"], asked["status"], asked["client"]) == ("/admin/v1/models", 200, "127.0.0.1")
    assert TOKEN not in gateway.log.read_text()


def test_a_token_opens_every_worker_until_it_is_revoked_and_is_written_nowhere(
    gateway: RunningGateway, admin: httpx.Client
) -> None:
    made = admin.post("/admin/v1/tokens", json={"name": "ann", "role": "operator", "expires_in_s": 3_600}).json()
    bearer = {"authorization": f"Bearer {made['token']}"}

    def opened() -> set[int]:  # over connections of their own, which the kernel spreads over the workers
        return {loopback.get(f"{admin.base_url}/admin/v1/models", headers=bearer).status_code for _ in range(8)}

    gateway.wait_until(lambda: opened() == {200}, "a token that opens all", patience_s(made))
    loaded = loopback.post(f"{admin.base_url}/admin/v1/models/m/versions/1/load", headers=bearer, timeout=40.0)
    actor = admin.get("/admin/v1/audit?last=1").json()["records"][0]["actor"]
    assert loaded.status_code == 200
    assert actor == actor | {"subject": "ann", "role": "operator", "token": made["id"]}
    gone = admin.delete(f"/admin/v1/tokens/{made['id']}").json()
    gateway.wait_until(lambda: opened() == {401}, "a token that opens none", patience_s(gone))
    kept = [gateway.log, *gateway.state.parent.glob("weir.db*")]
    assert [file.name for file in kept if made["token"].encode() in file.read_bytes()] == []


def test_a_token_of_the_issuer_opens_what_its_roles_cover_and_begins_a_session(
    gateway: RunningGateway, admin: httpx.Client, issuer: LocalIssuer
) -> None:
    bearer = {"authorization": f"Bearer {issuer.token(jti='j-1')}"}

    def ask(method: str, path: str, **headers: str) -> httpx.Response:  # over a connection of its own, to any worker
        with loopback.Client(base_url=admin.base_url, timeout=40.0) as client:
            return client.request(method, f"/admin/v1{path}", headers=headers)

    def known() -> bool:  # by every worker: the kernel spreads the connections, but not evenly
        return {ask("GET", "/models", **bearer).status_code for _ in range(24)} == {200}

    gateway.wait_until(known, "keys known")
    assert ask("POST", "/models/m/versions/1/load", **bearer).status_code == 200
    actor = admin.get("/admin/v1/audit?last=1").json()["records"][0]["actor"]
    assert actor == actor | {"subject": "ann", "role": "operator", "method": "oidc", "token": "j-1"}
    assert ask("GET", "/tokens", **bearer).status_code == 403
    assert ask("GET", "/models", authorization=f"Bearer {issuer.token(aud='another')}").status_code == 401
    begun = ask("POST", "/session", **bearer)
    assert begun.json()["roles"] == ["viewer", "operator"]
    assert ask("GET", "/models", cookie=begun.headers["set-cookie"].partition(";")[0]).status_code == 200


def test_both_ports_are_there_through_a_rolling_restart_and_go_at_a_stop(
    gateway: RunningGateway, admin: httpx.Client
) -> None:
    with Load(gateway.port, "/predict/m", ROWS, n=4, pause_s=0.005, renew_every=10) as load:
        os.kill(gateway.pid, signal.SIGHUP)
        gateway.wait_until(lambda: "rolling restart is complete" in gateway.log.read_text(), "through")
        load.wait_for(50)
    assert load.failures == []
    assert loopback.get(f"{admin.base_url}/livez").status_code == 200
    assert gateway.stop() == 0
    assert '"error"' not in gateway.log.read_text()
    with pytest.raises(httpx.ConnectError):
        loopback.get(f"{admin.base_url}/livez")
