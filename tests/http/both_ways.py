"""A worker's data plane behind uvicorn's protocol class, with the fast path or without it, and no socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.admission.door import Door
from gateway.arms import ArmKeeper
from gateway.engine.outputs import Outputs
from gateway.engine.version import ServableVersion
from gateway.http.connection import Connection, connection_protocol
from gateway.http.exchange import FastPath
from gateway.http.fast_path import fast_protocol
from gateway.http.gateway_app import GatewayApp
from gateway.http.predict import PredictEndpoint
from gateway.http.probes import Readiness, probe_routes
from gateway.http.request_counts import RequestCounts
from gateway.http.v2 import v2_routes
from gateway.metrics.shared import SharedCounters, read_counters
from gateway.pipeline import Pipeline
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.settings import AdmissionSettings, LimitSettings, Settings
from tests import models
from tests.http.wire import Client, HandLoop, passes
from tests.pipeline.ground import Notes
from tests.serving import THREADED, TRIPWIRES, servable_of

__all__ = ["LIMIT", "READ_TIMEOUT_S", "GatedVersion", "Versions", "Way", "Worker", "load_versions", "post"]

LIMIT = 5_000
READ_TIMEOUT_S = 60.0
Way = Literal["fast", "asgi"]
Versions = dict[tuple[str, str], ServableVersion]
ROUTES = {
    "m": RouteDocument("m", 4, "1", "salt", CanaryRoute("2", 0)),
    "tried": RouteDocument("tried", 2, "1", "salt", CanaryRoute("2", 10_000)),
    "slow": RouteDocument("slow", 1, "1", "salt"),
    "ruled": RouteDocument("ruled", 1, "1", "salt"),
    "gone": RouteDocument("gone", 1, "1", "salt"),
    "wide": RouteDocument("wide", 1, "1", "salt"),
    "shared": RouteDocument("shared", 1, "1", "salt", CanaryRoute("2", 5_000)),
}
RULES = """
interface:
  rules:
    - {name: small, action: reject, range: {feature: x, max: 5}}
    - {name: tiny, range: {feature: x, max: 3}}
"""


class GatedVersion:
    """A version whose runs, in a thread, wait until the gate is opened."""

    def __init__(self, servable: ServableVersion) -> None:
        self._servable = servable
        self._gate = threading.Event()
        self.running = threading.Event()
        self.rows_run: list[int] = []
        self.loses_outputs = False
        self.curve = servable.curve

    def __getattr__(self, name: str) -> Any:
        return getattr(self._servable, name)

    def run(self, feeds: Any, n: int, handle: Any = None) -> Any:
        """Run when the gate is open."""
        self.rows_run.append(n)
        self.running.set()
        assert self._gate.wait(20.0)
        return Outputs([], None, None, True) if self.loses_outputs else self._servable.run(feeds, n, handle)

    def open(self) -> None:
        """Let runs go."""
        self._gate.set()

    async def until_running(self) -> None:
        """Wait until a run is under way."""
        await asyncio.to_thread(self.running.wait, 20.0)


def load_versions(folder: Path) -> Versions:
    """Load the versions that the routes name; ``wide`` and ``shared`` take ``x0`` and ``x1``, the others ``x``."""
    failing, same, wide = models.failing_model(), models.echo_model(), models.elementwise("Identity", 2)
    return {
        ("m", "1"): servable_of(folder / "1", failing),
        ("m", "2"): servable_of(folder / "2", failing),
        ("tried", "1"): servable_of(folder / "tried" / "1", same),
        ("tried", "2"): servable_of(folder / "tried" / "2", failing),
        ("slow", "1"): servable_of(folder / "slow" / "1", same, serving=THREADED),
        ("ruled", "1"): servable_of(folder / "ruled" / "1", same, manifest=RULES),
        ("wide", "1"): servable_of(folder / "wide" / "1", wide, manifest=RULES.replace("feature: x", "feature: x0")),
        ("shared", "1"): servable_of(folder / "shared" / "1", wide),
        ("shared", "2"): servable_of(folder / "shared" / "2", wide),
    }


def post(
    path: str = "/predict/m",
    body: bytes | str | Mapping[str, Any] = b'{"instances": [{"x": 1}, {"x": 2}]}',
    *lines: str,
    request_id: str | None = "r-1",
    version: str = "HTTP/1.1",
    length: bool = True,
    method: str = "POST",
) -> bytes:
    """Return a request as it stands on the wire; ``lines`` are further lines of its head."""
    sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    head = [f"{method} {path} {version}", "host: weir", *lines]
    head += [f"x-request-id: {request_id}"] if request_id is not None else []
    head += [f"content-length: {len(sent)}"] if length else []
    return "\r\n".join([*head, "", ""]).encode("latin-1") + sent


class Worker:
    """One worker, to which clients connect. ``run`` runs a scenario and then sees that nothing was left behind."""

    def __init__(self, way: Way, directory: Path, versions: Versions, *, queue_rows: int = 1_000) -> None:
        directory.mkdir(exist_ok=True)
        self.way, self._directory, self._queue_rows = way, directory, queue_rows
        self._counters = SharedCounters.create(directory, "w", role="worker", capacity=65_536)
        self.slow = GatedVersion(versions[("slow", "1")])
        self._versions = {**versions, ("slow", "1"): cast("ServableVersion", self.slow)}
        self.admission = AdmissionSettings()
        self.asgi_requests = 0

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a scenario on a loop of its own."""
        asyncio.run(self._run(scenario))

    async def _run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        failures: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        self._clients: list[Client] = []
        self._build(asyncio.get_running_loop())
        try:
            await scenario()
        finally:
            self.slow.open()
            for client in self._clients:
                client.leave()
            await asyncio.gather(*self.state.tasks)
            await passes()
            self._keeper.close()
        assert failures == []
        assert not self.state.connections
        assert self.inflight() == 0

    def _build(self, loop: asyncio.AbstractEventLoop) -> None:
        settings = Settings(limits=LimitSettings(rows=10, queue_rows=self._queue_rows, body_bytes=LIMIT))
        self._keeper = ArmKeeper(loop, self._counters, settings, tripwires=TRIPWIRES)
        self.notes = Notes()
        self.pipeline = pipeline = Pipeline(self.notes, queue_rows=settings.limits.queue_rows)
        pipeline.table = self._keeper.build(ROUTES, self._versions)
        readiness = Readiness(pipeline, is_settled=lambda: True, store_is_up=lambda: True)
        routes = [*probe_routes(readiness), *v2_routes(pipeline, readiness, "1.2.3"), Route("/metrics", _large)]
        counts = RequestCounts(self._counters)
        door = Door(self.admission, self._counters)
        predict = PredictEndpoint(pipeline, door, key_header="X-Route-Key", body_bytes=LIMIT)
        self._app = GatewayApp(predict, Router(routes), counts)
        fast = FastPath(pipeline, counts, door, key_header="X-Route-Key", body_bytes=LIMIT)
        self._protocol: type[Connection] = (
            fast_protocol(fast, READ_TIMEOUT_S) if self.way == "fast" else connection_protocol(READ_TIMEOUT_S)
        )
        self._config = Config(
            self._serve,
            interface="asgi3",
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
        )
        self._config.load()
        self.state = ServerState()
        self.clock = HandLoop(loop)

    def connect(self) -> Client:
        """Return a new client."""
        clock = cast("asyncio.AbstractEventLoop", self.clock)
        client = Client(self._protocol(self._config, self.state, {}, clock))
        self._clients.append(client)
        return client

    def stop(self) -> None:
        """Stop as uvicorn's server does, without an end to it."""
        for connection in list(self.state.connections):
            assert isinstance(connection, Connection)
            connection.shutdown()

    def drain(self) -> None:
        """Say goodbye in every answer from now on."""
        self.state.default_headers = [(b"connection", b"close")]

    def fast_requests(self) -> int:
        """Return how many requests took the fast path."""
        return sum(self.answered().values()) - self.asgi_requests

    def answered(self) -> Counter[tuple[str, str]]:
        """Return requests counted, by route and status."""
        found: Counter[tuple[str, str]] = Counter()
        for series in read_counters(self._directory):
            if series.name == "weir_http_requests_total":
                found[(series.labels["route"], series.labels["status"])] += int(series.value)
        return found

    def outcomes(self) -> dict[tuple[str, ...], float]:
        """Return what was counted of models' requests, rows and faults."""
        names = ("weir_requests_total", "weir_rows_total", "weir_contract_rows_total", "weir_feature_faults_total")
        series = [found for found in read_counters(self._directory) if found.name in names and found.value]
        return {(found.name, *sorted(found.labels.values())): found.value for found in series}

    def inflight(self) -> int:
        """Return the requests under way."""
        return self.pipeline.gate.in_flight

    def close(self) -> None:
        """Give up the counters."""
        self._counters.close()

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        self.asgi_requests += 1
        await self._app(scope, receive, send)


async def _large(_: Request) -> Response:
    return Response(b"x" * 100_000)
