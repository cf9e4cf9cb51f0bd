"""A worker's gRPC side in process: real small models behind a real server on a free port, and real clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, cast

from grpc import aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from gateway.access.roles import ROLES
from gateway.access.tokens import new_token
from gateway.admission.door import Door
from gateway.arms import ArmKeeper
from gateway.clock import SystemClock
from gateway.control import Control
from gateway.engine.outputs import Outputs
from gateway.engine.version import ServableVersion
from gateway.grpc.building import build_server
from gateway.http.admin_access import ControlAccess
from gateway.http.auth import BearerToken
from gateway.http.probes import Readiness
from gateway.metrics.shared import SharedCounters
from gateway.metrics.totals import read_counters
from gateway.pipeline import Pipeline
from gateway.routing.document import RouteDocument
from gateway.settings import AdmissionSettings, LimitSettings, ServingSettings, Settings
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from tests.end_to_end.running import free_port
from tests.http.test_admin import OneModel, at_once
from tests.serving import TRIPWIRES, counted

__all__ = ["BODY_BYTES", "Ground", "message"]

BODY_BYTES = 100_000
Versions = Mapping[tuple[str, str], ServableVersion]


def message(model: str = "m", *rows: float, **more: Any) -> Any:
    """Return a request for the models of the ground, all of which take ``x``."""
    contents = {"fp32_contents": rows or (1.0,)}
    tensor = {"name": "x", "datatype": "FP32", "shape": [len(rows) or 1, 1], "contents": contents}
    return service_pb2.ModelInferRequest(model_name=model, inputs=[tensor], **more)


class Nobody:
    """An observer that looks away."""

    def answered(self, *_: Any) -> None:
        """See answers."""

    def faulted(self, *_: Any, refused_rows: int = 0) -> None:
        """See faults."""

    def shed(self, *_: Any) -> None:
        """See a call given up."""

    def failed(self, *_: Any) -> None:
        """See a call end in an error."""

    def passes_over_failures(self, _count: int) -> bool:
        """Want to see every failure."""
        return False

    def fell_back(self, *_: Any) -> None:
        """See a canary fail."""

    def tripped(self, *_: Any) -> None:
        """See a canary lose its share."""


TOKENS = {role: new_token(f"some {role}", role, now_s=0.0, by="admin", expires_in_s=None) for role in ROLES}
"""Text and token by role; the configured token is ``t``."""


class GatedVersion:
    """A version whose runs, in a thread, wait until the gate is opened."""

    def __init__(self, servable: ServableVersion) -> None:
        self._servable = servable
        self._gate, self._running = threading.Event(), threading.Event()
        self.rows_run: list[int] = []
        self.loses_outputs = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._servable, name)

    def run(self, feeds: Any, n: int, handle: Any = None) -> Any:
        """Run when the gate is open."""
        self.rows_run.append(n)
        self._running.set()
        assert self._gate.wait(20.0)
        return Outputs([], None, None, True) if self.loses_outputs else self._servable.run(feeds, n, handle)

    def open(self) -> None:
        """Let runs go."""
        self._gate.set()

    async def until_running(self) -> None:
        """Wait until a run is under way."""
        await asyncio.to_thread(self._running.wait, 20.0)


class Ground:
    """One worker. ``run`` runs a scenario against it, and then sees that nothing failed behind its back.

    ``slow`` answers when its gate is opened.
    """

    def __init__(self, folder: Path, versions: Versions, admission: AdmissionSettings | None = None) -> None:
        self.folder = folder
        self._counters = SharedCounters.create(folder, "w", role="worker", capacity=65_536)
        self.slow = GatedVersion(versions[("slow", "1")])
        self._versions = {**versions, ("slow", "1"): cast("ServableVersion", self.slow)}
        limits, in_threads = LimitSettings(body_bytes=BODY_BYTES), ServingSettings(on_loop_ms=0.0)
        self.settings = Settings(
            grpc_port=free_port(), limits=limits, serving=in_threads, admission=admission or AdmissionSettings()
        )

    def run(self, scenario: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        """Run a scenario, which is given the service's stub."""
        asyncio.run(self._run(scenario))

    def ended(self, method: str) -> dict[str, float]:
        """Return how many RPCs have ended, by status."""
        codes = ("OK", "CANCELLED", "INTERNAL", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE")
        found = {code: counted(self.folder, "weir_grpc_requests_total", method=method, code=code) for code in codes}
        return {code: count for code, count in found.items() if count}

    async def _run(self, scenario: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        loop, failures = asyncio.get_running_loop(), list[dict[str, Any]]()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        keeper = ArmKeeper(loop, self._counters, self.settings, tripwires=TRIPWIRES)
        routes = {model: RouteDocument(model, 3, "1", "salt") for model, _ in self._versions}
        self.pipeline = Pipeline(Nobody())
        self.pipeline.table = keeper.build(routes, self._versions)
        store = SqliteStore(self.folder / "state.db")
        self.server = self._server(store)
        try:
            async with self.server.standing(), aio.insecure_channel(f"127.0.0.1:{self.settings.grpc_port}") as channel:
                await scenario(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        finally:
            self.slow.open()
            keeper.close()
            store.close()
        assert failures == []

    def _server(self, store: SqliteStore) -> Any:
        clock = SystemClock()
        control = Control(Ledger(store, clock), store, clock, repository=OneModel())
        return build_server(
            self.settings,
            self.pipeline,
            Door(self.settings.admission, self._counters),
            Readiness(self.pipeline, is_settled=lambda: True, store_is_up=lambda: True),
            self._counters,
            access=ControlAccess(control, at_once),
            authenticate=BearerToken("t", tokens=lambda: {token.id: token for _, token in TOKENS.values()}).caller,
            read_series=lambda: asyncio.to_thread(read_counters, self.folder),
            product_version="7",
        )
