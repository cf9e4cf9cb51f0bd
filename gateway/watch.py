"""The watch process: composition root of monitors, alerts and the metrics page."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette

from gateway.alert_notes import AlertNotes
from gateway.audit.checkpointing import Checkpointer, CheckpointsRefused
from gateway.audit.signing_key import CHECKPOINT_ORIGIN, read_key
from gateway.background import until_next
from gateway.baseline.watching import baseline_reader
from gateway.catalog.bundle import BundleLimits
from gateway.catalog.repository import Repository
from gateway.clock import SystemClock
from gateway.codec.configuration import decode_settings
from gateway.control import Control
from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.evidence_file import EvidenceFile
from gateway.governance.guard import Guard
from gateway.governance.policy import policy_of
from gateway.governance.watching import GrantReader
from gateway.http.told_server import ToldServer
from gateway.http.watch_pages import Pages, watch_pages
from gateway.logs import configure_logging
from gateway.metrics.catalogue import METRICS
from gateway.metrics.derived import (
    Gauge,
    build_gauges,
    fault_totals,
    fleet_gauges,
    lag_gauges,
    route_gauges,
    versions_in_use,
)
from gateway.metrics.exposition import render
from gateway.metrics.lasting import LastingTotals
from gateway.metrics.retention import Retention
from gateway.metrics.shared import SharedCounters
from gateway.metrics.totals import CounterReader, fold_ended, live_workers, read_counters
from gateway.overview import Overview
from gateway.prediction_log.log import PredictionLog
from gateway.process_use import ProcessUse
from gateway.rollout.document import decode_rollout, rollout_key
from gateway.rollout.driver import RolloutDriver
from gateway.rollout.gauges import document_gauges, standing_gauges
from gateway.rollout.recorder import RolloutRecorder
from gateway.rollout.standing import Standing, decode_standing, standing_key
from gateway.rollout.watching import RolloutWatch
from gateway.routing.codec import decode_route
from gateway.routing.watching import route_reader
from gateway.rundir import RunDirectory
from gateway.settings import MonitorSettings, Settings
from gateway.signing.trust import trust_of
from gateway.state.acknowledgements import read_acknowledgements
from gateway.state.alert_store import LedgerAlertStore
from gateway.state.facts import decode_facts
from gateway.state.ledger import Ledger
from gateway.state.opening import open_store, place_on_disk
from gateway.state.pages import read_pages
from gateway.state.reader import DocumentReader
from gateway.state.store import StateStore
from gateway.traffic import TrafficBook
from monitors.detectors.plug_ins import load_choice
from monitors.evidence.budget import Budget
from monitors.paging import Paging
from monitors.records import Alert, Baseline, Failures, ModelRoute, Standstill
from monitors.service import MonitorService
from monitors.thresholds import Thresholds
from monitors.transport.channel import ChannelServer
from monitors.transport.documents import DocumentRefused
from monitors.trials.book import TrialBook

__all__ = ["LoggedAlerts", "MetricsPage", "main", "paging_of", "run_watch", "thresholds_of"]

FOLD_EVERY_S = 5.0
COUNT_PAGES_EVERY_S = 2.0
LONGEST_PAUSE_S = 0.5
STEER_EVERY_S = 0.5
SIGN_EVERY_S = 1.0
SIGN_AGAIN_S = 30
LEAST_SAVE_S = 5.0
"""Evidence is saved no more often; what a crash loses of it only delays a page."""
logger = logging.getLogger(__name__)


def thresholds_of(settings: MonitorSettings) -> Thresholds:
    """Return the settings as the monitors know them."""
    return Thresholds(**{field.name: getattr(settings, field.name) for field in fields(Thresholds)})


def paging_of(settings: MonitorSettings) -> Paging:
    """Return who may page, and how often in vain, as the monitors know it."""
    own = settings.budget
    budget = Budget(own.pages_per_week, own.promise, own.rows_between_false_pages)
    return Paging(budget, own.overrides, settings.page_on, settings.burn_in_s, settings.no_traffic_s)


class MetricsPage:
    """The metrics page: what the workers counted, what the monitors found, what the documents say.

    Parameters
    ----------
    counters
        Folder of the counters of all processes.
    service
        The monitors.
    store
        Routes and announcements.
    totals
        Keeps what the monitors count beyond the life of this process.
    retention
        Which versions the page still shows.
    steering
        Gives what this process knows of rollouts.
    log
        The prediction log, where there is one.
    most_series
        Series that the page may have.
    """

    def __init__(
        self,
        counters: Path,
        service: MonitorService,
        store: StateStore,
        totals: LastingTotals,
        retention: Retention,
        *,
        steering: Callable[[], Iterable[Gauge]],
        log: PredictionLog | None = None,
        most_series: int = 20_000,
    ) -> None:
        self._counters = counters
        self._service = service
        self._store = store
        self._totals = totals
        self._retention = retention
        self._steering = steering
        self._log = log
        self._most_series = most_series
        self._grants = GrantReader(store)

    async def __call__(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type. Files and store are read in a thread, the monitors on the loop."""
        shown = [*self._service.gauges(), *self._steering(), *(self._log.totals() if self._log else ())]
        self._totals.take(total for total in shown if METRICS[total[0]].kind == "counter")
        gauges = [gauge for gauge in shown if METRICS[gauge[0]].kind != "counter"]
        return await asyncio.to_thread(self._render, gauges, accept)

    def _render(self, gauges: list[Gauge], accept: str) -> tuple[bytes, str]:
        series = read_counters(self._counters)
        documented, keeps = self._documented(), self._retention.keeps
        found = [*gauges, *build_gauges(os.environ.get("WEIR_REVISION", "")), *documented]
        kept = [one for one in series if keeps(one.labels)], [gauge for gauge in found if keeps(gauge[1])]
        return render(*kept, accept, most_series=self._most_series)

    def _documented(self) -> list[Gauge]:
        """Return what the store knows; nothing while it is away, so that the rest of the page still answers."""
        try:
            routes = [decode_route(found.body, found.revision) for found in self._store.read_prefix("route/")]
            fleet = [decode_facts(facts) for facts in self._store.announcements().values()]
            records = self._store.head().sequence
            grants = list(self._grants.gauges(time.time(), [route.model for route in routes]))
        except (StoreUnavailable, DocumentInvalid):
            logger.exception("the metrics page goes without routes and fleet")
            return []
        gauges = [gauge for route in routes for gauge in route_gauges(route)]
        self._retention.note(versions_in_use(routes, fleet))
        gauges += lag_gauges(routes, fleet)
        gauges.append(("weir_audit_records_total", {}, float(records)))
        gauges += grants
        return gauges + list(fleet_gauges(live_workers(self._counters), fleet)) + self._rollouts()

    def _rollouts(self) -> list[Gauge]:
        """Return what the store knows of rollouts; nothing where a document of theirs cannot be read."""
        try:
            rollouts = [decode_rollout(found) for found in self._store.read_prefix(rollout_key(""))]
            standings = {rollout.model: Standing() for rollout in rollouts} | {
                found.key.removeprefix(standing_key("")): decode_standing(found)
                for found in self._store.read_prefix(standing_key(""))
            }
        except (StoreUnavailable, DocumentInvalid):
            logger.exception("the metrics page goes without rollouts")
            return []
        gauges = list(document_gauges(rollouts))
        for model, standing in standings.items():
            gauges += standing_gauges(model, standing, time.time())
        return gauges


class LoggedAlerts:
    """Writes every transition of an alert as a line of the log."""

    def publish(self, alert: Alert) -> None:
        """Log one transition."""
        level = logging.WARNING if alert.state in ("warn", "firing") else logging.INFO
        logger.log(level, "alert %s is %s (%s): %s", alert.id, alert.state, alert.severity, alert.summary)


class _InternalServer(ToldServer):
    """A server that leaves signals to the process it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run_watch(
    settings: Settings, run_dir: RunDirectory, stop: asyncio.Event | None = None, *, parent: int
) -> None:
    """Watch until told to stop, or until SIGTERM or SIGINT when no event is given.

    Parameters
    ----------
    settings
        The process tree's settings.
    run_dir
        Holds ``counters/``, and gets ``watch.sock`` and ``watch-http.sock``.
    stop
        Ends the watch when set.
    """
    stop = stop or _stop_on_signal()
    clock = SystemClock()
    store = open_store(settings, os.environ)
    alerts = LedgerAlertStore(store, Ledger(store, clock))
    monitor = settings.monitor
    service = MonitorService(
        thresholds_of(monitor),
        clock,
        paging=paging_of(monitor),
        store=alerts,
        sinks=[LoggedAlerts()],
        choice=load_choice(monitor.detectors, monitor.model_detectors),
    )
    place = place_on_disk(settings)
    file = EvidenceFile(place.with_name(place.name + ".evidence.json"))
    _restore(service, file)
    log = _prediction_log(settings, run_dir, clock)
    name = f"watch-{os.getpid()}-{secrets.token_hex(2)}"
    policy = policy_of(run_dir.policy())
    guard = Guard(store, clock, policy)
    rollouts = _rollout_watch(settings, run_dir, store, service, clock, name, guard)
    checkpointer = _checkpointer(settings, store, clock)
    channel = ChannelServer(run_dir.watch_socket, _receiver(service, rollouts, log))
    counters = SharedCounters.create(run_dir.counters, name, role="watch")
    page = MetricsPage(
        run_dir.counters,
        service,
        store,
        LastingTotals(counters),
        Retention(clock),
        steering=lambda: (*rollouts.gauges(), *(checkpointer.gauges() if checkpointer else ())),
        log=log,
        most_series=settings.metrics.series,
    )
    use = ProcessUse(counters, "watch")
    notes, traffic = AlertNotes(), TrafficBook(clock)
    repository = Repository(settings.models, limits=BundleLimits(), trust=trust_of(settings.signing))
    _warn_of_unknown(monitor, repository)
    control = Control(Ledger(store, clock), store, clock, repository=repository, policy=policy)
    overview = Overview(control, service, traffic, clock, show_alert=notes.view)
    pages = Pages(service, page, rollouts.view, rollouts.take_outcomes, overview, traffic.history, notes.view)
    server = _internal_server(watch_pages(pages), run_dir.watch_http_socket)
    try:
        await channel.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(), name="watch pages")
            tasks.create_task(_keep_folding(run_dir.counters, use, stop), name="fold counters")
            tasks.create_task(_keep_steering(rollouts, stop), name="steer rollouts")
            if checkpointer is not None:
                tasks.create_task(_keep_signing(checkpointer, stop), name="sign checkpoints")
            tasks.create_task(_keep_counting_pages(store, service, notes, stop), name="count pages")
            readers = baseline_reader(store), route_reader(store)
            await _keep_ticking(service, traffic, *readers, run_dir.counters, file, stop, parent)
            stop.set()
            server.stop()
    finally:
        await channel.close()
        await asyncio.to_thread(file.save, service.state())
        if log is not None:
            await asyncio.to_thread(log.close)
        counters.close()
        store.close()


def _warn_of_unknown(monitor: MonitorSettings, repository: Repository) -> None:
    """Say which models are to have traffic but are not there: a misspelt name would never page."""
    unknown = sorted(monitor.no_traffic_s.keys() - repository.models().keys()) if monitor.no_traffic_s else []
    if unknown:
        logger.warning(
            "monitor.no_traffic_s: no folder of models holds a version of %s, so missing traffic cannot page; "
            "correct the name, or put the model there",
            ", ".join(unknown),
        )


def _prediction_log(settings: Settings, run_dir: RunDirectory, clock: SystemClock) -> PredictionLog | None:
    if settings.prediction_log.path is None:
        return None
    log = PredictionLog(settings.prediction_log, clock, salt=run_dir.key_salt())
    log.start()
    return log


def _checkpointer(settings: Settings, store: StateStore, clock: SystemClock) -> Checkpointer | None:
    audit = settings.audit
    if audit.checkpoints is None or audit.checkpoint_key is None:
        return None
    key = read_key(audit.checkpoint_key, CHECKPOINT_ORIGIN)
    most, longest_s = audit.checkpoint_records, audit.checkpoint_s
    return Checkpointer(store, key, audit.checkpoints, clock, most_records=most, longest_s=longest_s)


def _rollout_watch(
    settings: Settings,
    run_dir: RunDirectory,
    store: StateStore,
    service: MonitorService,
    clock: SystemClock,
    name: str,
    guard: Guard,
) -> RolloutWatch:
    recorder = RolloutRecorder(store, Ledger(store, clock), clock)
    holder = f"{socket.gethostname()}-{name}"
    slow_s = settings.serving.canary_slice_ms / 1e3
    driver = RolloutDriver(store, recorder, clock, holder=holder, slow_s=slow_s, guard=guard)
    read_series = partial(read_counters, run_dir.counters)
    return RolloutWatch(driver, TrialBook(), clock, read_series=read_series, alerts=service.alerts)


def _receiver(service: MonitorService, rollouts: RolloutWatch, log: PredictionLog | None) -> Callable[[object], None]:
    """Return who takes what the channels bring: the monitors, the rollouts, and the log beside them."""

    def receive(record: object) -> None:
        if log is not None:
            log.take(record)
        rollouts.receive(record)
        if not isinstance(record, Failures | Standstill):
            service.receive(record)

    return receive


def _stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _internal_server(app: Starlette, path: Path) -> _InternalServer:
    path.unlink(missing_ok=True)
    config = uvicorn.Config(
        app,
        uds=str(path),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=2,
    )
    return _InternalServer(config)


def _restore(service: MonitorService, file: EvidenceFile) -> None:
    text = file.load()
    if text is None:
        return
    try:
        service.restore(text)
    except DocumentRefused as refused:
        logger.error("%s is not used, evidence begins anew: %s", file.path, refused)


async def _keep_ticking(
    service: MonitorService,
    traffic: TrafficBook,
    baselines: DocumentReader[Baseline],
    routes: DocumentReader[ModelRoute],
    counters: Path,
    file: EvidenceFile,
    stop: asyncio.Event,
    parent: int,
) -> None:
    """Tick until told to stop, or until the supervisor is gone; save the evidence after each tick judged."""
    saved_s, reader = 0.0, CounterReader(counters)
    pause_s = min(service.thresholds.tick_s / 4.0, LONGEST_PAUSE_S)
    while os.getppid() == parent and not await _is_set(stop, pause_s):
        accepted, known, series = await asyncio.to_thread(lambda: (baselines.read(), routes.read(), reader.read()))
        service.accept(accepted)
        service.take_routes(known)
        for unread in service.unread():
            service.learn(unread, await asyncio.to_thread(unread.read))
        traffic.take(series)
        service.take_faults(fault_totals(series))
        service.tick()
        if service.judged_until_s >= saved_s + max(service.thresholds.tick_s, LEAST_SAVE_S):
            saved_s = service.judged_until_s
            await asyncio.to_thread(file.save, service.state())


async def _keep_steering(rollouts: RolloutWatch, stop: asyncio.Event) -> None:
    while not await _is_set(stop, STEER_EVERY_S):
        await rollouts.tick()


async def _keep_signing(checkpointer: Checkpointer, stop: asyncio.Event) -> None:
    """Write checkpoints until the log does not fit any more: nothing may be signed then before somebody has looked."""
    while not await _is_set(stop, SIGN_EVERY_S):
        try:
            await asyncio.to_thread(checkpointer.tick)
        except CheckpointsRefused as refused:
            logger.error("no checkpoints are written from now on: %s", refused)
            return
        except (StoreUnavailable, OSError):
            logger.exception("no checkpoint could be written; trying again in %d s", SIGN_AGAIN_S)
            await _is_set(stop, SIGN_AGAIN_S)


async def _keep_counting_pages(
    store: StateStore, service: MonitorService, notes: AlertNotes, stop: asyncio.Event
) -> None:
    """Read the pages and acknowledgements now and then: operators write them through a worker."""
    while True:
        try:
            pages, acknowledged = await asyncio.to_thread(lambda: (read_pages(store), read_acknowledgements(store)))
            service.take_pages(pages)
            notes.take(acknowledged, pages)
        except (StoreUnavailable, DocumentInvalid):
            logger.exception("the pages cannot be read")
        if await _is_set(stop, COUNT_PAGES_EVERY_S):
            return


async def _keep_folding(counters: Path, use: ProcessUse, stop: asyncio.Event) -> None:
    use.note()
    while not await _is_set(stop, FOLD_EVERY_S):
        use.note()
        await asyncio.to_thread(fold_ended, counters)


async def _is_set(event: asyncio.Event, period_s: float) -> bool:
    """Wait for the event, at most to the next multiple of a period: who waits for the same one wakes together."""
    try:
        async with asyncio.timeout(until_next(asyncio.get_running_loop().time(), period_s)):
            return await event.wait()
    except TimeoutError:
        return False


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the watch of a run directory."""
    parser = argparse.ArgumentParser(prog="python -m gateway.watch", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="run directory of the process tree")
    parser.add_argument("--parent", type=int, required=True, help="process id of the supervisor")
    given = parser.parse_args(arguments)
    run_dir = RunDirectory(given.run_dir)
    settings = decode_settings(run_dir.settings_file.read_bytes())
    configure_logging(settings.log_level, "watch")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_watch(settings, run_dir, parent=given.parent))


if __name__ == "__main__":
    main()
