"""Replace a model's version some times: ``reloader PORT ROOT FOLDER FIRST COUNT PAUSE``.

It says when it is ready, then one line of JSON for each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.serving.models import FEATURES
from benchmarks.serving.trials.aside import READY
from benchmarks.serving.trials.gateway import Gateway, wait_until

__all__: list[str] = []


def main() -> None:
    """Wait, replace, tell, and again."""
    server = Gateway(int(sys.argv[1]), int(sys.argv[2]))
    folder, first, count, pause_s = Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])
    print(READY, flush=True)
    for version in range(first, first + count):
        time.sleep(pause_s)
        print(json.dumps(_replace(server, folder, version)), flush=True)


def _replace(server: Gateway, folder: Path, version: int) -> dict[str, float]:
    began_s = time.perf_counter()
    _put(folder, version)
    server.load(folder.name, str(version))
    revision = server.route(folder.name, stable=str(version))["revision"]
    wait_until(lambda: server.revision(folder.name, [0.0] * FEATURES) >= revision, "on the new route")
    if version > 2:
        server.unload(folder.name, str(version - 2))
    return {
        "began_s": began_s,
        "ended_s": time.perf_counter(),
        "model_mb": (folder / str(version) / "model.onnx").stat().st_size / 1e6,
        "peak_mb": sum(_peak_mb(pid) for pid in server.processes("gateway.app")),
    }


def _put(folder: Path, version: int) -> None:
    """Put a version's folder in place whole, as an operator should: the file is the first version's."""
    staged = folder / f".{version}"
    staged.mkdir()
    staged.joinpath("model.onnx").hardlink_to(folder / "1" / "model.onnx")
    staged.rename(folder / str(version))


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
