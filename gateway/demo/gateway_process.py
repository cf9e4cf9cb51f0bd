"""The gateway of the demonstration: ``weir serve`` as a child process, as anybody would start it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx

__all__ = ["GatewayDied", "GatewayPlan", "GatewayProcess", "free_port"]

HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
LOG_TAIL_BYTES = 2_000


class GatewayDied(Exception):
    """The gateway ended, or was not ready in time; the text ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What to start, and where. ``folder`` gets state, token and log; its state of an earlier run is removed."""

    folder: Path
    models: Path
    port: int
    stable: str
    workers: int = 2
    tick_s: float = 2.0
    program: tuple[str, ...] = (sys.executable, "-m", "gateway.cli")

    @property
    def url(self) -> str:
        """Base URL of the gateway."""
        return f"http://{HOST}:{self.port}"

    @property
    def token_file(self) -> Path:
        """File with the admin token, readable by its owner only."""
        return self.folder / "admin-token"

    @property
    def log_file(self) -> Path:
        """Where the gateway's own words go."""
        return self.folder / "gateway.log"

    def command(self) -> list[str]:
        """Return the command line."""
        return [
            *(*self.program, "serve", "--models", str(self.models), "--host", HOST),
            *("--port", str(self.port), "--workers", str(self.workers), "--stable", self.stable),
            *("--state", str(self.folder / "weir.db")),
        ]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the child's environment: the inherited one, but with no other ``WEIR_`` settings than the plan's."""
        kept = {name: value for name, value in inherited.items() if not name.startswith("WEIR_")}
        monitor = {
            "WEIR_MONITOR__TICK_S": f"{self.tick_s:g}",
            "WEIR_MONITOR__PAGE_ON": "profile",
            "WEIR_MONITOR__BURN_IN_S": f"{2 * self.tick_s:g}",
            "WEIR_MONITOR__MINIMUM_FIRING_S": f"{3 * self.tick_s:g}",
        }
        return kept | monitor | {"WEIR_ADMIN_TOKEN_FILE": str(self.token_file)}


class GatewayProcess:
    """Starts the gateway on entry and stops it on exit, whatever happened in between.

    The child has a process group of its own, so that Ctrl-C reaches the demonstration only, which first stops its
    clients and then the gateway.
    """

    def __init__(self, plan: GatewayPlan, *, environment: Mapping[str, str]) -> None:
        self.plan = plan
        self._environment = environment
        self._child: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> GatewayProcess:
        for leftover in self.plan.folder.glob("weir.db*"):
            leftover.unlink()
        _write_secret(self.plan.token_file, secrets.token_urlsafe(32))
        with self.plan.log_file.open("wb") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self.plan.command(),
                env=self.plan.environment(self._environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_WITHIN_S)
        finally:
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)

    async def wait_ready(self) -> None:
        """Return once the gateway says that it is ready.

        Raises
        ------
        GatewayDied
            It ended, or did not become ready within a minute.
        """
        deadline = asyncio.get_running_loop().time() + READY_WITHIN_S
        async with httpx.AsyncClient(base_url=self.plan.url) as client:
            while not await _is_ready(client):
                if self._child is not None and self._child.returncode is not None:
                    raise GatewayDied(f"the gateway ended with {self._child.returncode}:\n{self._log_tail()}")
                if asyncio.get_running_loop().time() > deadline:
                    raise GatewayDied(f"not ready after {READY_WITHIN_S:g} s:\n{self._log_tail()}")
                await asyncio.sleep(0.2)

    def _log_tail(self) -> str:
        return self.plan.log_file.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def free_port(wanted: int) -> int:
    """Return the wanted port, or any free one when somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return int(candidate.getsockname()[1])
    raise GatewayDied("no free port")


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
