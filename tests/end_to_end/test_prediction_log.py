"""The prediction log of a real gateway: one request found by its id, a masked canary, a killed watch, a full export."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.prediction_log.reading import find_request
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import echo_model, failing_model, write_bundle

POISON = {"instances": [[1e12]]}  # the echo answers it, the canary raises


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    for version, model in {"1": echo_model(), "2": failing_model()}.items():
        write_bundle(tmp_path / "models" / "m" / version, model)
    environ = {"WEIR_PREDICTION_LOG__PATH": str(tmp_path / "log"), "WEIR_SERVING__CANARY_STRIKES": "1000000"}
    arguments = (tmp_path / "models", tmp_path / "weir.db", "--stable", "m=1")
    with RunningGateway(*arguments, workers=1, environ=environ) as gateway:
        for version in "12":
            gateway.wait_for_workers("m", version)
        yield gateway


def ask(gateway: RunningGateway, request_id: str, body: Any, model: str = "m") -> int:
    with gateway.client() as client:
        return client.post(f"/predict/{model}", json=body, headers={"x-request-id": request_id}).status_code


def logged(gateway: RunningGateway, request_id: str, least: int = 1) -> list[dict[str, Any]]:
    folder = gateway.state.parent / "log"
    gateway.wait_until(lambda: len(find_request(folder, request_id)) >= least, f"{request_id} logged")
    return find_request(folder, request_id)


def weir(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)


def test_a_request_is_shown_and_exported_with_what_failed(gateway: RunningGateway, tmp_path: Path) -> None:
    assert gateway.put_route("m", stable="1", canary={"version": "2", "weight": 50.0}).status_code == 200
    masked = masked_request(gateway)
    assert ask(gateway, "wrong", {"instances": "none"}) in (400, 422)
    failed, answered = logged(gateway, masked, 2)
    assert (failed["version"], failed["variant"], failed["status"]) == ("2", "canary", "masked")
    assert (answered["version"], answered["variant"], answered["flags"]) == ("1", "stable", ["fallback"])
    assert failed["route_revision"] == answered["route_revision"] == 2
    (refused,) = logged(gateway, "wrong")
    assert refused["status"] == "client_error"
    shown = weir("log", "show", masked, "--path", str(tmp_path / "log"))
    assert shown.returncode == 0, shown.stderr
    assert "masked: error" in shown.stdout
    exported = weir("log", "export", "--model", "m", "--path", str(tmp_path / "log"))
    assert {masked, "wrong"} <= {json.loads(line)["request_id"] for line in exported.stdout.splitlines()}
    page = MetricsPage.of(gateway.url)
    assert page.sum("weir_prediction_log_records_total", kind="failure") >= 2.0
    assert page.sum("weir_prediction_log_dropped_total") == 0.0
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "log").iterdir()} == {0o600}


def masked_request(gateway: RunningGateway) -> str:
    """Ask under one id after the other until the canary has failed one of them, and return it."""
    ids = (f"masked-{number}" for number in range(10_000))
    asked: list[str] = []

    def is_masked() -> bool:
        asked.append(next(ids))
        assert ask(gateway, asked[-1], POISON) == 200
        return MetricsPage.of(gateway.url).sum("weir_canary_fallback_total", version="2") == 1.0

    gateway.wait_until(is_masked, "masked")
    return asked[-1]


def test_the_log_outlives_a_killed_watch(gateway: RunningGateway, tmp_path: Path) -> None:
    assert ask(gateway, "before", {"instances": [[1]]}) == 200
    logged(gateway, "before")
    (watch,) = gateway.children("gateway.watch")
    os.kill(watch, signal.SIGKILL)
    gateway.wait_until(lambda: gateway.children("gateway.watch") not in ([], [watch]), "a new watch")
    ids = (f"after-{number}" for number in range(10_000))

    def is_logged_again() -> bool:
        request_id = next(ids)
        assert ask(gateway, request_id, {"instances": [[1]]}) == 200
        return bool(find_request(tmp_path / "log", "after-0"))

    gateway.wait_until(is_logged_again, "logged again")
    assert len(logged(gateway, "before")) == 1
    gateway.wait_until(lambda: len(list((tmp_path / "log").glob("*.gz"))) == 1, "the file of the killed watch packed")
    assert len(logged(gateway, "before")) == 1
    assert gateway.stop() == 0
    gateway.start()
    assert len(logged(gateway, "before")) == 1


def test_a_folder_that_cannot_be_written_to_costs_no_answer(tmp_path: Path) -> None:
    write_bundle(tmp_path / "models" / "m" / "1", echo_model())
    (tmp_path / "log").write_text("a file")
    environ = {"WEIR_PREDICTION_LOG__PATH": str(tmp_path / "log")}
    with RunningGateway(tmp_path / "models", tmp_path / "weir.db", workers=1, environ=environ) as gateway:
        gateway.wait_for_workers("m", "1")
        assert ask(gateway, "a", {"instances": [[1]]}) == 200
        gateway.wait_until(
            lambda: MetricsPage.of(gateway.url).sum("weir_prediction_log_dropped_total", reason="disk") == 1.0,
            "counted",
        )
        assert gateway.tail().count("cannot be written") == 1
