"""A gateway on its core, and its operator: routes, loads, the metrics page, its processes."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.serving.machine import proportional_mb, server_pids
from benchmarks.serving.process import ServerFailed, free_port, running

__all__ = ["Gateway", "gateway", "wait_until"]

TOKEN = "token-of-the-benchmarks"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A started gateway: its port, its first process, and the seconds until it answered."""

    port: int
    root: int
    start_s: float = float("nan")

    def get(self, path: str) -> httpx.Response:
        """Ask with the admin token."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=_AUTHORIZED, timeout=30.0)

    def load(self, model: str, version: str) -> None:
        """Load a version on every worker and keep it."""
        self._post(f"/admin/v1/models/{model}/versions/{version}/load")

    def unload(self, model: str, version: str) -> None:
        """Let a version go."""
        self._post(f"/admin/v1/models/{model}/versions/{version}/unload")

    def _post(self, path: str) -> None:
        url = f"http://127.0.0.1:{self.port}{path}"
        httpx.post(url, json={"reason": "benchmark"}, headers=_AUTHORIZED, timeout=90.0).raise_for_status()

    def route(self, model: str, **route: Any) -> dict[str, Any]:
        """Replace the route; return the document that it is then."""
        path = f"/admin/v1/models/{model}/route"
        headers = {**_AUTHORIZED, "if-match": self.get(path).headers["etag"]}
        body = {"reason": "benchmark", "shadow": [], "canary": None, **route}
        answer = httpx.put(f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, timeout=30.0)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        page = self._metrics()
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _metrics(self) -> str:
        """Return the metrics page; the watch process, which writes it, may be late where others take its core."""
        for _ in range(_LATE_PAGES):
            answer = self.get("/metrics")
            if answer.status_code != 503:
                break
            time.sleep(1.0)
        return answer.raise_for_status().text

    def memory_mb(self) -> float:
        """Return the memory of the whole tree, shared pages divided."""
        return proportional_mb(server_pids(self.root))

    def processes(self, module: str) -> list[int]:
        """Return the supervisor's children that run a module; a few reads, no look at everybody."""
        children = Path(f"/proc/{self.root}/task/{self.root}/children").read_text().split()
        return sorted(int(pid) for pid in children if module in _command_line(pid))

    def revision(self, model: str, x: Sequence[float]) -> int:
        """Return the revision of the route under which a row is answered."""
        answer = httpx.post(f"http://127.0.0.1:{self.port}/predict/{model}", json={"instances": [list(x)]})
        return int(answer.raise_for_status().headers["x-route-revision"])


_LATE_PAGES = 10
_AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


def _command_line(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def wait_until(holds: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    """Poll until a condition holds.

    Raises
    ------
    ServerFailed
        It did not within the limit.
    """
    until_s = time.perf_counter() + limit_s
    while not holds():
        if time.perf_counter() > until_s:
            raise ServerFailed(f"not {what} within {limit_s:g} s")
        time.sleep(0.05)


@contextmanager
def gateway(
    models: Path,
    request: bytes,
    *,
    cores: Iterable[int],
    flags: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Gateway]:
    """Run ``weir serve`` on some cores with the settings it starts with, but for those given.

    Raises
    ------
    ServerFailed
        It did not come to answer ``request`` with 200.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="weir-trial-") as scratch:
        started = running(
            [*_command(models, port, Path(scratch)), *flags],
            cores=cores,
            port=port,
            request=request,
            variables={"WEIR_ADMIN_TOKEN": TOKEN, **(variables or {})},
            scratch=Path(scratch),
        )
        with started as process:
            yield Gateway(port, process.root, process.start_s)


def _command(models: Path, port: int, scratch: Path) -> list[str]:
    options = {"--models": models, "--port": port, "--state": scratch / "weir.db"}
    return [sys.executable, "-m", "gateway.cli", "serve", *(str(word) for pair in options.items() for word in pair)]
