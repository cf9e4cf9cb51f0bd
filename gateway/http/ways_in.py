"""The ways into a worker: the application behind each port, and the protocol that reads its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.routing import Router

from gateway.admission.door import Door
from gateway.http.access_log import AccessLog
from gateway.http.connection import connection_protocol
from gateway.http.exchange import FastPath
from gateway.http.fast_path import fast_protocol
from gateway.http.gateway_app import GatewayApp
from gateway.http.predict import PredictEndpoint
from gateway.http.request_counts import RequestCounts
from gateway.http.traced_app import TracedApp
from gateway.pipeline import Pipeline
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.tracing.tracing import Tracing

__all__ = ["Front", "Port", "WaysIn"]

Front = GatewayApp | AccessLog | TracedApp


@dataclass(frozen=True, slots=True)
class Port:
    """What answers at one port."""

    asgi: Front
    protocol: type[asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class WaysIn:
    """The serving port, and the admin port where it is one of its own."""

    public: Port
    admin: Port | None

    @classmethod
    def build(
        cls,
        settings: Settings,
        pipeline: Pipeline,
        door: Door,
        counts: RequestCounts,
        router_of: Callable[..., Router],
        *,
        tracing: Tracing | None = None,
    ) -> WaysIn:
        """Return both; ``router_of`` makes the router of all paths, or of those of the ``side`` that it is given."""
        key_header, body_bytes = settings.routing.key_header, settings.limits.body_bytes
        patience_s = settings.limits.read_timeout_s
        predict = PredictEndpoint(
            pipeline if tracing is None else tracing.before(pipeline),
            door,
            key_header=key_header,
            body_bytes=body_bytes,
        )
        slow = connection_protocol(patience_s)
        protocol: type[asyncio.Protocol] = slow
        if settings.serving.fast_path and not settings.access_log and tracing is None:
            fast = FastPath(pipeline, counts, door, key_header=key_header, body_bytes=body_bytes)
            protocol = fast_protocol(fast, patience_s)

        def fronted(app: GatewayApp) -> Front:
            logged = AccessLog(app) if settings.access_log else app
            return logged if tracing is None else TracedApp(logged, tracing)

        if settings.admin_port is None:
            return cls(Port(fronted(GatewayApp(predict, router_of(), counts)), protocol), None)
        public = Port(fronted(GatewayApp(predict, router_of(side="public"), counts)), protocol)
        return cls(public, Port(fronted(GatewayApp(None, router_of(side="admin"), counts)), slow))
