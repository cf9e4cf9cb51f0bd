"""Without its packages nothing of gRPC is imported, and who asks for it is told what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.grpc.packages import missing_packages

WITHOUT = """
import sys
sys.modules["grpc"] = sys.modules["tritonclient"] = None
"""
ASK = f"""{WITHOUT}
from gateway.cli import main
sys.argv[1:] = ["serve", "--models", "models", "--grpc-port", "0"]
main()
"""
DO_NOT = f"""{WITHOUT}
import gateway.app, gateway.shadow, gateway.supervisor, gateway.watch
"""


def test_nothing_is_missing_here() -> None:
    assert missing_packages() == []


def test_who_asks_for_grpc_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    ended = subprocess.run([sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    told = " ".join(ended.stderr.split())
    assert (ended.returncode, "gRPC needs grpcio and tritonclient: install 'weir[grpc]'" in told) == (1, True)
    assert list(tmp_path.iterdir()) == [tmp_path / "models"]


def test_every_process_runs_without_the_packages() -> None:
    subprocess.run([sys.executable, "-c", DO_NOT], check=True, timeout=60)
