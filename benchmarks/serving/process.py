"""A server under test: started on its core in a session of its own, awaited, and stopped with all it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.connection import Connection, ConnectionLost
from benchmarks.serving.machine import server_pids, surviving

__all__ = ["Running", "ServerFailed", "free_port", "running"]

_START_LIMIT_S = 90.0
_REFUSAL_LIMIT_S = 45.0
_NOT_INHERITED = ("WEIR_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""Settings of ours, and what would compile our modules at every start while those of peers are installed compiled."""
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ServerFailed(Exception):
    """A server ended, refused or did not answer with 200 in time; says which."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started server: its first process and the seconds from start to the first good answer."""

    root: int
    start_s: float


def free_port() -> int:
    """Return a port with two free ones above it, for servers that open more than one."""
    for port in range(18_100, 18_900, 3):
        try:
            for offset in range(3):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
    raise ServerFailed("no free port")


@contextmanager
def running(
    command: Sequence[str],
    *,
    cores: Iterable[int],
    port: int,
    request: bytes,
    variables: Mapping[str, str],
    scratch: Path,
) -> Iterator[Running]:
    """Start a server pinned to some cores and stop all that it started at the end.

    Raises
    ------
    ServerFailed
        It did not come to answer with 200.
    """
    log = scratch / "server.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    started_s = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cores)), *command],
            env={**inherited, **_ONE_THREAD, **variables, "SCRATCH": str(scratch)},
            cwd=Path.cwd(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_answer(process, port, request, log)
        yield Running(process.pid, time.perf_counter() - started_s)
    finally:
        _stop(process)


def _await_answer(process: subprocess.Popen[bytes], port: int, request: bytes, log: Path) -> None:
    """Ask until the answer is 200; a server may say 4xx or 503 while its model loads."""
    said, began_s = "no connection", time.perf_counter()
    while time.perf_counter() < began_s + _START_LIMIT_S:
        if process.poll() is not None:
            raise ServerFailed(f"ended with {process.returncode}: {_last_line(log)}")
        try:
            status, body = _ask_once(port, request)
        except (OSError, ConnectionLost):
            time.sleep(0.01)
            continue
        if status == 200:
            return
        said = f"{status} {body[:200].decode(errors='replace')}"
        if time.perf_counter() > began_s + _REFUSAL_LIMIT_S and 400 <= status < 500:
            break
        time.sleep(0.01)
    raise ServerFailed(f"no good answer: {said}; {_last_line(log)}")


def _ask_once(port: int, request: bytes) -> tuple[int, bytes]:
    connection = Connection(port)
    try:
        connection.send(request, time.perf_counter())
        limit_s = time.perf_counter() + 10
        while not connection.receive():
            if time.perf_counter() > limit_s:
                raise ConnectionLost
            time.sleep(0.001)
        return connection.answer
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the first process to end, then kill whatever is left of what it started."""
    started = server_pids(process.pid)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in surviving(started):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
