"""Composition root of a serving worker: ``python -m gateway.app --run-dir DIR --worker NAME --fd N --beat-fd N``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as distribution_version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from gateway.admission.door import Door
from gateway.admission.gate import WINDOW_S, Gate
from gateway.admission.gate_metrics import GateMetrics
from gateway.admission.limit import ConcurrencyLimit
from gateway.admission.waking import Waking
from gateway.apply_delay import ApplyDelay
from gateway.arms import ArmKeeper
from gateway.background import Background
from gateway.catalog.bundle import BundleLimits
from gateway.catalog.digests import DigestRegister
from gateway.catalog.repository import Repository
from gateway.catalog.residency import wanted_versions
from gateway.clock import SystemClock
from gateway.codec.configuration import decode_settings
from gateway.commands.reference_hints import hints_of
from gateway.control import Control
from gateway.crash_marks import CrashMarks, marked_loader
from gateway.crashes import CrashFile
from gateway.failure_feed import FailureFeed
from gateway.governance.declared import DeclaredRegister
from gateway.governance.policy import policy_of
from gateway.heartbeat import BEAT_EVERY_S, Heartbeat
from gateway.http.access_log import ACCESS
from gateway.http.admin_access import ControlAccess
from gateway.http.auth import BearerToken
from gateway.http.credentials import Credentials
from gateway.http.draining import CompanionServer, DrainingServer
from gateway.http.issuer import open_issuer
from gateway.http.probes import Readiness
from gateway.http.request_counts import RequestCounts
from gateway.http.router import build_router
from gateway.http.sessions import Sessions, SignedOut
from gateway.http.sign_in_throttle import SignInThrottle
from gateway.http.watch_proxy import WatchProxy
from gateway.http.ways_in import Front, WaysIn
from gateway.loading import version_loader
from gateway.logs import LineWriter, configure_logging
from gateway.metrics.shared import SharedCounters
from gateway.metrics.totals import read_counters
from gateway.observers import Observers
from gateway.pipeline import Pipeline
from gateway.process_use import ProcessUse
from gateway.publishing import Publisher
from gateway.resting import RestKeeper
from gateway.roster import Roster
from gateway.rundir import RunDirectory
from gateway.settings import Settings
from gateway.shadow_feed import ShadowFeed
from gateway.shadow_jobs import pack_jobs
from gateway.signing.trust import trust_of
from gateway.standstill_feed import StandstillFeed
from gateway.state.address import is_redis
from gateway.state.hints import HintListener
from gateway.state.ledger import Ledger
from gateway.state.opening import open_hints, open_store
from gateway.tap import Tap
from gateway.tls import server_context
from gateway.types import Actor
from monitors.evidence.acceptance import refusal_of_text
from monitors.ports import Clock
from monitors.records import Observation
from monitors.transport.channel import ChannelSender
from monitors.transport.frames import encode_frame
from monitors.trials.tripwire import KeyTripwire

if TYPE_CHECKING:
    from gateway.grpc.server import GrpcServer
    from gateway.tracing.tracing import Tracing

__all__ = ["Worker", "main"]

_CHANNEL_BYTES = 8 * 1024 * 1024
_START_PATIENCE_S = 15.0
_FAILURES_PER_S = 20
_MOST_HOSTS = 16  # that are taken to share the tripwires' error probability where the state is in Redis
_YOUNG_OBJECTS = 10_000
_SHADOW_FLUSH_S = 0.02
_SAMPLED_WINDOWS = 3
"""Of a tenth of a second each: a frame of samples wakes the watch, which empties a worker's caches on the same core."""
_ISSUER_LOOK_S = 0.5


class Worker:
    """The object graph of one worker, and the order of its start and stop."""

    def __init__(self, settings: Settings, run_dir: RunDirectory, name: str, loop: asyncio.AbstractEventLoop) -> None:
        clock = SystemClock()
        self._settings = settings
        self._counters = SharedCounters.create(run_dir.counters, name, role="worker", capacity=65_536)
        self._store = open_store(settings, os.environ)
        self._is_hinted = asyncio.Event()
        hints = open_hints(settings, os.environ)
        self._hints = HintListener(hints, partial(loop.call_soon_threadsafe, self._is_hinted.set)) if hints else None
        ledger = Ledger(self._store, clock)
        limits = BundleLimits(external_data_bytes=settings.serving.external_data_bytes)
        policy = policy_of(run_dir.policy())
        trust = trust_of(settings.signing, policy)
        repository = Repository(settings.models, limits=limits, trust=trust)
        register = DigestRegister(ledger, self._store)
        declared = None if policy is None else DeclaredRegister(ledger, self._store)
        actor = Actor(name, "system", "process")
        self._watch = ChannelSender(run_dir.watch_socket, limit_bytes=_CHANNEL_BYTES, on_connect=self._introductions)
        self._shadow = ChannelSender(run_dir.shadow_socket, limit_bytes=_CHANNEL_BYTES)
        self._tap = Tap(
            self._watch,
            _encode_observation,
            self._counters,
            clock,
            worker=name,
            rows_per_s=settings.monitor.rows_per_s,
            key_salt=run_dir.key_salt(),
        )
        self._windows = 0
        self._failures = self._failure_feed(run_dir, name, clock)
        self._standstills = StandstillFeed(self._watch, encode_frame, clock, worker=name, every_s=WINDOW_S)
        self._feed = ShadowFeed(
            self._shadow,
            lambda jobs: encode_frame(pack_jobs(jobs)),
            self._counters,
            clock,
            soon=partial(loop.call_later, _SHADOW_FLUSH_S),
        )
        self._marks = CrashMarks(run_dir.marks, name)
        hosts = _MOST_HOSTS if is_redis(settings.state) else 1
        tripwires = partial(KeyTripwire, settings.workers * hosts)
        admission = settings.admission
        limit = ConcurrencyLimit(latency_target_s=admission.latency_target_ms / 1e3, most=admission.max_in_flight)
        self._gate = Gate(limit, now_s=perf_counter())
        self._gate_metrics = GateMetrics(self._gate, self._counters)
        crashes = CrashFile(run_dir.crashed_file)
        self._keeper = ArmKeeper(
            loop,
            self._counters,
            settings,
            tripwires=tripwires,
            keeps=self._standstills.keep,
            marks=self._marks,
            marks_stable=crashes.has_riddle,
            traffic=self._gate,
        )
        self._waking = Waking()
        self._pipeline = Pipeline(
            Observers(self._counters, self._tap, self._feed, self._gate, self._failures),
            gate=self._gate,
            queue_rows=settings.limits.queue_rows,
            timeout_s=settings.limits.request_timeout_s,
        )
        serving = settings.serving
        self._rest = RestKeeper(
            clock,
            budget_bytes=serving.memory_budget_mb << 20,
            idle_ttl_s=serving.idle_ttl_s,
            uses=self._keeper.uses,
        )
        self._publisher = Publisher(
            self._pipeline,
            self._keeper,
            self._tap,
            self._rest,
            self._counters,
            ApplyDelay(self._counters, clock),
            introduce=lambda servable: encode_frame(servable.info),
            tell_watch=self._watch.send,
        )
        self._roster = Roster(
            self._store,
            repository,
            clock,
            worker=name,
            pid=os.getpid(),
            scan_s=settings.serving.scan_s,
            load=marked_loader(
                version_loader(settings, repository, register, actor, self._counters, hints_of, declared),
                self._marks,
            ),
            crashed=crashes.look,
            wanted=lambda on_disk, route, residency: wanted_versions(
                on_disk, route, residency, limit=settings.serving.resident_versions
            ),
            publish=self._publisher.publish,
            rest=self._rest if serving.memory_budget_mb or serving.idle_ttl_s else None,
        )
        self.readiness = Readiness(
            self._pipeline,
            is_settled=lambda: self._roster.is_settled,
            store_is_up=lambda: self._roster.store_is_up,
            unreadable=lambda: self._roster.unreadable,
        )
        self._proxy = WatchProxy(run_dir.watch_http_socket)
        control = Control(
            ledger,
            self._store,
            clock,
            repository=repository,
            loaded=self._roster.find,
            refusal_of_text=refusal_of_text,
            policy=policy,
        )
        oidc = settings.auth.oidc
        self._issued = None if oidc.issuer is None else open_issuer(oidc, oidc.issuer, clock)
        authenticate = BearerToken(
            run_dir.admin_token(),
            throttle=SignInThrottle(clock, self._counters),
            tokens=lambda: self._roster.tokens,
            issued=None if self._issued is None else self._issued.caller,
            clock=clock,
        )
        sessions = Sessions(run_dir.admin_token(), SignedOut(run_dir.signed_out), clock)
        router_of = partial(
            build_router,
            self._pipeline,
            self.readiness,
            control,
            self._roster.call,
            self._proxy,
            credentials=Credentials(authenticate, sessions),
            counters=run_dir.counters,
            product_version=distribution_version("weir"),
        )
        door = Door(admission, self._counters)
        self._tracing = None if settings.tracing.endpoint is None else self._open_tracing(name)
        self.grpc = None if settings.grpc_port is None else self._grpc_server(door, control, authenticate, run_dir)
        self.ways_in = WaysIn.build(
            settings, self._pipeline, door, RequestCounts(self._counters), router_of, tracing=self._tracing
        )
        dropped = self._counters.counter("weir_access_log_dropped_total")
        self._access = LineWriter(ACCESS, dropped.inc) if settings.access_log else None
        self._background = Background()
        self._use = ProcessUse(self._counters, "worker")

    def _grpc_server(
        self, door: Door, control: Control, authenticate: BearerToken, run_dir: RunDirectory
    ) -> GrpcServer:
        # gRPC's core writes lines of its own form on standard error, one at each end; who wants them sets the variable.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from gateway.grpc.building import build_server  # its packages are an extra

        return build_server(
            self._settings,
            self._pipeline,
            door,
            self.readiness,
            self._counters,
            access=ControlAccess(control, self._roster.call),
            authenticate=authenticate.caller,
            read_series=lambda: self._roster.call(read_counters, run_dir.counters),
            product_version=distribution_version("weir"),
            tracing=self._tracing,
        )

    def _open_tracing(self, name: str) -> Tracing:
        from gateway.tracing.opening import open_tracing  # its packages are an extra

        version = distribution_version("weir")
        return open_tracing(self._settings.tracing, self._counters, process=name, product_version=version)

    def _failure_feed(self, run_dir: RunDirectory, name: str, clock: Clock) -> FailureFeed:
        """Return what brings failures to rollouts and to the prediction log."""
        return FailureFeed(
            self._watch,
            lambda block: encode_frame(block),
            self._counters,
            clock,
            worker=name,
            key_salt=run_dir.key_salt(),
            per_s=max(_FAILURES_PER_S, self._settings.prediction_log.failures_per_s),
        )

    def _flush(self, *, sampled: bool) -> None:
        self._standstills.tick()
        self._failures.flush()
        if sampled:
            self._tap.flush()

    async def start(self, parent: int) -> None:
        """Load what the routes need, then keep in step with the store; not for long where the supervisor is gone.

        A worker that takes long over it begins to answer meanwhile, with what it has: probes, models that are loaded.
        """
        self._watch.start()
        self._shadow.start()
        patience = asyncio.get_running_loop().time() + _START_PATIENCE_S
        while not self._roster.is_settled and asyncio.get_running_loop().time() < patience and os.getppid() == parent:
            await self._roster.tick()
            await asyncio.sleep(0.01)
        await self._roster.tick()
        if self._hints is not None:
            self._hints.start()
        background = self._background
        background.every(self._settings.serving.refresh_ms / 1e3, self._tick, name="roster", hint=self._is_hinted)
        if self._issued is not None:
            background.every(_ISSUER_LOOK_S, self._issued.keys.tick, name="issuer")
        background.every(lambda: self._gate.pause_s, self._tick_gate, name="gate and tap")

    async def drain(self) -> None:
        """Say that this worker is about to stop: readiness first."""
        self.readiness.draining = self._roster.draining = True
        await self._roster.announce()
        if self.grpc is not None:
            self.grpc.drain()

    async def stop(self) -> None:
        """End in the reverse order of the start; what the channels hold is sent if they take it at once."""
        if self._hints is not None:
            self._hints.close()
        await self._background.stop()
        self._flush(sampled=True)
        self._feed.flush()
        await self._watch.close()
        await self._shadow.close()
        await self._proxy.close()
        await self._roster.close()
        self._keeper.close()
        self._store.close()
        self._marks.close()
        if self._tracing is not None:
            await self._tracing.close()
        if self._access is not None:
            self._access.close()

    def _tick_gate(self) -> None:
        if self._gate.tick(perf_counter()):
            self._gate_metrics.publish()
            self._waking.follow(self._gate.is_shedding)
            self._windows += 1
            self._flush(sampled=self._windows % _SAMPLED_WINDOWS == 0)

    async def _tick(self) -> None:
        await self._roster.tick()
        self._counters.gauge("weir_store_away_workers").set(not self._roster.store_is_up)
        self._publisher.show_queues()
        self._use.note()

    def _introductions(self) -> Iterable[bytes]:
        return self._publisher.introductions()


def _encode_observation(observation: Observation) -> bytes:
    return encode_frame(observation)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the supervisor opened: the listening sockets and the pipe for the heartbeat; and its process id."""

    public: socket.socket
    admin: socket.socket | None
    heartbeat: Heartbeat
    parent: int


async def serve(settings: Settings, run_dir: RunDirectory, name: str, inherited: Inherited) -> None:
    """Run one worker until it is told to stop."""
    heartbeat = inherited.heartbeat
    heartbeat.beat(is_ready=None)
    worker = Worker(settings, run_dir, name, asyncio.get_running_loop())
    config_of = partial(_server_config, settings, server_context(settings))
    public, admin = worker.ways_in.public, worker.ways_in.admin
    server = DrainingServer(config_of(public.asgi, public.protocol), worker.drain)

    def beat() -> None:
        heartbeat.beat(is_ready=not worker.readiness.reasons() if server.started else None)
        if os.getppid() != inherited.parent:
            server.stop()

    beating = Background()
    beating.every(BEAT_EVERY_S, beat, name="heartbeat")
    try:
        await worker.start(inherited.parent)
        _collect_less()
        async with AsyncExitStack() as stack:
            if inherited.admin is not None and admin is not None:
                companion = CompanionServer(config_of(admin.asgi, admin.protocol))
                await stack.enter_async_context(companion.standing(inherited.admin))
            if worker.grpc is not None:
                await stack.enter_async_context(worker.grpc.standing())
            await server.serve(sockets=[inherited.public])
    finally:
        await worker.stop()
        await beating.stop()


def _collect_less() -> None:
    """Let the collector pass over what stays, and look less often at what requests leave: 4 % of a request's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def _server_config(
    settings: Settings, context: ssl.SSLContext | None, asgi: Front, protocol: type[asyncio.Protocol]
) -> uvicorn.Config:
    return uvicorn.Config(
        asgi,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(settings.serving.drain_s)),
    )


def main() -> None:
    """Read the arguments that the supervisor passes, and serve."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # where a whole group gets it, only the supervisor is meant
    parser = argparse.ArgumentParser(prog="weir-worker")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--admin-fd", type=int)
    parser.add_argument("--beat-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    run_dir = RunDirectory(arguments.run_dir)
    settings = decode_settings(run_dir.settings_file.read_bytes())
    configure_logging(settings.log_level, arguments.worker)
    admin = None if arguments.admin_fd is None else socket.socket(fileno=arguments.admin_fd)
    inherited = Inherited(socket.socket(fileno=arguments.fd), admin, Heartbeat(arguments.beat_fd), arguments.parent)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, run_dir, arguments.worker, inherited))
    logging.shutdown()
    os._exit(0)  # a run or a load that hangs in its thread must not hold up the end


if __name__ == "__main__":
    main()
