"""What does Weir's whole data plane cost beside a server that does nothing but read the body?

Run: ``.venv/bin/python benchmarks/predict_throughput.py``

Claim: with routing, contract, batching, counters and tap on, one worker answers at least half as many requests a
second as uvicorn's bare ASGI application that reads the body and answers a constant, on the same core, under the same
load.

Both servers run one process pinned to the first core, in interleaved rounds; the load generator (64 keep-alive
connections, closed loop) runs on the last one. Quote the ratio; absolute figures belong to the machine.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import uvloop
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CONNECTIONS = 64
ROUNDS = 5
ROUND_S = 3.0
FLOOR = """
import asyncio, sys, uvicorn, uvloop
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
config = uvicorn.Config(app, port=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off",
                        log_config=None, access_log=False, server_header=False, date_header=False)
uvicorn.Server(config).run()
"""


class _Connection(asyncio.Protocol):
    """One keep-alive connection that sends the next request when an answer is complete."""

    def __init__(self, request: bytes, counts: list[int], stop_at: float) -> None:
        self._request, self._counts, self._stop_at = request, counts, stop_at
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]  # uvloop's transport is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        self._counts[0 if head.startswith(b"HTTP/1.1 200") else 1] += 1
        self._buffer = b""
        if time.perf_counter() < self._stop_at:
            self._transport.write(self._request)  # type: ignore[attr-defined]  # as above
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set_result(None)


async def load(port: int, path: str, body: bytes) -> float:
    """Return answers a second over one round; every answer must be 200."""
    request = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    request %= (path.encode(), len(body), body)
    counts = [0, 0]
    started = time.perf_counter()
    connections = []
    for _ in range(CONNECTIONS):
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(request, counts, started + ROUND_S), "127.0.0.1", port
        )
        connections.append(protocol.done)
    await asyncio.gather(*connections)
    if counts[1]:
        raise SystemExit(f"{counts[1]} answers on port {port} were not 200")
    return counts[0] / (time.perf_counter() - started)


def write_model(folder: Path) -> bytes:
    """Write a small real model (30 features) and return the body of a one-row request."""
    x_nd, y_n = load_breast_cancer(return_X_y=True)
    x_nd = x_nd.astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_nd, y_n)
    version = folder / "cancer" / "1"
    version.mkdir(parents=True)
    onnx = to_onnx(model, x_nd[:1], options={"zipmap": False})
    (version / "model.onnx").write_bytes(onnx.SerializeToString())
    return b'{"instances":[[%s]]}' % ",".join(f"{v:g}" for v in x_nd[0]).encode()


def wait_for(url: str) -> None:
    """Wait until a server answers anything."""
    for _ in range(200):
        try:
            httpx.post(url, json={}, timeout=1.0)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{url} did not start")


def main() -> None:
    """Run the rounds and print the table."""
    cores = sorted(os.sched_getaffinity(0))
    pinned = ["taskset", "-c", str(cores[0])]
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory() as folder:
        body = write_model(Path(folder) / "models")
        weir = [sys.executable, "-m", "gateway.cli", "serve", "--models", f"{folder}/models", "--port", "18081"]
        commands = [
            [*weir, "--state", f"{folder}/weir.db", "--log-level", "error"],
            [sys.executable, "-c", FLOOR, "18082"],
        ]
        servers = [subprocess.Popen([*pinned, *command], stdout=subprocess.DEVNULL) for command in commands]
        try:
            targets = {"weir /predict": (18081, "/predict/cancer"), "uvicorn bare ASGI": (18082, "/")}
            for port, path in targets.values():
                wait_for(f"http://127.0.0.1:{port}{path}")
            rates: dict[str, list[float]] = {name: [] for name in targets}
            for _ in range(ROUNDS):
                for name, (port, path) in targets.items():
                    rates[name].append(uvloop.run(load(port, path, body)))
        finally:
            for server in servers:
                server.terminate()
                server.wait(30)
    report(rates)


def report(rates: dict[str, list[float]]) -> None:
    """Print medians, ranges and the ratio of the medians."""
    for name, found in rates.items():
        print(f"{name:20s} {statistics.median(found):10.0f} requests/s  (range {min(found):.0f}-{max(found):.0f})")
    weir, floor = (statistics.median(found) for found in rates.values())
    print(f"ratio {weir / floor:.2f}")


if __name__ == "__main__":
    main()
