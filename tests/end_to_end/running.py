"""A real gateway for tests: the command a user types, in processes of its own, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.loopback import TRUSTS_NOBODY

__all__ = ["TOKEN", "RunningGateway", "free_port"]

TOKEN = "token-of-the-tests"
_START_S = 60.0
_LOWEST_PORT, _PORTS_OF_ALL = 10_000, 22_000
_PORTS = iter([_LOWEST_PORT + (os.getpid() * 7_919 + n) % _PORTS_OF_ALL for n in range(1_000)])


def free_port() -> int:
    """Return a port that nothing listens on now, and that the system gives to no connection until somebody does.

    Each process begins elsewhere below the ports of outgoing connections (32768 and up), and gives none twice.
    """
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("this process has used up its ports")


class RunningGateway:
    """``weir serve`` on a folder of models, started on entry and stopped on exit.

    Parameters
    ----------
    models
        The folder.
    state
        The state file.
    flags
        Further flags of ``weir serve``.
    environ
        Settings as ``WEIR_*`` variables.
    ca_file
        The certificate to trust, of a gateway that serves HTTPS.
    """

    def __init__(
        self,
        models: Path,
        state: Path,
        *flags: str,
        workers: int = 2,
        environ: dict[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"{'https' if ca_file else 'http'}://127.0.0.1:{self.port}"
        self._verify = ssl.create_default_context(cafile=ca_file) if ca_file else TRUSTS_NOBODY
        self.state = state
        self.workers = workers
        self.log = state.with_suffix(".log")
        self._command = [sys.executable, "-m", "gateway.cli", "serve", "--models", str(models), "--state", str(state)]
        self._command += ["--port", str(self.port), "--workers", str(workers), *flags]
        self._environ = os.environ | {"WEIR_ADMIN_TOKEN": TOKEN} | (environ or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunningGateway:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, until: str = "/readyz") -> None:
        """Start, and wait until a probe answers 200."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environ)
        self.wait_until(lambda: self._answers(until), f"{until} 200")

    def stop(self) -> int:
        """Stop with SIGTERM and return the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60.0)

    def wait_until(self, holds: Any, what: str, timeout_s: float = _START_S) -> None:
        """Poll until a condition holds; fail with the gateway's log when it does not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(f"the gateway ended with {self._process.returncode}:\n{self.tail()}")
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"not {what} within {timeout_s:g} s:\n{self.tail()}")

    def wait_for_workers(self, model: str, version: str) -> None:
        """Wait until every worker has a version ready; being ready is one worker's word."""
        self.wait_until(lambda: self.ready_workers(model, version) >= self.workers, f"{model} {version} on all workers")

    def ready_workers(self, model: str, version: str) -> int:
        """Return how many serving workers have a version ready."""
        models = self.read("/admin/v1/models").json()["models"]
        versions = next(found["versions"] for found in models if found["model"] == model)
        workers = next(found["workers"] for found in versions if found["version"] == version)
        return sum(name.startswith("worker") and told["state"] == "ready" for name, told in workers.items())

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        assert self._process is not None
        return self._process.pid

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-4000:]

    def client(self) -> httpx.Client:
        """Return a client with the admin token."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=10.0, verify=self._verify)

    def read(self, path: str, **query: str | int) -> httpx.Response:
        """Return a page; ask again while it is a 503: a store that comes back, a watch that starts or is busy."""
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answers.append(client.get(path, params=query or None))
            return answers[-1].status_code != 503

        with self.client() as client:
            self.wait_until(is_answered, f"an answer to {path}", 30.0)
        return answers[-1].raise_for_status()

    def children(self, module: str) -> list[int]:
        """Return the process ids of the tree's children that run a module."""
        assert self._process is not None
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and _parent(folder) == self._process.pid:
                with suppress(OSError):  # it has ended since
                    if module.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                        found.append(int(folder.name))
        return sorted(found)

    def put_route(self, model: str, **body: Any) -> httpx.Response:
        """Replace a model's route on top of its present revision."""
        with self.client() as client:
            tag = client.get(f"/admin/v1/models/{model}/route").headers["etag"]
            body.setdefault("reason", "a test")
            return client.put(f"/admin/v1/models/{model}/route", json=body, headers={"if-match": tag})

    def _answers(self, probe: str) -> bool:
        try:
            return httpx.get(f"{self.url}{probe}", timeout=2.0, verify=self._verify).status_code == 200
        except httpx.TransportError:
            return False


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return -1
