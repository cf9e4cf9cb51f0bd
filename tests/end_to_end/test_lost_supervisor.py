"""A supervisor that is killed leaves nobody behind, not even who was still starting, and no secret for long."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gateway.rundir import RunDirectory, remove_abandoned
from tests.models import elementwise, write_bundle

LIMIT_S = 60.0
MODULES = {"gateway.watch", "gateway.shadow", "gateway.app"}


def processes(folder: Path) -> dict[str, int]:
    """Return the children that run with a temporary folder, by module."""
    found: dict[str, int] = {}
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes().decode().split("\0")
            if str(folder) in (process / "environ").read_bytes().decode(errors="replace"):
                found |= {module: int(process.name) for module in MODULES & set(command)}
        except OSError:
            continue
    return found


def until(folder: Path, count: int) -> dict[str, int]:
    """Wait until so many children are there."""
    deadline = time.monotonic() + LIMIT_S
    while len(found := processes(folder)) != count:
        assert time.monotonic() < deadline, f"{found} after {LIMIT_S:g} s, and not {count}"
        time.sleep(0.02)
    return found


def removed_in_the_end() -> list[Path]:
    """Tidy up until something was there: a process that ends lets go of its files after its memory."""
    deadline = time.monotonic() + LIMIT_S
    while not (removed := remove_abandoned()):
        assert time.monotonic() < deadline, f"somebody still holds the run directory after {LIMIT_S:g} s"
        time.sleep(0.02)
    return removed


def test_children_that_start_while_the_supervisor_is_killed_end_and_the_next_start_tidies_up(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    former = RunDirectory.create(b"{}", "token")
    os.close(*former.lock_fds)
    write_bundle(short_path / "models" / "m" / "1", elementwise("Neg"))
    command = ["serve", "--models", short_path / "models", "--state", short_path / "weir.db", "--port", "0"]
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *map(str, command)],
        env=os.environ | {"TMPDIR": str(short_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(short_path, len(MODULES))
        assert not former.path.exists()
        assert remove_abandoned() == []
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait(LIMIT_S)
        until(short_path, 0)
        assert [path.parent for path in removed_in_the_end()] == [short_path]
    finally:
        supervisor.kill()
        for pid in processes(short_path).values():
            os.kill(pid, signal.SIGKILL)
