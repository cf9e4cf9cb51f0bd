"""From loaded versions and route documents to the route table: arms are made once and kept while their role lasts."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakSet

from gateway.arm import Arm, ArmMetrics
from gateway.batching.jobs import Runnable
from gateway.batching.lane import Lane
from gateway.batching.own_thread import OwnThread
from gateway.batching.sizing import BatchSizer
from gateway.batching.solitude import Solitude, Traffic
from gateway.call import Call, deliver
from gateway.codec.decoders import Decoders
from gateway.crash_marks import CrashMarks, MarkedVersion
from gateway.engine.constant import ConstantRefused, constant_version
from gateway.engine.threads import cores_of_one_worker
from gateway.engine.version import ServableVersion
from gateway.metrics.catalogue import METRICS
from gateway.metrics.shared import SharedCounters
from gateway.resting import RestKeeper
from gateway.routing.document import RouteDocument, Stop
from gateway.routing.table import ModelRoute, RouteTable, ShadowSample
from gateway.settings import Settings
from monitors.ports import Tripwire
from monitors.records import Variant

__all__ = ["ArmKeeper"]

Name = tuple[str, str]
_log = logging.getLogger("weir.routes")


def _untold(_model: str, _version: str, _seconds: float, _ended_ago_s: float) -> None:
    """Tell nobody."""


class ArmKeeper:
    """Makes arms and tables. Lives on the event loop; owns the executors that heavy runs happen in.

    A canary has an executor of its own and never runs on the loop, since ONNX Runtime cannot be preempted there. So has
    every pinned version: one that hangs takes nobody else's thread. The thread ends with the arm. ``tripwires``
    makes the tripwire of a canary. ``keeps`` is told of which model which version waited for a thread, how many seconds
    and how many seconds ago that ended. ``marks_stable`` marks the runs of stable versions too, where a process
    crashed. ``traffic`` is what tells that all requests are a version's own, whose runs may hold the loop for longer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        counters: SharedCounters,
        settings: Settings,
        *,
        tripwires: Callable[[], Tripwire],
        keeps: Callable[[str, str, float, float], None] = _untold,
        marks: CrashMarks | None = None,
        marks_stable: bool = False,
        traffic: Traffic | None = None,
    ) -> None:
        self._loop, self._counters, self._settings, self._marks = loop, counters, settings, marks
        self._marks_stable, self._traffic = marks_stable, traffic
        self._tripwires, self._keeps = tripwires, keeps
        cores = cores_of_one_worker(settings.workers)
        threads = settings.serving.threads or cores
        # Two at least: a long run of one model must not make a short one of another wait for its end.
        self._stable_pool = ThreadPoolExecutor(max(2, threads), thread_name_prefix="weir-stable")
        self._has_one_core = cores == 1
        self._executors: WeakSet[Executor] = WeakSet([self._stable_pool])
        self._arms: dict[tuple[str, str, str, Variant, bool], Arm] = {}
        self._routes: dict[str, ModelRoute] = {}
        self._rest: RestKeeper | None = None

    def build(
        self,
        documents: Mapping[str, RouteDocument],
        loaded: Mapping[Name, ServableVersion],
        rest: RestKeeper | None = None,
    ) -> RouteTable:
        """Return the table of all models; a model whose new stable is not loaded yet keeps its present route.

        Versions that rest on disk are woken by requests: a stable one by any of its model's, others by those that name
        them.
        """
        self._rest = rest
        self._routes = {model: self._woken(self._route(document, loaded)) for model, document in documents.items()}
        self._forget(set(loaded.values()))
        default = self._settings.routing.default_model
        if default is None and len(self._routes) == 1:
            default = next(iter(self._routes))
        return RouteTable(dict(self._routes), default)

    def uses(self) -> dict[Name, int]:
        """Return how many requests each version with an arm has taken."""
        found: Counter[Name] = Counter()
        for arm in self._arms.values():
            found[arm.model, arm.version] += arm.metrics.taken
        return found

    def arms(self) -> set[Arm]:
        """Return every arm in use."""
        return set(self._arms.values())

    def close(self) -> None:
        """End the executors without waiting for a run that hangs."""
        for executor in list(self._executors):
            executor.shutdown(wait=False, cancel_futures=True)

    def _route(self, document: RouteDocument, loaded: Mapping[Name, ServableVersion]) -> ModelRoute:
        model = document.model
        present = self._routes.get(model)
        if document.stop is not None:
            return self._stopped(document, document.stop, loaded)
        stable = loaded.get((model, document.stable))
        versions = {version: servable for (name, version), servable in loaded.items() if name == model}
        pinned = _PinnedArms(self, versions, document.stable)
        if stable is None:
            if (asleep := self._asleep(document, present, pinned)) is not None:
                return asleep
            if present is not None and present.stable is not None:
                return present
            why = f"its stable version {document.stable} is not loaded; the log and GET /admin/v1/models say why"
            return ModelRoute(model, document.revision, None, pinned=pinned, why=why, stable_version=document.stable)
        canary = document.canary
        servable = loaded.get((model, canary.version)) if canary else None
        canary_arm = self.arm(servable, "canary") if servable else None
        before = present.canary if present else None
        if present is None or present.revision != document.revision or before is not canary_arm:
            self._forgive([canary_arm, before], canary.weight_bp if canary else 0)
        return ModelRoute(
            model,
            document.revision,
            self.arm(stable, "stable", inline=True),
            canary_arm,
            canary.weight_bp if canary else 0,
            document.salt.encode(),
            tuple(
                ShadowSample(shadow.version, shadow.sample_bp, f"{document.salt}:{shadow.version}".encode()[:64])
                for shadow in document.shadows
            ),
            pinned,
            key_feature=stable.manifest.interface.key_feature or self._settings.routing.key_feature,
            stable_version=document.stable,
        )

    def _stopped(self, document: RouteDocument, stop: Stop, loaded: Mapping[Name, ServableVersion]) -> ModelRoute:
        """Return the route of a model in its safe state: no canary, no shadow, no version by name."""
        present = self._routes.get(document.model)
        self._forgive([present.canary if present else None], 0)
        servable = loaded.get((document.model, stop.version)) if stop.version else None
        if servable is None or stop.answer is None:
            arm = self.arm(servable, "stable", inline=True) if servable else None
        elif present is not None and present.revision == document.revision and present.stable is not None:
            arm = present.stable
        else:
            arm = self._constant(servable, stop.answer)
        return ModelRoute(
            document.model,
            document.revision,
            arm,
            why="it is stopped",
            is_stopped=True,
            stable_version=document.stable,
        )

    def _constant(self, servable: ServableVersion, answer: Mapping[str, Any]) -> Arm | None:
        """Return the arm that gives a constant answer; none, so that all is refused, where it is not this version's."""
        try:
            return self.arm(constant_version(servable, answer), "constant", inline=True)
        except ConstantRefused as refused:
            _log.error(
                "%s is refused: its constant answer does not fit version %s here: %s",
                servable.model,
                servable.version,
                refused,
            )
            return None

    def _woken(self, route: ModelRoute) -> ModelRoute:
        """Return a route that knows which versions of its model a request can wake."""
        rest = self._rest
        if rest is None:
            return route
        back = "it comes back from disk; GET /admin/v1/models says how far"
        asleep = {version: back for model, version in rest.returning if model == route.model}
        for (model, version), reason in rest.resting.items():
            if model == route.model:
                asleep[version] = f"it rests on disk ({reason}); this request asks for it"
        return replace(route, asleep=asleep, ask=rest.ask)

    def _asleep(
        self, document: RouteDocument, present: ModelRoute | None, pinned: Mapping[str, Arm]
    ) -> ModelRoute | None:
        """Return the route of a model whose stable version rests on disk, or is on its way back from there."""
        if self._rest is None:
            return None
        reason = self._rest.resting.get((document.model, document.stable))
        if reason is not None:
            why = f"version {document.stable} rests on disk ({reason}); this request asks for it"
        elif present is not None and present.wake is not None:
            why = f"version {document.stable} comes back from disk"
        else:
            return None
        return ModelRoute(
            document.model,
            document.revision,
            None,
            pinned=pinned,
            why=why,
            wake=self._rest.wake,
            stable_version=document.stable,
        )

    def _forgive(self, canaries: Iterable[Arm | None], weight_bp: int) -> None:
        """Let canaries begin anew, those that leave included: what is no canary any more is not tripped either."""
        for arm in canaries:
            if arm is not None:
                arm.reset(weight_bp)
                self._counters.gauge("weir_canary_tripped", model=arm.model, version=arm.version).set(0.0)

    def arm(self, servable: ServableVersion, variant: Variant, *, inline: bool = False) -> Arm:
        """Return the arm of a version in a role, made at its first use; ``inline`` allows runs on the loop."""
        key = (servable.model, servable.version, servable.digest, variant, inline)
        arm = self._arms.get(key)
        if arm is None or arm.servable is not servable:
            arm = self._arms[key] = self._make(servable, variant, inline=inline)
        return arm

    def _make(self, servable: ServableVersion, variant: Variant, *, inline: bool) -> Arm:
        limits, serving = self._settings.limits, self._settings.serving
        names = (servable.model, servable.version)
        slice_ms = servable.manifest.serving.canary_slice_ms or serving.canary_slice_ms
        outputs = tuple(servable.outputs)
        decoders = Decoders(servable.contract, servable.inputs, outputs, limits, names=names, ranks=servable.ranks)
        executor = self._executor(variant)
        lane: Lane[Call] = Lane(
            self._marked(servable, variant, inline=inline),
            loop=self._loop,
            executor=executor,
            sizer=self._sizer(servable, inline=inline),
            queue_rows=limits.queue_rows,
            slice_s=slice_ms / 1e3 if variant == "canary" else limits.request_timeout_s,
            solitude=self._solitude(servable) if inline else None,
            keeps_time=variant == "canary",
            set_back=executor.set_back if isinstance(executor, OwnThread) else None,
            stack=decoders.stack,
            deliver=deliver,
            on_run=_RunMetrics(self._counters, *names, variant),
            on_wait=partial(self._keeps, *names),
        )
        self._show_zeros(servable, variant)
        return Arm(
            servable,
            variant,
            lane=lane,
            decoders=decoders,
            metrics=ArmMetrics(self._counters, *names, variant),
            slice_s=slice_ms / 1e3,
            strikes_allowed=serving.canary_strikes,
            tripwire=self._tripwires() if variant == "canary" else None,
        )

    def _solitude(self, servable: ServableVersion) -> Solitude | None:
        if self._traffic is None or not servable.alone_s:
            return None
        return Solitude(
            self._traffic, above_s=servable.on_loop_s, most_s=servable.alone_s, has_one_core=self._has_one_core
        )

    def _sizer(self, servable: ServableVersion, *, inline: bool) -> BatchSizer:
        serving, own_ms = self._settings.serving, servable.manifest.serving.batch_latency_ms
        return BatchSizer(
            servable.curve,
            most=servable.max_batch_rows,
            on_loop_s=servable.on_loop_s if inline else 0.0,
            target_s=(serving.batch_latency_ms if own_ms is None else own_ms) / 1e3,
        )

    def _marked(self, servable: ServableVersion, variant: Variant, *, inline: bool) -> Runnable:
        """Return what a lane runs. Versions on probation are marked, so that one that crashes the process is known."""
        is_trusted = (inline or variant == "stable") and not self._marks_stable
        if self._marks is None or is_trusted:
            return servable
        return MarkedVersion(servable, self._marks.mark(servable.model, servable.version, variant))

    def _executor(self, variant: Variant) -> Executor:
        if variant == "stable":
            return self._stable_pool
        thread = OwnThread(f"weir-{variant}")
        self._executors.add(thread)
        return thread

    def _show_zeros(self, servable: ServableVersion, variant: Variant) -> None:
        """Bind the counters of rare events: a rate needs the value from before the first one."""
        names = {"model": servable.model, "version": servable.version}
        if variant != "pinned":
            self._counters.counter("weir_contract_rows_total", **names)
            for feature in servable.contract.features[: self._settings.monitor.feature_series]:
                self._counters.counter("weir_feature_faults_total", **names, feature=feature.name, kind="missing")
            for rule in servable.contract.rules:
                self._counters.counter("weir_rule_broken_rows_total", **names, rule=rule.name)
        if variant == "canary":
            for reason in METRICS["weir_canary_fallback_total"].values["reason"]:
                self._counters.counter("weir_canary_fallback_total", **names, reason=reason)

    def _forget(self, loaded: set[ServableVersion]) -> None:
        routed = {arm for route in self._routes.values() for arm in (route.stable, route.canary)}
        self._arms = {
            key: arm
            for key, arm in self._arms.items()
            if arm in routed or (arm.variant == "pinned" and arm.servable in loaded)
        }


class _PinnedArms(Mapping[str, Arm]):
    """The arms of requests that name their version; most versions never get one, so each is made when asked for."""

    def __init__(self, keeper: ArmKeeper, versions: Mapping[str, ServableVersion], stable: str) -> None:
        self._keeper, self._versions, self._stable = keeper, versions, stable

    def __getitem__(self, version: str) -> Arm:
        return self._keeper.arm(self._versions[version], "pinned", inline=version == self._stable)

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)


class _RunMetrics:
    """Counts the runs of one arm."""

    __slots__ = ("_batch", "_runs", "_seconds")

    def __init__(self, counters: SharedCounters, model: str, version: str, variant: Variant) -> None:
        self._runs = counters.counter("weir_runs_total", model=model, version=version, variant=variant)
        self._seconds = counters.histogram(
            "weir_inference_duration_seconds", model=model, version=version, variant=variant
        )
        self._batch = counters.histogram("weir_batch_rows", model=model, version=version)

    def __call__(self, rows: int, _requests: int, seconds: float) -> None:
        self._runs.inc()
        self._seconds.observe(seconds)
        self._batch.observe(rows)
