"""How long the event loop stands still while a version of 100 MB loads and leaves in a thread beside it.

    PYTHONPATH=. .venv/bin/python benchmarks/load_stall.py [--rounds N] [--one-core]

Claim: no step of a load or an unload stops a loop by more than about 10 ms: no weight is copied, parsed or freed under
the interpreter's lock, but for ONNX Runtime's own release of a session (6 ms for 100 MB). With weights parsed from the
graph it was 50 ms, twice. Run it on an idle machine: whatever else takes the core counts as a stall.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from gateway.catalog.bundle import read_bundle
from gateway.engine.loading import load_version

WIDTH = 5000


def large_model() -> bytes:
    """Return 30 inputs, a square matrix of 25 million weights, two outputs."""
    random = np.random.default_rng(1)
    shapes = {"a": (30, WIDTH), "b": (WIDTH, WIDTH), "c": (WIDTH, 2)}
    weights = [numpy_helper.from_array(random.random(s, np.float32) / s[0], name) for name, s in shapes.items()]
    steps = zip(["x", "h", "g"], shapes, ["h", "g", "y"], strict=True)
    nodes = [helper.make_node("MatMul", [source, weight], [target]) for source, weight, target in steps]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", d]) for n, d in (("x", 30), ("y", 2)))
    graph = helper.make_graph(nodes, "large", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


async def watched(step: Callable[[], Any]) -> tuple[float, float, Any]:
    """Run a step in a thread; return its seconds, the longest that a 1 ms ticker was late, and what it gave."""
    doing = asyncio.get_running_loop().run_in_executor(None, step)
    started = last = perf_counter()
    worst = 0.0
    while not doing.done():
        await asyncio.sleep(0.001)
        now = perf_counter()
        worst, last = max(worst, now - last - 0.001), now
    return perf_counter() - started, worst, await doing


async def one_round(folder: Path) -> dict[str, tuple[float, float]]:
    """Read, build and free one version; return seconds and worst stall of each step."""
    held: list[Any] = []
    found = {}

    def read() -> None:
        held.append(read_bundle(folder, model="m", version="1"))

    def build() -> None:
        held.append(load_version(held[0]))

    def let_go_of_files() -> None:
        del held[0]

    def let_go_of_version() -> None:
        del held[0]

    for step in (read, build, let_go_of_files, let_go_of_version):
        seconds, worst, _ = await watched(step)
        found[step.__name__] = (seconds, worst)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one-core", action="store_true", help="pin the process to one core")
    options = parser.parse_args()
    if options.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with TemporaryDirectory() as root:
        (Path(root) / "model.onnx").write_bytes(large_model())
        rounds = [asyncio.run(one_round(Path(root))) for _ in range(options.rounds)]
    print(f"{'step':20} {'seconds':>8} {'worst stall, ms: median':>24} {'most':>6}")
    for name in rounds[0]:
        seconds, stalls = zip(*(found[name] for found in rounds), strict=True)
        print(f"{name:20} {median(seconds):8.3f} {median(stalls) * 1e3:24.1f} {max(stalls) * 1e3:6.1f}")


if __name__ == "__main__":
    main()
