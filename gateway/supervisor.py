"""The supervisor: binds the port, starts workers, shadow and watch, restarts what dies, and stops them in order.

The listening socket is one for all workers: a connection that waits when a worker dies is taken by another, and a
worker that is started later finds the port as it was.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gateway.catalog.folders import ModelFolders
from gateway.child import Child, Life
from gateway.clock import SystemClock
from gateway.codec.configuration import encode_settings
from gateway.crash_marks import take_marks
from gateway.crashes import CRASHES, CrashFile
from gateway.errors import StoreUnavailable
from gateway.governance.first import declaring, first_clearance
from gateway.governance.guard import Guard
from gateway.governance.policy import Policy, encode_policy, read_policy
from gateway.heartbeat import BEAT_EVERY_S
from gateway.logs import configure_logging
from gateway.metrics.shared import Counter, SharedCounters
from gateway.rundir import RunDirectory, remove_abandoned
from gateway.seeding import seed_routes
from gateway.settings import Settings
from gateway.state.address import is_redis
from gateway.state.ledger import Ledger
from gateway.state.opening import open_store
from gateway.tls import server_context

__all__ = ["Supervisor", "restart_pause_s", "serve"]

_BACKLOG = 2048
_STEADY_S = 10.0
_READY_WITHIN_S = 300.0
_HEAD_START_S = 5.0
"""How long the watch and the shadow process wait for the first worker to answer, where all share one core."""
_HELPERS = (Child("watch", "gateway.watch"), Child("shadow", "gateway.shadow", niceness=10))
_log = logging.getLogger("weir.supervisor")


def restart_pause_s(quick_deaths: int) -> float:
    """Return how long to wait before the next start: nothing after a steady life, then doubling up to 5 s.

    >>> [restart_pause_s(n) for n in (0, 1, 2, 10)]
    [0.0, 0.2, 0.4, 5.0]
    """
    return 0.0 if quick_deaths == 0 else min(5.0, 0.1 * 2.0 ** min(quick_deaths, 6))


class Supervisor:
    """Keeps a process tree alive. Everything happens on one event loop; ``run`` returns after an orderly stop."""

    def __init__(self, settings: Settings, run_dir: RunDirectory, listeners: Mapping[str, socket.socket]) -> None:
        self._settings, self._run_dir, self._listeners = settings, run_dir, listeners
        self._counters = SharedCounters.create(run_dir.counters, f"supervisor-{os.getpid()}", role="supervisor")
        self._crashed = CrashFile(run_dir.crashed_file)
        self._stopping, self._renewal = asyncio.Event(), asyncio.Event()
        self._starts = 0
        self._tree = secrets.randbelow(1_000_000_000)
        """In the names of workers: unlike a process id, another one on every host that shares a state store."""
        self._workers = [Child("worker", "gateway.app", index) for index in range(settings.workers)]
        self._lives: dict[Child, Life] = {}
        self._leaving: list[Life] = []
        self._filling = asyncio.Lock()
        """Held while a place changes hands, so that no two fill the same one."""

    def stop(self) -> None:
        """Begin an orderly stop: from now on the last worker to let go of the port closes it."""
        for listener in self._listeners.values():
            listener.close()
        self._stopping.set()
        self._renewal.set()

    async def run(self) -> None:
        """Start all children and keep them; return when stopped and they have ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._renewal.set)
        async with asyncio.TaskGroup() as tasks:
            for child in (*_HELPERS, *self._workers):
                tasks.create_task(self._keep(child), name=f"{child.role}-{child.index}")
            tasks.create_task(self._renew(), name="renewal")

    async def _keep(self, child: Child) -> None:
        """Keep one place filled for as long as the tree lives."""
        restarts: Counter = self._counters.counter("weir_worker_restarts_total", role=child.role)
        quick_deaths = 0
        if child.role != "worker" and len(os.sched_getaffinity(0)) == 1:
            await self._give_head_start()
        self._lives[child] = await self._start(child)
        while True:
            life = self._lives[child]
            await self._watch_over(child, life)
            if self._stopping.is_set():
                await self._end(child, self._lives[child])
                return
            if life.replaced.done():
                continue
            restarts.inc()
            self._note_crash(life)
            quick_deaths = quick_deaths + 1 if life.seconds < _STEADY_S else 0
            _log.warning("%s %d ended with %s after %.1f s", child.role, child.index, life.ended.result(), life.seconds)
            await self._pause(restart_pause_s(quick_deaths))
            async with self._filling:
                if not (life.replaced.done() or self._stopping.is_set()):
                    self._lives[child] = await self._start(child)

    def _note_crash(self, life: Life) -> None:
        """Blame what a process was busy with when native code ended it."""
        number, busy = -life.ended.result(), take_marks(self._run_dir.marks, life.name)
        if number in CRASHES:
            self._crashed.add(life.name, signal.Signals(number), busy)
            told = busy or "nothing that is marked; stable versions are from now on"
            _log.error("%s crashed with %s, busy with %s", life.name, signal.Signals(number).name, told)

    async def _give_head_start(self) -> None:
        """Return when a worker answers, or could have by now: what it shares its core with would double that time."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + _HEAD_START_S
        while loop.time() < latest and not self._stopping.is_set():
            lives = [self._lives[worker] for worker in self._workers if worker in self._lives]
            if any(life.is_ready is not None or life.ended.done() for life in lives):
                return
            await self._pause(BEAT_EVERY_S / 4)

    async def _watch_over(self, child: Child, life: Life) -> None:
        """Return when the tree stops, another has taken the place, or the process has ended; end it if it hangs."""
        stopping = asyncio.create_task(self._stopping.wait())
        over: set[asyncio.Future[Any]] = {stopping, life.ended, life.replaced}
        while not (await asyncio.wait(over, timeout=life.look_again_s, return_when=asyncio.FIRST_COMPLETED))[0]:
            if life.is_hung():
                _log.error("%s %d hangs: its event loop stands still, and it is killed", child.role, child.index)
                await life.kill()
        stopping.cancel()

    async def _renew(self) -> None:
        """Replace all workers whenever that is asked for."""
        while True:
            await self._renewal.wait()
            if self._stopping.is_set():
                return
            self._renewal.clear()
            _log.info("a rolling restart begins")
            for child in self._workers:
                if not await self._replace(child):
                    _log.error("the rolling restart ends early: the workers that are left go on as they are")
                    break
            else:
                _log.info("the rolling restart is complete")

    async def _replace(self, child: Child) -> bool:
        """Give a place to a new process once that could serve, then end the former; return whether it came to that."""
        if self._stopping.is_set():
            return False
        successor = await self._start(child)
        is_ready = await self._becomes_ready(successor)
        async with self._filling:
            leaving = successor
            if is_ready and not self._stopping.is_set():
                leaving, self._lives[child] = self._lives[child], successor
                leaving.replaced.set_result(None)
        if successor.ended.done():
            self._note_crash(successor)
        self._leaving = [leaving]
        await self._end(child, leaving)
        return leaving is not successor

    async def _becomes_ready(self, life: Life) -> bool:
        while life.is_ready is None:
            await asyncio.wait({life.ended}, timeout=BEAT_EVERY_S)
            if self._stopping.is_set() or life.ended.done() or life.is_hung() or life.seconds > _READY_WITHIN_S:
                return False
        return life.is_ready

    async def _start(self, child: Child) -> Life:
        self._starts += 1
        command = [sys.executable, "-m", child.module, "--run-dir", str(self._run_dir.path)]
        fds: tuple[int, ...] = ()
        name = f"{child.role}-{child.index}-{self._tree}-{self._starts}"
        if child.role != "watch":
            command += ["--worker", name]
        if child.role == "worker":
            fds = tuple(listener.fileno() for listener in self._listeners.values())
            command += [part for flag, fd in zip(self._listeners, fds, strict=True) for part in (flag, str(fd))]
        hang_s = self._settings.serving.hang_s if child.role == "worker" else None
        fds += self._run_dir.lock_fds
        return await Life.start(command, fds, hang_s=hang_s, name=name, niceness=child.niceness)

    async def _end(self, child: Child, life: Life) -> None:
        """Stop one child: workers first, so that what they send in their last moment is still taken."""
        if child.role != "worker":
            workers = [self._lives[worker] for worker in self._workers if worker in self._lives]
            await asyncio.gather(*(worker.ended for worker in (*workers, *self._leaving)))
        if not await life.end(self._settings.serving.drain_s + 5.0):
            _log.error("%s %d did not stop in time and was killed", child.role, child.index)

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
        A model's first route cannot be decided, or the certificate or the governance policy cannot be used; the message
        says why.
    OSError
        The address cannot be bound.
    """
    configure_logging(settings.log_level, "supervisor")
    settings = _resolved(settings)
    policy = None if settings.governance.policy is None else read_policy(settings.governance.policy)
    scheme = "http" if server_context(settings) is None else "https"
    _seed(settings, policy)
    with ExitStack() as stack:
        public = stack.enter_context(_listener(settings.host, settings.port))
        settings = replace(settings, port=public.getsockname()[1])
        listeners = {"--fd": public}
        if settings.admin_port is not None:
            admin_host = settings.admin_host or settings.host
            listeners["--admin-fd"] = admin = stack.enter_context(_listener(admin_host, settings.admin_port))
            settings = replace(settings, admin_port=admin.getsockname()[1])
            print(f"admin API: {scheme}://{_authority(admin_host, settings.admin_port)}", flush=True)
        if settings.grpc_port is not None:
            held = stack.enter_context(_held(settings.host, settings.grpc_port))
            settings = replace(settings, grpc_port=held.getsockname()[1])
            security = " over TLS" if scheme == "https" else ""
            print(f"gRPC: {_authority(settings.host, settings.grpc_port)}{security}", flush=True)
        governed = None if policy is None else encode_policy(policy)
        for place in remove_abandoned():
            _log.info("removed %s, the run directory of a gateway that was killed", place)
        run_dir = RunDirectory.create(encode_settings(settings), admin_token, governed)
        try:
            print(f"weir serves {settings.models} on {scheme}://{_authority(settings.host, settings.port)}", flush=True)
            asyncio.run(_run(settings, run_dir, listeners))
        finally:
            run_dir.remove()


def _authority(host: str, port: int | None) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _resolved(settings: Settings) -> Settings:
    """Return the settings with paths that mean the same from every working folder."""
    absolute: Settings = _absolute(settings)
    return absolute if is_redis(settings.state) else replace(absolute, state=str(Path(settings.state).resolve()))


def _absolute(value: Any) -> Any:
    if isinstance(value, Path):
        return value.resolve()
    if isinstance(value, tuple):
        return tuple(map(_absolute, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _absolute(getattr(value, each.name)) for each in fields(value)})
    return value


async def _run(settings: Settings, run_dir: RunDirectory, listeners: Mapping[str, socket.socket]) -> None:
    await Supervisor(settings, run_dir, listeners).run()


def _seed(settings: Settings, policy: Policy | None) -> None:
    """Write revision 1 of the route of every model that has none yet.

    Raises
    ------
    gateway.errors.StoreUnavailable
        The store is away, and no route is known from before.
    """
    store = open_store(settings, os.environ)
    try:
        clock = SystemClock()
        folders = ModelFolders(settings.models)
        for problem in folders.problems():
            _log.warning("left aside: %s", problem)
        versions = folders.models()
        if policy is None:
            for model in declaring(folders, versions):
                _log.warning("%s declares a risk tier, and no policy is in force: see governance.policy", model)
        guard = Guard(store, clock, policy)
        seed_routes(
            Ledger(store, clock),
            store,
            clock,
            versions,
            settings.routing.stable,
            clearance=partial(first_clearance, guard, folders),
        )
    except StoreUnavailable as error:
        if not store.read_prefix("route/"):
            raise
        _log.warning("%s; the last known routes are served", error)
    finally:
        store.close()


def _listener(host: str, port: int) -> socket.socket:
    listener = _bound(host, port)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _held(host: str, port: int) -> socket.socket:
    """Hold a port on which each worker listens by itself."""
    holder = _bound(host, port)
    # Only now: bound with this, the port of a stranger who also listens so would be shared instead of refused.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound
