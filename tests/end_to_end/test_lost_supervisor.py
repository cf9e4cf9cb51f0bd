"""A supervisor that is killed leaves nobody behind, not even who was still starting."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


def test_children_that_start_while_the_supervisor_is_killed_end(tmp_path: Path) -> None:
    write_bundle(tmp_path / "models" / "m" / "1", elementwise("Neg"))
    command = ["serve", "--models", tmp_path / "models", "--state", tmp_path / "weir.db", "--port", "0"]
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *map(str, command)],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(tmp_path, len(MODULES))
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait(LIMIT_S)
        until(tmp_path, 0)
    finally:
        supervisor.kill()
        for pid in processes(tmp_path).values():
            os.kill(pid, signal.SIGKILL)
