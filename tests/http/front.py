"""The data plane over ASGI, in process, for tests of what clients read."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router

from gateway.admission.door import Door
from gateway.arms import ArmKeeper
from gateway.engine.version import ServableVersion
from gateway.errors import StoreUnavailable
from gateway.http.access_log import AccessLog
from gateway.http.gateway_app import GatewayApp
from gateway.http.predict import PredictEndpoint
from gateway.http.probes import Readiness, probe_routes
from gateway.http.request_counts import RequestCounts
from gateway.http.scoring_server import scoring_server_routes
from gateway.http.traced_app import TracedApp
from gateway.http.v1 import v1_routes
from gateway.http.v2 import v2_routes
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.settings import AdmissionSettings, LimitSettings, Settings
from gateway.tracing.tracing import Tracing
from tests.pipeline.ground import Notes
from tests.serving import TRIPWIRES, counted

__all__ = ["BODY", "LIMIT", "Front", "Message", "problem", "protocol_error"]

LIMIT = 2_000
BODY = {"instances": [{"x": 1}, {"x": 2}]}
Message = MutableMapping[str, Any]
T = TypeVar("T")


class Front:
    """The application in process. A call is a method, a path and what goes with it."""

    def __init__(self, directory: Path, versions: dict[tuple[str, str], ServableVersion]) -> None:
        self.directory = directory
        self._counters = SharedCounters.create(directory, "w", role="worker", capacity=65_536)
        self.versions = versions
        self.routes = {
            "m": RouteDocument("m", 4, "1", "salt", CanaryRoute("2", 0)),
            "iris": RouteDocument("iris", 1, "1", "salt"),
            "gone": RouteDocument("gone", 1, "1", "salt"),
        }
        self.is_settled, self.store_is_up = False, True
        self.is_logged = False
        self.tracing: Tracing | None = None
        self.unreadable: dict[str, str] = {}

    def __call__(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            app = self._build()
            logged = AccessLog(app) if self.is_logged else app
            transport = httpx.ASGITransport(logged if self.tracing is None else TracedApp(logged, self.tracing))
            async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
                return await client.request(method, path, **how)

        return self._run(ask)

    def raw(
        self,
        path: str,
        messages: list[Message],
        headers: list[tuple[bytes, bytes]] | None = None,
        *,
        method: str = "POST",
    ) -> list[Message]:
        """Return what the application sends when these messages arrive, and nothing after them."""
        sent: list[Message] = []
        scope = {"type": "http", "method": method, "path": path, "headers": headers or [], "query_string": b""}

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        async def serve() -> list[Message]:
            await self._build()(scope, receive, send)
            return sent

        return self._run(serve)

    def requests(self, **labels: str) -> float:
        return counted(self.directory, "weir_http_requests_total", **labels)

    def close(self) -> None:
        self._counters.close()

    def _build(self) -> GatewayApp:
        self._keeper = ArmKeeper(
            asyncio.get_running_loop(), self._counters, Settings(limits=LimitSettings(rows=10)), tripwires=TRIPWIRES
        )
        pipeline = Pipeline(Notes())
        pipeline.table = self._keeper.build(self.routes, self.versions)
        self.readiness = Readiness(
            pipeline,
            is_settled=lambda: self.is_settled,
            store_is_up=lambda: self.store_is_up,
            unreadable=lambda: self.unreadable,
        )
        routes = [*probe_routes(self.readiness), *v2_routes(pipeline, self.readiness, "1.2.3"), *v1_routes(pipeline)]
        routes += scoring_server_routes(self.readiness, "1.2.3")
        routes += [Route("/metrics", crash), Route("/openapi.json", no_store), Route("/livez/half", break_off)]
        door = Door(AdmissionSettings(), self._counters)
        before = pipeline if self.tracing is None else self.tracing.before(pipeline)
        predict = PredictEndpoint(before, door, key_header="X-Route-Key", body_bytes=LIMIT)
        return GatewayApp(predict, Router(routes), RequestCounts(self._counters))

    def _run(self, serve: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def whole() -> T:
            try:
                return await serve()
            finally:
                self._keeper.close()

        return asyncio.run(whole())


async def crash(_: Request) -> Response:
    raise RuntimeError("secret of the inside")


async def break_off(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise StoreUnavailable("locked")

    return StreamingResponse(parts())


async def no_store(_: Request) -> Response:
    raise StoreUnavailable("locked")


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["type"]) == (status, f"urn:weir:problem:{slug}")
    assert response.headers["content-type"] == "application/problem+json"
    assert document["request_id"] == response.headers["x-request-id"]
    return document


def protocol_error(response: httpx.Response, status: int) -> str:
    document: dict[str, Any] = response.json()
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert list(document) == ["error"]
    assert response.headers["x-request-id"]
    return str(document["error"])
