"""The supervisor: binds the port, starts workers, shadow and watch, restarts what dies, and stops them in order.

The listening socket is one for all workers: a connection that waits when a worker dies is taken by another, and a
worker that is started later finds the port as it was.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, replace

from gateway.catalog.bundle import BundleLimits
from gateway.catalog.repository import Repository
from gateway.clock import SystemClock
from gateway.codec.configuration import encode_settings
from gateway.control import Control
from gateway.logs import configure_logging
from gateway.metrics.shared import Counter, SharedCounters
from gateway.rundir import RunDirectory
from gateway.settings import Settings
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore

__all__ = ["Child", "Supervisor", "restart_pause_s", "serve"]

_BACKLOG = 2048
_STEADY_S = 10.0
_log = logging.getLogger("weir.supervisor")


@dataclass(frozen=True, slots=True)
class Child:
    """One place in the process tree, whoever fills it at the moment."""

    role: str
    module: str
    index: int = 0


def restart_pause_s(quick_deaths: int) -> float:
    """Return how long to wait before the next start: nothing after a steady life, then doubling up to 5 s.

    >>> [restart_pause_s(n) for n in (0, 1, 2, 10)]
    [0.0, 0.2, 0.4, 5.0]
    """
    return 0.0 if quick_deaths == 0 else min(5.0, 0.1 * 2.0 ** min(quick_deaths, 6))


class Supervisor:
    """Keeps a process tree alive. Everything happens on one event loop; ``run`` returns after an orderly stop."""

    def __init__(self, settings: Settings, run_dir: RunDirectory, listener: socket.socket) -> None:
        self._settings, self._run_dir, self._listener = settings, run_dir, listener
        self._counters = SharedCounters.create(run_dir.counters, f"supervisor-{os.getpid()}", role="supervisor")
        self._stopping = asyncio.Event()
        self._starts = 0
        workers = [Child("worker", "gateway.app", index) for index in range(settings.workers)]
        self._children = [Child("watch", "gateway.watch"), Child("shadow", "gateway.shadow"), *workers]
        self._processes: dict[Child, asyncio.subprocess.Process] = {}

    def stop(self) -> None:
        """Begin an orderly stop: from now on the last worker to let go of the port closes it."""
        self._listener.close()
        self._stopping.set()

    async def run(self) -> None:
        """Start all children and keep them; return when stopped and they have ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        async with asyncio.TaskGroup() as tasks:
            for child in self._children:
                tasks.create_task(self._keep(child), name=f"{child.role}-{child.index}")

    async def _keep(self, child: Child) -> None:
        """Run one child for as long as the tree lives."""
        restarts: Counter = self._counters.counter("weir_worker_restarts_total", role=child.role)
        quick_deaths = 0
        while not self._stopping.is_set():
            started = asyncio.get_running_loop().time()
            process = self._processes[child] = await self._start(child)
            stopping = asyncio.create_task(self._stopping.wait())
            ended = asyncio.create_task(process.wait())
            await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if self._stopping.is_set():
                await self._end(child, process, ended)
                return
            restarts.inc()
            lived_s = asyncio.get_running_loop().time() - started
            quick_deaths = quick_deaths + 1 if lived_s < _STEADY_S else 0
            _log.warning("%s %d ended with %s after %.1f s", child.role, child.index, ended.result(), lived_s)
            await self._pause(restart_pause_s(quick_deaths))

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        self._starts += 1
        arguments = [sys.executable, "-m", child.module, "--run-dir", str(self._run_dir.path)]
        fds: tuple[int, ...] = ()
        if child.role != "watch":
            arguments += ["--worker", f"{child.role}-{child.index}-{os.getpid()}-{self._starts}"]
        if child.role == "worker":
            fds = (self._listener.fileno(),)
            arguments += ["--fd", str(self._listener.fileno())]
        return await asyncio.create_subprocess_exec(*arguments, pass_fds=fds, stdin=asyncio.subprocess.DEVNULL)

    async def _end(self, child: Child, process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
        """Stop one child: workers first, so that what they send in their last moment is still taken."""
        if child.role != "worker":
            workers = [other for place, other in self._processes.items() if place.role == "worker"]
            await asyncio.gather(*(other.wait() for other in workers))
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(ended), self._settings.serving.drain_s + 5.0)
        except TimeoutError:
            _log.error("%s %d did not stop in time and is killed", child.role, child.index)
            process.kill()
            await ended

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def serve(settings: Settings, *, admin_token: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises
    ------
    gateway.errors.DocumentInvalid
        A model's first route cannot be decided; the message says how to choose.
    OSError
        The address cannot be bound.
    """
    configure_logging(settings.log_level, "supervisor")
    settings = replace(settings, models=settings.models.resolve(), state=settings.state.resolve())
    seed_routes(settings)
    with _listener(settings.host, settings.port) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        run_dir = RunDirectory.create(encode_settings(settings), admin_token)
        try:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            print(f"weir serves {settings.models} on http://{host}:{settings.port}", flush=True)
            asyncio.run(_run(settings, run_dir, listener))
        finally:
            shutil.rmtree(run_dir.path, ignore_errors=True)


async def _run(settings: Settings, run_dir: RunDirectory, listener: socket.socket) -> None:
    await Supervisor(settings, run_dir, listener).run()


def seed_routes(settings: Settings) -> None:
    """Write revision 1 of the route of every model that has none yet."""
    store = SqliteStore(settings.state)
    try:
        clock = SystemClock()
        limits = BundleLimits(external_data_bytes=settings.serving.external_data_bytes)
        repository = Repository(settings.models, limits=limits)
        for problem in repository.problems():
            _log.warning("left aside: %s", problem)
        control = Control(Ledger(store, clock), store, clock, repository=repository)
        control.seed_routes(repository.models(), settings.routing.stable)
    finally:
        store.close()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
