"""Probes: alive is the event loop, ready is "every routed model's stable version can answer here", started is once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.pipeline import Pipeline

__all__ = ["Readiness", "probe_routes"]


class Readiness:
    """Why this worker should not get traffic now; nothing means it should.

    The store and the watch do not count: serving goes on without them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        is_settled: Callable[[], bool],
        store_is_up: Callable[[], bool],
        unreadable: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._pipeline, self._is_settled, self._store_is_up = pipeline, is_settled, store_is_up
        self._unreadable = unreadable
        self.draining = False
        self.has_started = False

    def reasons(self) -> list[str]:
        """Return what stands against it, in words."""
        if self.draining:
            return ["draining: this worker is about to stop"]
        routes = self._pipeline.table.routes
        if not routes:
            return ["no model is served yet"]
        missing = [route for route in routes.values() if route.stable is None and not (route.wake or route.is_stopped)]
        return [f"{route.model}: {route.why}" for route in missing]

    def started(self) -> bool:
        """Return whether loading at start is over, whatever happened since."""
        self.has_started = self.has_started or self._is_settled()
        return self.has_started

    def degraded(self) -> list[str]:
        """Return what is wrong without keeping the worker from answering."""
        away = [] if self._store_is_up() else ["the state store is away: routes are the last known"]
        away += [f"{name} is stopped" for name, route in self._pipeline.table.routes.items() if route.is_stopped]
        return away + [
            f"{key} cannot be read, the last known is in force: {why}" for key, why in self._unreadable().items()
        ]


def probe_routes(readiness: Readiness) -> list[Route]:
    """Return ``/livez``, ``/readyz`` and ``/startupz``."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        reasons = readiness.reasons()
        body = {"status": "not ready" if reasons else "ready", "reasons": reasons, "degraded": readiness.degraded()}
        return JSONResponse(body, 503 if reasons else 200)

    async def startupz(_: Request) -> Response:
        started = readiness.started()
        return JSONResponse({"status": "started" if started else "starting"}, 200 if started else 503)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/startupz", startupz)]
