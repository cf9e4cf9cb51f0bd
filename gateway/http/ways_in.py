"""The ways into a worker: the application behind each port, and the protocol that reads its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.routing import Router

from gateway.admission.door import Door
from gateway.http.access_log import AccessLog
from gateway.http.connection import connection_protocol
from gateway.http.exchange import FastPath
from gateway.http.fast_path import fast_protocol
from gateway.http.gateway_app import GatewayApp
from gateway.http.predict import PredictEndpoint
from gateway.http.request_counts import RequestCounts
from gateway.pipeline import Pipeline
from gateway.settings import Settings

__all__ = ["Port", "WaysIn"]


@dataclass(frozen=True, slots=True)
class Port:
    """What answers at one port."""

    asgi: GatewayApp | AccessLog
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
    ) -> WaysIn:
        """Return both; ``router_of`` makes the router of all paths, or of those of the ``side`` that it is given."""
        key_header, body_bytes = settings.routing.key_header, settings.limits.body_bytes
        patience_s = settings.limits.read_timeout_s
        predict = PredictEndpoint(pipeline, door, key_header=key_header, body_bytes=body_bytes)
        slow = connection_protocol(patience_s)
        protocol: type[asyncio.Protocol] = slow
        if settings.serving.fast_path and not settings.access_log:
            fast = FastPath(pipeline, counts, door, key_header=key_header, body_bytes=body_bytes)
            protocol = fast_protocol(fast, patience_s)

        def logged(app: GatewayApp) -> GatewayApp | AccessLog:
            return AccessLog(app) if settings.access_log else app

        if settings.admin_port is None:
            return cls(Port(logged(GatewayApp(predict, router_of(), counts)), protocol), None)
        public = Port(logged(GatewayApp(predict, router_of(side="public"), counts)), protocol)
        return cls(public, Port(logged(GatewayApp(None, router_of(side="admin"), counts)), slow))
