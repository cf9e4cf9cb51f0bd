"""Processor time of a worker for each request, of gateways that differ in one setting, in one run.

One worker of each kind, pinned to the first core, asked in interleaved rounds as in ``predict_throughput``; the load
generator is on the last core. All threads of the worker count. It depends less on the neighbours than a rate does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import uvloop

from benchmarks.predict_throughput import ROUND_S, load, wait_for, write_model

__all__ = ["costs_us", "report", "running"]

ROUNDS = 5
_FIRST_PORT = 18_081


@contextmanager
def running(
    command: list[str], core: int, environ: Mapping[str, str], *, log: Path | None = None
) -> Iterator[psutil.Process]:
    """Run a server on one core for as long as the block lasts; what it says on standard error goes to ``log``."""
    pinned = ["taskset", "-c", str(core), *command]
    with open(log or os.devnull, "wb") as told:
        server = subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=told, env={**os.environ, **environ})
        try:
            yield psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait(30)


def costs_us(kinds: Mapping[str, Mapping[str, str]], *, log_level: str = "error") -> dict[str, list[float]]:
    """Return what a request costs each kind of gateway in each round, in microseconds.

    Parameters
    ----------
    kinds
        Settings by the name of the kind, as ``WEIR_*`` variables.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    ports = {name: _FIRST_PORT + i for i, name in enumerate(kinds)}
    found: dict[str, list[float]] = {name: [] for name in kinds}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        body = write_model(folder / "models")
        servers = {}
        for name, port in ports.items():
            weir = [sys.executable, "-m", "gateway.cli", "serve", "--models", f"{folder}/models", "--port", str(port)]
            weir += ["--state", f"{folder}/{port}.db", "--log-level", log_level]
            log = folder / f"{port}.log"
            servers[name] = stack.enter_context(running(weir, cores[0], kinds[name], log=log))
        for port in ports.values():
            wait_for(f"http://127.0.0.1:{port}/predict/cancer")
        for _ in range(ROUNDS):
            for name, port in ports.items():
                before = _cpu_s(servers[name])
                requests = uvloop.run(load(port, "/predict/cancer", body)) * ROUND_S
                found[name].append((_cpu_s(servers[name]) - before) / requests * 1e6)
    return found


def report(found: Mapping[str, list[float]]) -> None:
    """Print medians and ranges."""
    for name, costs in found.items():
        print(f"{name:18s} {statistics.median(costs):6.0f} us a request  (range {min(costs):.0f}-{max(costs):.0f})")


def _cpu_s(server: psutil.Process) -> float:
    (worker,) = [child for child in server.children() if "gateway.app" in child.cmdline()]
    times = worker.cpu_times()
    return float(times.user + times.system)
