"""Flags of ``weir serve`` become settings."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.commands.serve import with_flags
from gateway.errors import DocumentInvalid
from gateway.settings import RoutingSettings, Settings


def test_flags_override_settings() -> None:
    base = Settings(workers=3, routing=RoutingSettings(stable={"a": "1", "b": "1"}))
    settings = with_flags(base, {"port": 9000, "models": Path("m"), "host": None}, {"b": "2"}, 0.5)
    assert (settings.port, settings.models, settings.host, settings.workers) == (9000, Path("m"), "127.0.0.1", 3)
    assert settings.routing.stable == {"a": "1", "b": "2"}
    assert settings.monitor.tick_s == 0.5


def test_flags_are_checked_as_settings_are() -> None:
    with pytest.raises(DocumentInvalid, match="/port: expected a number from 0 to 65535"):
        with_flags(Settings(), {"port": 70_000}, {}, None)
    with pytest.raises(DocumentInvalid, match="/log_level: expected one of"):
        with_flags(Settings(), {"log_level": "loud"}, {}, None)


def test_the_supervisor_begins_without_packages_that_only_others_need(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["serve", "--models", str(tmp_path), "--state", str(tmp_path / "weir.db"), "--port"]
        command = [sys.executable, "-X", "importtime", "-m", "gateway.cli", *words, str(taken.getsockname()[1])]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    imported = {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}
    assert "gateway.supervisor" in imported
    assert "in use" in told
    assert imported & {"cryptography", "numpy", "rich", "starlette", "gateway.commands.rollout"} == set()


def test_a_wrong_setting_is_told_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_WORKERS", "none")
    with pytest.raises(SystemExit) as exited:
        main(["serve"])
    assert exited.value.code == 1
    assert capsys.readouterr().err.splitlines() == [
        "weir: the settings: not valid",
        "  /workers: expected an integer, found 'none'",
    ]


def test_a_choice_must_name_model_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--stable", "fraud"])
    assert exited.value.code == 2
    assert "MODEL=VERSION" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["WEIR_MONITOR__DETECTORS", "WEIR_MONITOR__MODEL_DETECTORS"])
def test_a_detector_that_is_not_there_is_told_before_anything_starts(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(path, "[nobody]" if path.endswith("R__DETECTORS") else "{m: [nobody]}")
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--models", str(tmp_path), "--state", str(tmp_path / "weir.db")])
    assert exited.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("weir: the settings under monitor: no detector is called 'nobody'; there are adwin, kswin")
    assert not (tmp_path / "weir.db.admin-token").exists()


def test_a_policy_that_breaks_a_rule_is_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.yaml").write_text("schema_version: 1\naproval_days: 3\n")
    monkeypatch.setenv("WEIR_GOVERNANCE__POLICY", str(tmp_path / "policy.yaml"))
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--models", str(tmp_path), "--state", str(tmp_path / "weir.db")])
    assert exited.value.code == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"weir: the policy {tmp_path}/policy.yaml: not valid"
    assert told[1].startswith("  /aproval_days: expected one of schema_version")
    assert not (tmp_path / "weir.db.admin-token").exists()


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_folder_of_models_that_is_none_is_told_before_the_token_is_made(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEIR_ADMIN_TOKEN", raising=False)
    folder = tmp_path / "nosuch"
    if kind == "a file":
        folder.touch()
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--models", str(folder), "--state", str(tmp_path / "weir.db")])
    assert exited.value.code == 1
    assert capsys.readouterr().err == f"weir: the folder of models {folder} does not exist\n"
    assert not (tmp_path / "weir.db.admin-token").exists()


def test_a_state_file_without_a_folder_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--models", str(tmp_path), "--state", str(tmp_path / "nodir" / "weir.db")])
    assert exited.value.code == 1
    assert capsys.readouterr().err == f"weir: the state folder {tmp_path / 'nodir'} does not exist\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("HEADERS_FILE", "a line 'name: value', found another line (not shown)", id="headers"),
        pytest.param("CA_FILE", "of tracing.ca_file holds no certificates in PEM", id="certificates"),
        pytest.param("CA_FILE_GONE", "of tracing.ca_file cannot be read: No such file or directory", id="gone"),
    ],
)
def test_a_file_that_tracing_cannot_use_is_told_before_anything_starts(
    name: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    if not name.endswith("GONE"):
        file.write_text("a secret")
    monkeypatch.setenv("WEIR_TRACING__ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv(f"WEIR_TRACING__{name.removesuffix('_GONE')}", str(file))
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--models", str(tmp_path), "--state", str(tmp_path / "weir.db")])
    told = capsys.readouterr().err
    assert (exited.value.code, says in told, "secret" in told) == (1, True, False), told
    assert not (tmp_path / "weir.db.admin-token").exists()
