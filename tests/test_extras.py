"""Without the packages of the extras nothing of them is imported, and who asks for one is told what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.extras import GRPC, PARQUET, RELEASE, TRACING, Extra

WITHOUT = """
import sys
for name in ("grpc", "tritonclient", "opentelemetry", "sklearn", "fairlearn", "pyarrow"):
    sys.modules[name] = None
"""
ASK = f"""{WITHOUT}
from gateway.cli import main
sys.argv[1:] = ["serve", "--models", "models", *sys.argv[1:]]
main()
"""
DO_NOT = f"""{WITHOUT}
import asyncio
from pathlib import Path
import gateway.shadow, gateway.supervisor, gateway.watch
from gateway.app import Worker
from gateway.codec.configuration import encode_settings
from gateway.http.fast_path import FastProtocol
from gateway.rundir import RunDirectory
from gateway.settings import Settings

async def work():
    settings = Settings(state="weir.db", models=Path("models"))
    run_dir = RunDirectory.create(encode_settings(settings), "token")
    try:
        worker = Worker(settings, run_dir, "worker-0", asyncio.get_running_loop())
        assert issubclass(worker.ways_in.public.protocol, FastProtocol)
        await worker.stop()
    finally:
        run_dir.remove()

asyncio.run(work())
"""


@pytest.mark.parametrize("extra", [GRPC, PARQUET, RELEASE, TRACING], ids=lambda extra: extra.name)
def test_nothing_is_missing_here(extra: Extra) -> None:
    assert extra.missing() == []


@pytest.mark.parametrize(
    ("flags", "environ", "says"),
    [
        pytest.param(
            ["--grpc-port", "0"],
            {},
            "gRPC needs grpcio and tritonclient: install 'weir[grpc]', or leave grpc_port out",
            id="grpc",
        ),
        pytest.param(
            [],
            {"WEIR_TRACING__ENDPOINT": "http://127.0.0.1:4318"},
            "tracing needs opentelemetry-api and opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http: "
            "install 'weir[tracing]', or leave tracing.endpoint out",
            id="tracing",
        ),
    ],
)
def test_who_asks_for_an_extra_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], environ: dict[str, str], says: str
) -> None:
    (tmp_path / "models").mkdir()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-c", ASK, *flags]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, says in " ".join(ended.stderr.split())) == (1, True), ended.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "models"]


def test_every_process_runs_without_the_packages_and_a_worker_takes_the_fast_path(
    tmp_path: Path, short_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    environ = {**os.environ, "TMPDIR": str(short_path)}
    subprocess.run([sys.executable, "-c", DO_NOT], cwd=tmp_path, env=environ, check=True, timeout=60)
    assert list(short_path.glob("weir-*")) == []  # ONNX Runtime leaves a file of its own


def test_a_release_check_says_what_it_needs_and_submitting_needs_nothing(tmp_path: Path) -> None:
    asked = f"{WITHOUT}\nfrom gateway.cli import main\nmain()"

    def said(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-c", asked, "release", *arguments]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return ended.returncode, " ".join(ended.stderr.split())

    (tmp_path / "report.json").write_text("{}")
    code, told = said("check", "m", "1", "--holdout", "h.csv")
    assert (code, "release checks need scikit-learn and fairlearn: install 'weir[release]'" in told) == (2, True), told
    code, told = said("submit", "report.json")
    assert (code, "/outcome: expected one of" in told) == (1, True), told


def test_parquet_is_told_to_be_installed_where_a_table_or_a_log_needs_it(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    asked = f"""{WITHOUT}
from gateway.cli import main
for command in (
    ("monitor", "replay", "rows.parquet", "--model", "m/1", "--rows-per-second", "1"),
    ("log", "export", "--path", ".", "--out", "log.parquet"),
):
    try:
        main(command)
    except SystemExit as end:
        assert end.code == 1, end.code
"""
    ended = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    told = " ".join(ended.stderr.split())
    for what in ("reading rows.parquet", "exporting to Parquet"):
        assert f"{what} needs pyarrow: pip install 'weir[parquet]'" in told
    assert (ended.returncode, list(tmp_path.iterdir())) == (0, [tmp_path / "rows.parquet"])
