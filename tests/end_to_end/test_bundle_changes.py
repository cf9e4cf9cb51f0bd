"""What becomes of versions whose files change or disagree, of loading and unloading, and of a first start."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests import loopback
from tests.end_to_end.running import RunningGateway, free_port
from tests.models import echo_model, endless_model, failing_model, write_bundle

ROW = {"instances": [[1]]}
V2_ROW = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
WITH_GOLDEN_ROWS = "schema_version: 1\nevaluation: {golden_set: {path: golden.json}}\n"
WRONG_GOLDEN_ROWS = '{"instances": [[1], [2]], "predictions": [1, 3]}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def serving(folder: Path, *flags: str, **environ: str) -> RunningGateway:
    return RunningGateway(folder, folder.with_name("weir.db"), *flags, workers=1, environ=environ)


def problem(response: httpx.Response, status: int, slug: str) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (response.status_code, document["type"]) == (status, f"urn:weir:problem:{slug}"), document
    return str(document["detail"])


def status_of(gateway: RunningGateway, model: str, version: str) -> tuple[str, str]:
    """Return what the worker says of a version: its state and why."""
    models = gateway.read("/admin/v1/models").json()["models"]
    versions = next(found["versions"] for found in models if found["model"] == model)
    workers: dict[str, Any] = next(found["workers"] for found in versions if found["version"] == version)
    found = [told for name, told in workers.items() if name.startswith("worker")]
    return (found[0]["state"], found[0]["why"]) if found else ("", "")


def pinned(gateway: RunningGateway, version: str) -> int:
    return loopback.post(f"{gateway.url}/v2/models/m/versions/{version}/infer", json=V2_ROW).status_code


def test_changed_bytes_under_the_same_version_are_refused_until_they_are_put_back(folder: Path) -> None:
    for name in ("m/1", "m/2", "n/1"):
        write_bundle(folder / name, echo_model())
    with serving(folder) as gateway:
        gateway.wait_for_workers("m", "1")
    gateway = serving(folder)
    for name in ("m/1", "n/1"):
        write_bundle(folder / name, failing_model())
    gateway.start(until="/startupz")
    try:
        gateway.wait_until(lambda: status_of(gateway, "n", "1")[0] == "refused", "refused")
        for model in "mn":
            state, why = status_of(gateway, model, "1")
            assert state == "refused"
            assert "first loaded with sha256:" in why
        readiness = loopback.get(f"{gateway.url}/readyz")
        assert readiness.status_code == 503
        (reason,) = readiness.json()["reasons"]
        assert reason.startswith("n: its stable version 1 is not loaded; ")
        refused = loopback.post(f"{gateway.url}/predict/n", json=ROW)
        assert "its stable version 1 is not loaded" in problem(refused, 503, "model-not-ready")
        assert loopback.post(f"{gateway.url}/predict/m", json=ROW).headers["x-model-version"] == "2"
        assert "first loaded" in problem(gateway.put_route("m", stable="1"), 409, "version-not-warm")
        write_bundle(folder / "n/1", echo_model())
        with gateway.client() as client:
            assert client.post("/admin/v1/models/n/versions/1/load").json()["state"] == "ready"
        assert loopback.get(f"{gateway.url}/readyz").status_code == 200
    finally:
        gateway.stop()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Give a gateway with versions 1 to 7 of a model: 6 is stable and 7 has golden rows that it does not answer."""
    folder = tmp_path_factory.mktemp("many") / "models"
    for version in "123456":
        write_bundle(folder / "m" / version, echo_model())
    golden = {"model.yaml": WITH_GOLDEN_ROWS, "golden.json": WRONG_GOLDEN_ROWS}
    write_bundle(folder / "m" / "7", echo_model(), **golden)
    with serving(folder, "--stable", "m=6") as gateway:
        for version in "456":
            gateway.wait_for_workers("m", version)
        yield gateway


def test_a_version_whose_golden_rows_disagree_never_takes_traffic(many: RunningGateway) -> None:
    why = "golden row 1 expects 3, the model answers 2.0"
    many.wait_until(lambda: status_of(many, "m", "7")[0] == "refused", "refused")
    assert why in status_of(many, "m", "7")[1]
    for route in (
        {"stable": "7"},
        {"stable": "6", "canary": {"version": "7", "weight": 1.0}},
        {"stable": "6", "shadow": [{"version": "7"}]},
    ):
        assert why in problem(many.put_route("m", **route), 409, "version-not-warm")
    with many.client() as client:
        assert why in problem(client.post("/admin/v1/models/m/versions/7/load"), 409, "version-refused")
    assert pinned(many, "7") == 404
    assert loopback.get(f"{many.url}/readyz").status_code == 200


def test_versions_are_loaded_and_unloaded_but_not_while_a_route_names_them(many: RunningGateway) -> None:
    assert {version: pinned(many, version) for version in "13456"} == {"1": 404, "3": 404, "4": 200, "5": 200, "6": 200}
    with many.client() as client:
        loaded = client.post("/admin/v1/models/m/versions/1/load", json={"reason": "an old customer"})
        assert (loaded.status_code, loaded.json()["state"]) == (200, "ready")
        assert pinned(many, "1") == 200
        assert many.put_route("m", stable="5", canary={"version": "4", "weight": 1.0}).status_code == 200
        for version, role in {"5": "stable", "4": "canary", "6": "the previous stable version"}.items():
            detail = problem(client.post(f"/admin/v1/models/m/versions/{version}/unload"), 409, "version-in-use")
            assert role in detail
        assert client.post("/admin/v1/models/m/versions/1/unload").status_code == 200
        many.wait_until(lambda: pinned(many, "1") == 404, "unloaded")
        problem(client.post("/admin/v1/models/m/versions/99/load"), 404, "version-unknown")
        problem(client.post("/admin/v1/models/x/versions/1/unload"), 404, "model-unknown")


def test_a_route_to_a_version_or_model_that_is_not_there_is_refused(many: RunningGateway) -> None:
    assert "worker-0" in problem(many.put_route("m", stable="99"), 409, "version-not-warm")
    body = {"stable": "1", "reason": "a test"}
    with many.client() as client:
        answer = client.put("/admin/v1/models/x/route", json=body, headers={"if-match": '"0"'})
    problem(answer, 404, "model-unknown")


def test_drift_of_an_unknown_model_is_a_problem_of_the_gateway(many: RunningGateway) -> None:
    with many.client() as client:
        many.wait_until(lambda: client.get("/admin/v1/models/m/drift").status_code == 200, "known to the watch")
        assert client.get("/admin/v1/alerts").json() == {"alerts": []}
        for name in ("nobody", "%2e%2e", "a%3Fb", "%F0%9F%8C%8A"):
            unknown = client.get(f"/admin/v1/models/{name}/drift")
            problem(unknown, 404, "model-unknown")
            assert unknown.json()["request_id"] == unknown.headers["x-request-id"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Give a gateway on its first start, which was told the stable version of its only model, and no token."""
    folder = tmp_path_factory.mktemp("first") / "models"
    for version in ("blue", "green"):
        write_bundle(folder / "m" / version, echo_model())
    with serving(folder, "--stable", "m=blue", "--log-level", "debug", WEIR_ADMIN_TOKEN="") as gateway:
        yield gateway


def test_a_first_start_that_names_do_not_decide_says_how_to_choose(first: RunningGateway) -> None:
    folder = first.state.with_name("models")
    command = [sys.executable, "-m", "gateway.cli", "serve", "--models", str(folder), "--port", str(free_port())]
    refused = subprocess.run(
        [*command, "--state", str(folder.with_name("other.db"))], capture_output=True, text=True, timeout=30.0
    )
    assert refused.returncode == 1
    assert "weir serve --stable m=VERSION" in refused.stderr
    assert "blue, green" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert loopback.post(f"{first.url}/predict/m", json=ROW).headers["x-model-version"] == "blue"


def test_the_only_model_answers_without_a_name(first: RunningGateway) -> None:
    assert loopback.post(f"{first.url}/predict", json=ROW).json()["model"] == "m"


def test_a_token_that_nobody_gave_is_made_into_a_private_file_and_shown_nowhere(first: RunningGateway) -> None:
    path = first.state.with_name("weir.db.admin-token")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text().strip()
    assert len(secret) >= 32
    headers = {"authorization": f"Bearer {secret}"}
    assert loopback.get(f"{first.url}/admin/v1/models", headers=headers).status_code == 200
    assert loopback.get(f"{first.url}/admin/v1/models", headers={"authorization": "Bearer no"}).status_code == 401
    for process in psutil.Process(first.pid).children(recursive=True):
        assert secret not in " ".join([*process.cmdline(), *process.environ().values()])
    first.stop()
    log = first.log.read_text()
    assert f"admin token: {path}" in log
    assert secret not in log


def test_a_new_folder_is_ready_without_being_asked_for_and_answers_once_it_has_a_route(folder: Path) -> None:
    write_bundle(folder / "m" / "1", echo_model())
    with serving(folder, WEIR_SERVING__SCAN_S="0.3") as gateway:
        write_bundle(folder / "m" / "2", failing_model())
        write_bundle(folder / "n" / "1", echo_model())
        (folder / "m" / "3").mkdir()
        (folder / "m" / "3" / "model.onnx").write_bytes(b"not a model")
        gateway.wait_until(lambda: pinned(gateway, "2") == 200, "noticed")
        gateway.wait_until(lambda: status_of(gateway, "m", "3")[0] == "refused", "refused")
        write_bundle(folder / "m" / "3", echo_model())
        gateway.wait_until(lambda: pinned(gateway, "3") == 200, "repaired")
        answer = loopback.post(f"{gateway.url}/predict/m", json=ROW)
        assert (answer.headers["x-model-version"], answer.headers["x-route-revision"]) == ("1", "1")
        gateway.wait_until(lambda: status_of(gateway, "n", "1")[0] == "ready", "ready")
        assert loopback.post(f"{gateway.url}/predict/n", json=ROW).status_code == 404
        body = {"stable": "1", "reason": "first"}
        with gateway.client() as client:
            put = client.put("/admin/v1/models/n/route", json=body, headers={"if-match": '"0"'})
        assert put.status_code == 200, put.text
        gateway.wait_until(lambda: loopback.post(f"{gateway.url}/predict/n", json=ROW).status_code == 200, "routed")
        problem(loopback.post(f"{gateway.url}/predict", json=ROW), 404, "model-unknown")
        assert loopback.post(f"{gateway.url}/predict", json={"model": "m", **ROW}).json()["model"] == "m"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Give a gateway with two models, of which one never answers and the other one is the default."""
    folder = tmp_path_factory.mktemp("several") / "models"
    write_bundle(folder / "endless/1", endless_model())
    write_bundle(folder / "m/1", echo_model())
    gateway = serving(folder, WEIR_SERVING__LOAD_S="1", WEIR_ROUTING__DEFAULT_MODEL="m")
    gateway.start(until="/startupz")
    yield gateway
    assert gateway.stop() == 0


def test_of_several_models_the_one_that_is_set_answers_without_a_name(several: RunningGateway) -> None:
    assert loopback.post(f"{several.url}/predict", json=ROW).json()["model"] == "m"


def test_a_model_that_never_answers_is_refused_and_keeps_nobody_else_from_being_served(several: RunningGateway) -> None:
    assert loopback.post(f"{several.url}/predict/m", json=ROW).status_code == 200
    assert status_of(several, "endless", "1") == (
        "refused",
        "endless version 1 is refused: it was not ready within 1 s",
    )
