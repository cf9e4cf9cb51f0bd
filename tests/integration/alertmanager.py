"""A real Alertmanager and a receiver of its webhooks, for tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests import loopback
from tests.end_to_end.running import free_port

__all__ = ["AlertmanagerServer", "Notifications", "hastened", "receiving"]

_POLL_S = 0.05
_INTERVALS = {"group_wait": "300ms", "group_interval": "300ms", "repeat_interval": "1h"}


class Notifications:
    """What a receiver was told: the documents by path, in the order in which they came."""

    def __init__(self) -> None:
        self.url = ""
        self._told: list[tuple[str, dict[str, Any]]] = []

    def add(self, path: str, document: dict[str, Any]) -> None:
        """Keep one notification."""
        self._told.append((path, document))

    def alerts(self, path: str, status: str) -> list[dict[str, Any]]:
        """Return the alerts with a status that a path was told of."""
        documents = [document for at, document in list(self._told) if at == path]
        return [alert for document in documents for alert in document["alerts"] if alert["status"] == status]

    def wait_for(self, path: str, alertname: str, status: str, deadline_s: float = 15.0) -> dict[str, Any]:
        """Return the first such alert as soon as it is told."""

        def found() -> list[dict[str, Any]]:
            return [a for a in self.alerts(path, status) if a["labels"]["alertname"] == alertname]

        _wait(lambda: bool(found()), f"{path} is told that {alertname} is {status}: {self._told}", deadline_s)
        return found()[0]


@contextmanager
def receiving() -> Iterator[Notifications]:
    """Run a webhook receiver on a free port."""
    notifications = Notifications()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notifications.add(self.path, json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_S})
    thread.start()
    notifications.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield notifications
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hastened(configuration: Path, receiver: str) -> dict[str, Any]:
    """Return a configuration with its waits cut short and its webhooks sent to another address, path kept."""
    document: dict[str, Any] = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    for route in (document["route"], *document["route"]["routes"]):
        route |= {name: value for name, value in _INTERVALS.items() if name in route}
    for hook in (hook for told in document["receivers"] for hook in told["webhook_configs"]):
        hook["url"] = receiver + httpx.URL(hook["url"]).path
    return document


class AlertmanagerServer:
    """Debian's Alertmanager on a free port, alone in its cluster.

    Parameters
    ----------
    directory
        Where configuration, data and log go; must exist and be empty.
    configuration
        What it is configured with.
    """

    def __init__(self, directory: Path, configuration: dict[str, Any]) -> None:
        self._directory, self._configuration = directory, configuration
        self.address = f"127.0.0.1:{free_port()}"
        self._client = loopback.Client(base_url=f"http://{self.address}", timeout=10)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server."""
        self._client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def send(self, *labels: dict[str, str]) -> None:
        """Raise alerts with these labels, as Prometheus does."""
        self._client.post("/api/v2/alerts", json=[{"labels": one} for one in labels]).raise_for_status()

    def states(self) -> dict[str, str]:
        """Return the state of each alert, ``active`` or ``suppressed``, by its name and instance or version."""
        return {_name(alert["labels"]): alert["status"]["state"] for alert in self._client.get("/api/v2/alerts").json()}

    def wait_for_states(self, wanted: dict[str, str], deadline_s: float = 10.0) -> None:
        """Wait until the alerts are in these states; one that has just come is ``unprocessed``."""
        _wait(lambda: self.states() == wanted, f"{wanted}, now {self.states()}", deadline_s)

    def _start(self, deadline_s: float = 30.0) -> None:
        executable = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        assert executable, "install the Debian package prometheus-alertmanager: scripts/system-packages alertmanager"
        configuration = self._directory / "alertmanager.yml"
        configuration.write_text(yaml.safe_dump(self._configuration), encoding="utf-8")
        command = [
            executable,
            f"--config.file={configuration}",
            f"--storage.path={self._directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]
        with (self._directory / "alertmanager.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self._directory)
        _wait(self._is_ready, "the server is ready", deadline_s)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "alertmanager.log").read_text(encoding="utf-8")
        try:
            return self._client.get("/-/ready").is_success
        except httpx.TransportError:
            return False


def _name(labels: dict[str, str]) -> str:
    return " ".join(labels[name] for name in ("alertname", "instance", "version") if name in labels)


def _wait(condition: Callable[[], bool], what: str, deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {deadline_s:g} s until {what}"
        time.sleep(_POLL_S)
