"""The unit of systemd: what systemd-analyze says, and that it starts and stops what the image does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.ground import STOP_S, settings_from


@pytest.fixture(scope="module")
def lines(repo_root: Path) -> list[tuple[str, str]]:
    """Give key and value of each line of the unit."""
    text = (repo_root / "deploy/systemd/weir.service").read_text(encoding="utf-8")
    found = [line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return [(key, value) for key, _, value in found]


def value_of(lines: list[tuple[str, str]], key: str) -> str:
    (value,) = [found for name, found in lines if name == key]
    return value


def analyze(*arguments: str | Path) -> None:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_accepts_the_unit_and_finds_it_confined(repo_root: Path, tmp_path: Path) -> None:
    unit = tmp_path / "weir.service"
    text = (repo_root / "deploy/systemd/weir.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/weir/bin/weir", str(Path(sys.executable).with_name("weir"))), encoding="utf-8")
    analyze("verify", unit)
    analyze("security", "--offline=true", "--threshold=20", unit)


def test_it_starts_the_command_of_the_image_with_settings_that_exist(lines: list[tuple[str, str]]) -> None:
    assert value_of(lines, "ExecStart") == "/opt/weir/bin/weir serve"
    settings = settings_from(dict(value.split("=", 1) for key, value in lines if key == "Environment"))
    home = Path("/var/lib") / value_of(lines, "StateDirectory")
    assert Path(settings.state).parent == settings.redis.folder == settings.models.parent == home


def test_it_waits_until_the_gateway_has_drained(lines: list[tuple[str, str]]) -> None:
    assert float(value_of(lines, "TimeoutStopSec")) > STOP_S
    assert value_of(lines, "KillMode") == "mixed"
