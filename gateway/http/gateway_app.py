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
from gateway.http.reading import ASGIReceive, ASGIScope, ASGISend
from gateway.http.refusals import refusal
from gateway.http.request_counts import RequestCounts
from gateway.http.request_ids import given_id, random_ids
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
        self._next_id = random_ids().__next__

    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None:
        """Serve one connection's scope."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        scope["weir.request_id"] = request_id = given_id(scope["headers"]) or self._next_id()
        target = None if self._predict is None else target_of(scope["path"])
        status = 0
        try:
            if target is not None and self._predict is not None:
                _require_post(scope)
                status = await self._predict(scope, receive, send, target, request_id)
            else:
                status = await self._route(scope, receive, send, request_id)
        except WeirError as error:
            status = await _refuse(send, error, scope, request_id)
        except HTTPException as error:
            status = await _refuse(send, _translated(error, scope), scope, request_id)
        except Exception:
            _log.exception("request %s to %s failed", request_id, scope["path"], extra={"request_id": request_id})
            status = await _refuse(send, WeirError(), scope, request_id)
        finally:
            route = RequestCounts.route_of(scope["path"]) if target is None else target.route
            self._counts.answered(route, status).inc()

    async def _route(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend, request_id: str) -> int:
        """Have Starlette answer; return the status, 0 where there was none."""
        scope["app"] = self  # Starlette then raises for an unknown path or method instead of answering it
        answer = _Answering(send, request_id)
        try:
            await self._router(scope, receive, answer)
        except Exception:
            if not answer.status:
                raise
            extra = {"request_id": request_id}
            _log.exception("request %s to %s failed in its answer", request_id, scope["path"], extra=extra)
        return answer.status


async def _refuse(send: ASGISend, error: WeirError, scope: ASGIScope, request_id: str) -> int:
    """Answer with an error; return its status."""
    status, headers, body = refusal(error, request_id, scope["path"])
    headers.append((b"x-request-id", request_id.encode("ascii")))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


def _require_post(scope: ASGIScope) -> None:
    if scope["method"] != "POST":
        raise MethodUnsupported(scope["method"], "POST")


def _translated(error: HTTPException, scope: ASGIScope) -> WeirError:
    """Return Starlette's refusal of a path or method in our own words."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return MethodUnsupported(scope["method"], ", ".join(sorted(allowed.split(", "))))
    return ResourceUnknown(scope["path"])


class _Answering:
    """A ``send`` that remembers the status and sees that every answer carries the request id."""

    __slots__ = ("_request_id", "_send", "status")

    def __init__(self, send: ASGISend, request_id: str) -> None:
        self._send, self._request_id, self.status = send, request_id, 0

    def __call__(self, message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            if not any(key == b"x-request-id" for key, _ in headers):
                headers.append((b"x-request-id", self._request_id.encode("ascii")))
        return self._send(message)
