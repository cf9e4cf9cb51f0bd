"""The access log: a record for each request, with its id, in front of an application that gives the id."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from gateway.errors import shortened
from gateway.http.reading import ASGIReceive, ASGIScope, ASGISend

__all__ = ["ACCESS", "AccessLog"]

ACCESS = logging.getLogger("weir.access")
_SAID = {b"x-request-id": "request_id", b"x-model-version": "version", b"x-variant": "variant"}

ASGIApp = Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]


class AccessLog:
    """Log every request once it is over. A status of 0 is a client that left before there was an answer.

    The query is left out, for it may hold what is nobody's business; so is every header but those of our own answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Serve one connection's scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, client = perf_counter(), scope.get("client")
        seen: dict[str, Any] = {"status": 0}

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                said = {_SAID[key]: value.decode("latin-1") for key, value in message["headers"] if key in _SAID}
                seen.update(said)
            await send(message)

        scope["extensions"] = {}  # an answer in one message would have to be taken apart again
        try:
            await self._app(scope, receive, noting)
        finally:
            seen.setdefault("request_id", scope.get("weir.request_id"))
            path, took_ms = shortened(scope["path"]), round((perf_counter() - started) * 1e3, 3)
            asked = {"client": client[0] if client else None, "method": scope["method"], "path": path}
            ACCESS.info(
                "%s %s %d", scope["method"], path, seen["status"], extra={**asked, **seen, "duration_ms": took_ms}
            )
