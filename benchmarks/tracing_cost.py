"""What do traces cost a worker, off and on?

Run: ``.venv/bin/python -m benchmarks.tracing_cost``

Claim: off, the fast path answers as before, for nothing of tracing is on it. On, a request takes the ASGI way, and
its spans add to that what the sampled share of requests costs.

One worker of each kind, pinned to the first core, asked in interleaved rounds as in ``predict_throughput``; load
generator and collector are on the last core. The collector reads what comes and answers 200. Told is the processor time
of the worker for each request, all its threads together, which depends less on the neighbours than a rate does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import uvloop

from benchmarks.predict_throughput import ROUND_S, load, wait_for, write_model

ROUNDS = 5
COLLECTOR_PORT = 18_090
COLLECTOR = """
import http.server, sys
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): ...
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
"""
ENDPOINT = {"WEIR_TRACING__ENDPOINT": f"http://127.0.0.1:{COLLECTOR_PORT}", "NO_PROXY": "127.0.0.1"}
KINDS: dict[str, dict[str, str]] = {
    "off, fast path": {},
    "off, ASGI way": {"WEIR_SERVING__FAST_PATH": "false"},
    "on, none sampled": {**ENDPOINT, "WEIR_TRACING__SAMPLE_RATIO": "0"},
    "on, 1 % sampled": {**ENDPOINT, "WEIR_TRACING__SAMPLE_RATIO": "0.01"},
    "on, all sampled": {**ENDPOINT, "WEIR_TRACING__SAMPLE_RATIO": "1"},
}


@contextmanager
def running(command: list[str], core: int, environ: dict[str, str]) -> Iterator[psutil.Process]:
    """Run a server on one core for as long as the block lasts."""
    pinned = ["taskset", "-c", str(core), *command]
    server = subprocess.Popen(pinned, stdout=subprocess.DEVNULL, env=os.environ | environ)
    try:
        yield psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(30)


def cpu_s(server: psutil.Process) -> float:
    """Return the processor time that a gateway's worker has taken."""
    (worker,) = [child for child in server.children() if "gateway.app" in child.cmdline()]
    times = worker.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Run the rounds and print the table."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    cost_us: dict[str, list[float]] = {name: [] for name in KINDS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        body = write_model(folder / "models")
        stack.enter_context(running([sys.executable, "-c", COLLECTOR, str(COLLECTOR_PORT)], cores[-1], {}))
        ports = {name: 18_081 + i for i, name in enumerate(KINDS)}
        servers = {}
        for name, port in ports.items():
            weir = [sys.executable, "-m", "gateway.cli", "serve", "--models", f"{folder}/models", "--port", str(port)]
            weir += ["--state", f"{folder}/{port}.db", "--log-level", "error"]
            servers[name] = stack.enter_context(running(weir, cores[0], KINDS[name]))
        for port in ports.values():
            wait_for(f"http://127.0.0.1:{port}/predict/cancer")
        for _ in range(ROUNDS):
            for name, port in ports.items():
                before = cpu_s(servers[name])
                requests = uvloop.run(load(port, "/predict/cancer", body)) * ROUND_S
                cost_us[name].append((cpu_s(servers[name]) - before) / requests * 1e6)
    for name, found in cost_us.items():
        print(f"{name:18s} {statistics.median(found):6.0f} us a request  (range {min(found):.0f}-{max(found):.0f})")


if __name__ == "__main__":
    main()
