"""Composition root of the shadow process: ``python -m gateway.shadow --run-dir DIR --worker NAME``.

It runs the shadow versions on the requests that stable answered, compares, and tells the watch. It may crash or hang:
nothing waits for it. What arrives faster than it can run is dropped and counted.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import uvloop

from gateway.batching.own_thread import OwnThread, Patience, patience_s
from gateway.catalog.bundle import BundleLimits
from gateway.catalog.digests import DigestRegister
from gateway.catalog.repository import Repository
from gateway.catalog.residency import shadow_versions
from gateway.clock import SystemClock
from gateway.codec.configuration import decode_settings
from gateway.commands.reference_hints import hints_of
from gateway.crash_marks import CrashMarks, Mark, marked_loader
from gateway.crashes import CrashFile
from gateway.engine.session import RunFailed, RunHandle
from gateway.engine.version import ServableVersion
from gateway.errors import WeirError
from gateway.gently import set_aside
from gateway.governance.policy import policy_of
from gateway.loading import version_loader
from gateway.logs import configure_logging
from gateway.metrics.catalogue import METRICS
from gateway.metrics.shared import SharedCounters
from gateway.process_use import ProcessUse
from gateway.residents import Residents
from gateway.roster import Roster
from gateway.routing.document import RouteDocument
from gateway.rundir import RunDirectory
from gateway.settings import Settings
from gateway.shadow_jobs import ShadowJob, unpack_jobs
from gateway.shadow_runner import ParseGrpc, ShadowResult, ShadowRunner
from gateway.signing.trust import trust_of
from gateway.state.ledger import Ledger
from gateway.state.opening import open_store
from gateway.types import Actor
from monitors.transport.channel import ChannelSender, ChannelServer
from monitors.transport.frames import Record, encode_frame

__all__ = ["ShadowProcess", "main"]

_CHANNEL_BYTES = 8 * 1024 * 1024
_WAITING_JOBS = 4096
_log = logging.getLogger("weir.shadow")
Name = tuple[str, str]


class ShadowProcess:
    """The object graph of the shadow process. One thread runs the models, one at a time.

    A step that fails unexpectedly ends the process with its traceback in the log; the supervisor starts another.
    """

    def __init__(self, settings: Settings, run_dir: RunDirectory, name: str) -> None:
        clock = SystemClock()
        self._settings, self._name = settings, name
        self._parse_grpc = None if settings.grpc_port is None else _grpc_parser()
        self._counters = SharedCounters.create(run_dir.counters, name, role="shadow")
        self._marks = CrashMarks(run_dir.marks, name)
        self._store = open_store(settings, os.environ)
        limits = BundleLimits(external_data_bytes=settings.serving.external_data_bytes)
        trust = trust_of(settings.signing, policy_of(run_dir.policy()))
        repository = Repository(settings.models, limits=limits, trust=trust)
        register = DigestRegister(Ledger(self._store, clock), self._store)
        actor = Actor(name, "system", "process")
        self._roster = Roster(
            self._store,
            repository,
            clock,
            worker=name,
            pid=os.getpid(),
            load=marked_loader(
                version_loader(settings, repository, register, actor, self._counters, hints_of), self._marks
            ),
            crashed=CrashFile(run_dir.crashed_file).look,
            wanted=lambda _on_disk, route, _residency: shadow_versions(route),
            publish=self._publish,
        )
        self._watch = ChannelSender(run_dir.watch_socket, limit_bytes=_CHANNEL_BYTES, on_connect=self._introductions)
        self._intake = ChannelServer(run_dir.shadow_socket, self._receive)
        self._thread = OwnThread("weir-shadow", set_aside)
        self._runners: dict[Name, ShadowRunner] = {}
        self._loaded: Mapping[Name, ServableVersion] = {}
        self._residents = Residents(self._counters)
        self._use = ProcessUse(self._counters, "shadow")
        self._jobs: deque[ShadowJob] = deque()
        self._arrived = asyncio.Event()

    async def run(self, parent: int) -> None:
        """Run until SIGTERM or SIGINT, or until the supervisor, whose process id it is, is gone."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self._watch.start()
        await self._intake.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self._keep_in_step(stop, parent), name="roster"),
                    tasks.create_task(self._keep_running(), name="runs"),
                ]
                await stop.wait()
                for task in running:
                    task.cancel()
        finally:
            await self._intake.close()
            await self._watch.close()
            await self._roster.close()
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._store.close()
            self._marks.close()

    async def _keep_in_step(self, stop: asyncio.Event, parent: int) -> None:
        while os.getppid() == parent:
            try:
                await self._roster.tick()
                self._use.note()
            except Exception:
                _log.exception("a roster step failed; it will be tried again")
            await asyncio.sleep(self._settings.serving.refresh_ms / 1e3)
        stop.set()

    def _receive(self, record: Record) -> None:
        if not isinstance(record, dict):
            return
        for job in unpack_jobs(record):
            if len(self._jobs) >= _WAITING_JOBS:
                self._count(job, job.shadows, "dropped")
            else:
                self._jobs.append(job)
        self._arrived.set()

    async def _keep_running(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._jobs:
                job = self._jobs.popleft()
                for version in job.shadows:
                    runner = self._runners.get((job.model, version))
                    if runner is None:
                        self._count(job, [version], "dropped")
                        continue
                    mark = self._marks.mark(job.model, version, "shadow")
                    self._tell(job, version, await self._run(runner, job, mark))

    async def _run(self, runner: ShadowRunner, job: ShadowJob, mark: Mark) -> ShadowResult | None:
        """Run a job in the thread. One that hangs has no part of a busy core after a moment, and an end."""
        loop, handle = asyncio.get_running_loop(), RunHandle()
        end = loop.call_later(self._settings.limits.request_timeout_s, handle.terminate)
        patience = Patience(loop, self._thread, patience_s(runner.expected_s(job)))
        result = await loop.run_in_executor(self._thread, _attempt, runner, job, handle, mark)
        end.cancel()
        patience.end()
        return result

    def _tell(self, job: ShadowJob, version: str, result: ShadowResult | None) -> None:
        if result is None:
            self._count(job, [version], "error")
            return
        self._count(job, [version], "agree" if result.comparison.agrees_n.all() else "disagree")
        self._watch.send(encode_frame(result.observation))
        self._watch.send(encode_frame(result.comparison))

    def _count(self, job: ShadowJob, versions: Iterable[str], result: str) -> None:
        for version in versions:
            self._counters.counter("weir_shadow_requests_total", model=job.model, version=version, result=result).inc()

    def _publish(
        self, routes: Mapping[str, RouteDocument], loaded: Mapping[Name, ServableVersion]
    ) -> Mapping[str, int]:
        limits = self._settings.limits
        kept = {name: self._runners[name] for name in loaded if self._loaded.get(name) is loaded[name]}
        fresh = {
            name: ShadowRunner(loaded[name], limits, self._name, parse_grpc=self._parse_grpc)
            for name in loaded
            if name not in kept
        }
        self._runners, self._loaded = kept | fresh, loaded
        self._residents.show(loaded)
        for name in fresh:
            self._watch.send(encode_frame(loaded[name].info))
            self._show_zeros(*name)
        return {model: route.revision for model, route in routes.items()}

    def _show_zeros(self, model: str, version: str) -> None:
        """Bind every counter of a version: a rate needs the value from before the first event."""
        for result in METRICS["weir_shadow_requests_total"].values["result"]:
            self._counters.counter("weir_shadow_requests_total", model=model, version=version, result=result)

    def _introductions(self) -> Iterable[bytes]:
        return [encode_frame(servable.info) for servable in self._loaded.values()]


def _grpc_parser() -> ParseGrpc:
    from gateway.grpc.reading import parse_request  # its packages are an extra

    return parse_request


def _attempt(runner: ShadowRunner, job: ShadowJob, handle: RunHandle, mark: Mark) -> ShadowResult | None:
    try:
        with mark:
            return runner.run(job, handle)
    except (WeirError, RunFailed, ValueError) as error:
        _log.debug("shadow failed on %s: %s", job.request_id, error)
        return None


async def _main(settings: Settings, run_dir: RunDirectory, name: str, parent: int) -> None:
    await ShadowProcess(settings, run_dir, name).run(parent)


def main() -> None:
    """Read the arguments that the supervisor passes, and run."""
    parser = argparse.ArgumentParser(prog="python -m gateway.shadow", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="run directory of the process tree")
    parser.add_argument("--worker", required=True, help="name of this process, unique over restarts")
    parser.add_argument("--parent", type=int, required=True, help="process id of the supervisor")
    arguments = parser.parse_args()
    run_dir = RunDirectory(arguments.run_dir)
    settings = decode_settings(run_dir.settings_file.read_bytes())
    configure_logging(settings.log_level, arguments.worker)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(settings, run_dir, arguments.worker, arguments.parent))
    logging.shutdown()
    os._exit(0)  # a run that hangs in its thread must not hold up the end


if __name__ == "__main__":
    main()
