"""The worker's ASGI application: hot routes by hand, everything else by Starlette, one place for errors and request
ids.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException

from gateway.errors import MethodUnsupported, ResourceUnknown, WeirError
from gateway.http.predict import PredictEndpoint
from gateway.http.reading import ASGIReceive, ASGIScope, ASGISend, request_id_of
from gateway.http.refusals import refusal
from gateway.http.request_counts import RequestCounts
from gateway.http.targets import target_of

__all__ = ["GatewayApp"]

_log = logging.getLogger("weir.http")

ASGIApp = Callable[[ASGIScope, ASGIReceive, ASGISend], Awaitable[None]]


class GatewayApp:
    """Dispatch, request ids, error bodies and request counts of one worker.

    Parameters
    ----------
    predict
        The inference routes; ``None`` where there are none, as on the admin port.
    router
        Everything else; gets the request id as ``scope["weir.request_id"]``.
    """

    def __init__(self, predict: PredictEndpoint | None, router: ASGIApp, counts: RequestCounts) -> None:
        self._predict, self._router, self._counts = predict, router, counts

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Serve one connection's scope."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        scope["weir.request_id"] = request_id = request_id_of(scope["headers"])
        answer = _Answering(send, request_id)
        self._counts.begin()
        try:
            await self._dispatch(scope, receive, answer, request_id)
        except WeirError as error:
            await self._refuse(answer, error, scope, request_id)
        except HTTPException as error:
            await self._refuse(answer, _translated(error, scope), scope, request_id)
        except Exception:
            _log.exception("request %s to %s failed", request_id, scope["path"])
            await self._refuse(answer, WeirError(), scope, request_id)
        finally:
            self._counts.end(RequestCounts.route_of(scope["path"]), answer.status)

    async def _dispatch(self, scope: ASGIScope, receive: ASGIReceive, send: _Answering, request_id: str) -> None:
        target = target_of(scope["path"])
        if target is not None and self._predict is not None:
            _require_post(scope)
            await self._predict(scope, receive, send, target, request_id)
        else:
            scope["app"] = self  # Starlette then raises for an unknown path or method instead of answering it
            await self._router(scope, receive, send)

    async def _refuse(self, send: _Answering, error: WeirError, scope: ASGIScope, request_id: str) -> None:
        if send.status:
            return  # the head is out: all that is left is to let the server close the connection
        status, headers, body = refusal(error, request_id, scope["path"])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _require_post(scope: ASGIScope) -> None:
    if scope["method"] != "POST":
        raise MethodUnsupported(scope["method"], "POST")


def _translated(error: HTTPException, scope: ASGIScope) -> WeirError:
    """Return Starlette's refusal of a path or method in our own words."""
    if error.status_code == 405:
        return MethodUnsupported(scope["method"], (error.headers or {}).get("Allow", "another method"))
    return ResourceUnknown(scope["path"])


class _Answering:
    """A ``send`` that remembers the status and sees that every answer carries the request id."""

    __slots__ = ("_request_id", "_send", "status")

    def __init__(self, send: ASGISend, request_id: str) -> None:
        self._send, self._request_id, self.status = send, request_id, 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            if not any(key == b"x-request-id" for key, _ in headers):
                headers.append((b"x-request-id", self._request_id.encode("ascii")))
        await self._send(message)
