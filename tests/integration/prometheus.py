"""A real Prometheus server for tests."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests import loopback
from tests.end_to_end.running import free_port
from tests.integration.expressions import dashboard_expressions, measured, rule_expressions, substituted

__all__ = ["PrometheusServer", "dashboard_expressions", "measured", "rule_expressions", "substituted"]

_POLL_S = 0.05
_SCRAPE_JITTER_S = 0.01
"""Prometheus moves the time of a scrape by up to 2 ms, to the grid of its interval."""


class PrometheusServer:
    """Debian's Prometheus on a free port, scraping and evaluating every ``interval_s``.

    Parameters
    ----------
    directory
        Where configuration, data and log go; must exist and be empty.
    targets
        ``host:port`` of each page; scraped as the job ``weir``.
    rule_files
        Rules to load, as they are.
    alertmanagers
        ``host:port`` of each Alertmanager that is told of alerts.
    """

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str],
        rule_files: Sequence[Path] = (),
        *,
        alertmanagers: Sequence[str] = (),
        interval_s: float = 1.0,
    ) -> None:
        self._directory = directory
        self._address = f"127.0.0.1:{free_port()}"
        self._client = loopback.Client(base_url=f"http://{self._address}/api/v1", timeout=10)
        self._process: subprocess.Popen[bytes] | None = None
        self._configuration = _configuration(targets, rule_files, alertmanagers, interval_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (self._directory / "prometheus.log").read_text(encoding="utf-8")

    def start(self, deadline_s: float = 30.0) -> None:
        """Start the server and return when it answers queries."""
        executable = shutil.which("prometheus")
        assert executable, "install the Debian package prometheus: scripts/system-packages prometheus"
        configuration = self._directory / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(self._configuration), encoding="utf-8")
        command = [
            executable,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address={self._address}",
        ]
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self._directory)
        self._wait(self._is_ready, "the server is ready", deadline_s)

    def stop(self) -> None:
        """End the server."""
        self._client.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def query(self, expression: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """Return the samples that the expression has now: ``metric`` holds the labels, ``value`` time and value.

        Parameters
        ----------
        expression
            In PromQL.
        at_s
            Another time than now, in Unix seconds.

        Raises
        ------
        AssertionError
            The server refuses the expression; the message is the server's.
        """
        asked = {"query": expression} if at_s is None else {"query": expression, "time": f"{at_s:.3f}"}
        answer = self._client.get("/query", params=asked)
        document = answer.json()
        assert document["status"] == "success", f"{expression}: {document['error']}"
        data = document["data"]
        return [{"metric": {}, "value": data["result"]}] if data["resultType"] == "scalar" else list(data["result"])

    def wait_for(self, expression: str, deadline_s: float = 30.0) -> list[dict[str, Any]]:
        """Return the samples of the expression as soon as it has any."""
        found: list[dict[str, Any]] = []

        def has_data() -> bool:
            found[:] = self.query(expression)
            return bool(found)

        self._wait(has_data, f"{expression} has data", deadline_s)
        return found

    def without_data(self, named: Sequence[tuple[str, str]], deadline_s: float) -> list[str]:
        """Return the names of the expressions that have no data whenever they are asked before the deadline.

        Each is asked for its present value until it has one, and all of them share the deadline.
        """
        deadline = time.monotonic() + deadline_s
        pending = deque(named)
        while pending and time.monotonic() < deadline:
            name, expression = pending.popleft()
            if not self.query(expression):
                pending.append((name, expression))
                time.sleep(_POLL_S)  # one question at a time: what is asked for comes from the same processors
        return [name for name, _ in pending]

    def wait_for_scrape(self, deadline_s: float = 30.0) -> float:
        """Return the time, in Unix seconds, of a scrape that began after the call and succeeded.

        A query at that time sees all that was on the page when this was called, and no later scrape.
        """
        since = time.time() + _SCRAPE_JITTER_S
        (sample,) = self.wait_for(f'timestamp(up{{job="weir"}}) > {since:.3f} and up{{job="weir"}} == 1', deadline_s)
        return float(sample["value"][1])

    def wait_for_rules(self, deadline_s: float = 30.0) -> None:
        """Return when every rule has been evaluated on what was scraped before the call."""
        since = datetime.now(UTC)
        self._wait(
            lambda: all(datetime.fromisoformat(rule["lastEvaluation"]) > since for rule in self.rules()),
            "every rule is evaluated",
            deadline_s,
        )

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule as the server sees it, with ``health`` and ``lastError``."""
        groups = self._client.get("/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        """Return the scraped targets, with ``health`` and ``lastError``."""
        return list(self._client.get("/targets").json()["data"]["activeTargets"])

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            return self._client.get(f"http://{self._address}/-/ready").is_success
        except httpx.TransportError:
            return False

    def _wait(self, condition: Callable[[], bool], what: str, deadline_s: float) -> None:
        deadline = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {deadline_s:g} s until {what}\n{self.log}"
            time.sleep(_POLL_S)


def _configuration(
    targets: Sequence[str], rule_files: Sequence[Path], alertmanagers: Sequence[str], interval_s: float
) -> dict[str, Any]:
    interval = f"{round(interval_s * 1000)}ms"
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(path.resolve()) for path in rule_files],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        "scrape_configs": [{"job_name": "weir", "static_configs": [{"targets": list(targets)}]}],
    }
