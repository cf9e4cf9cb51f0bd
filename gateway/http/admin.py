"""The admin API under ``/admin/v1``. Errors leave the endpoints as they are; the error middleware tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.access.roles import Role
from gateway.codec.documents import encode_document
from gateway.errors import ModelUnknown, VersionRefused
from gateway.http.admin_access import Authenticate, ControlAccess, Endpoint, WatchReader
from gateway.http.admin_approvals import ApprovalApi
from gateway.http.admin_baselines import BaselineApi
from gateway.http.admin_releases import ReleaseApi
from gateway.http.admin_requests import (
    admin_body,
    audit_query,
    read_reason,
    read_stop,
    request_id_of,
    require_known_query,
    revision_of,
)
from gateway.http.admin_rollouts import VERBS, RolloutApi
from gateway.http.admin_tokens import TokenApi
from gateway.http.permissions import needed_role
from gateway.routing.codec import route_view
from gateway.routing.document import RouteDocument
from gateway.types import Actor

__all__ = ["PREFIX", "AdminApi", "admin_routes"]

PREFIX = "/admin/v1"
_VERSION = "/models/{model}/versions/{version}"
_QUERIES: Mapping[str, tuple[str, ...]] = {
    **{f"POST /rollouts{one}": ("dry_run",) for one in ("", *(f"/{{model}}/{verb}" for verb in (*VERBS, "override")))},
    **{f"POST {_VERSION}/{one}": ("dry_run",) for one in ("approvals", "break-glass", "break-glass/review")},
    f"DELETE {_VERSION}/approvals": ("dry_run", "reason"),
    "DELETE /tokens/{token}": ("reason",),
}
"""What may stand in the query of a request that changes something; all else is refused: who writes ``dry_run`` where
there is none, or misspells it, must not have the thing done.
"""


def admin_routes(
    access: ControlAccess, watch: WatchReader, authenticate: Authenticate, *more: tuple[str, str, Endpoint]
) -> list[Route]:
    """Return the routes of the admin API, and ``more`` of them; every one needs the role that the permissions name.

    Raises
    ------
    LookupError
        A route that has no role there.

    Examples
    --------
    An application that tells errors as problems::

        Starlette(routes=admin_routes(access, WatchProxy(path), BearerToken(token)),
                  exception_handlers={WeirError: tell_problem})
    """
    api = AdminApi(access, watch)
    table: list[tuple[str, str, Endpoint]] = [
        ("GET", "/models", api.models),
        ("GET", "/models/{model}/route", api.get_route),
        ("PUT", "/models/{model}/route", api.put_route),
        ("POST", "/models/{model}/rollback", api.roll_back),
        ("POST", "/models/{model}/stop", api.stop),
        ("POST", "/models/{model}/resume", api.resume),
        ("POST", f"{_VERSION}/load", api.load),
        ("POST", f"{_VERSION}/unload", api.unload),
        ("GET", "/models/{model}/drift", api.drift),
        ("GET", "/models/{model}/drift/history", api.drift),
        ("GET", "/models/{model}/versions/{version}/card", api.card),
        ("GET", "/alerts", api.alerts),
        ("POST", "/alerts/{alert}/acknowledge", api.acknowledge),
        ("POST", "/alerts/{alert}/false", api.mark_false),
        ("GET", "/audit", api.audit),
        *ApprovalApi(access).table(),
        *BaselineApi(access).table(),
        *ReleaseApi(access).table(),
        *TokenApi(access).table(),
        *RolloutApi(access, watch).table(),
        *more,
    ]
    return [
        Route(PREFIX + path, _guarded(_strict(endpoint, method, path), authenticate, role), methods=[method])
        for method, path, endpoint in table
        for role in [needed_role(method, PREFIX + path)]
    ]


class AdminApi:
    """The endpoints. Each reads, calls the control service, answers."""

    def __init__(self, access: ControlAccess, watch: WatchReader) -> None:
        self._access = access
        self._control = access.control
        self._call = access.call
        self._watch = watch

    async def models(self, request: Request, actor: Actor) -> Response:
        """Every model: route, versions, their state on each worker."""
        return _json({"models": await self._call(self._control.models)})

    async def get_route(self, request: Request, actor: Actor) -> Response:
        """A model's route, its revision as ``ETag``."""
        return _route(await self._call(self._control.route, request.path_params["model"]))

    async def put_route(self, request: Request, actor: Actor) -> Response:
        """Replace a model's route; ``If-Match`` names the revision that is replaced."""
        body = await admin_body(request)
        model, revision = request.path_params["model"], revision_of(request)
        return _route(await self._call(self._control.put_route, model, body, revision, actor, request_id_of(request)))

    async def roll_back(self, request: Request, actor: Actor) -> Response:
        """Remove the canary, or return to the previous stable version; ``If-Match`` may name the revision meant."""
        reason = await read_reason(request)
        roll_back = partial(self._control.roll_back, if_match=revision_of(request))
        model = request.path_params["model"]
        return _route(await self._call(roll_back, model, actor, reason, request_id_of(request)))

    async def stop(self, request: Request, actor: Actor) -> Response:
        """Put a model into its safe state."""
        asked, model = await read_stop(request), request.path_params["model"]
        safe = (asked.version, asked.answer)
        told = (actor, asked.reason.strip(), request_id_of(request))
        return _route(await self._call(self._control.stop, model, *safe, *told))

    async def resume(self, request: Request, actor: Actor) -> Response:
        """Put a model's route into force again."""
        reason, model = await read_reason(request), request.path_params["model"]
        return _route(await self._call(self._control.resume, model, actor, reason, request_id_of(request)))

    async def load(self, request: Request, actor: Actor) -> Response:
        """Load a version everywhere: 200 when it is ready, 202 when it still loads after half a minute."""
        reason = await read_reason(request)
        model, version = request.path_params["model"], request.path_params["version"]
        await self._call(self._control.load, model, version, actor, reason, request_id_of(request))
        progress = await self._access.settled(model, version)
        if progress.state == "failed":
            raise VersionRefused(model, version, progress.why)
        return _json(progress, 200 if progress.state == "ready" else 202)

    async def unload(self, request: Request, actor: Actor) -> Response:
        """Let a version go that no route names."""
        reason = await read_reason(request)
        model, version = request.path_params["model"], request.path_params["version"]
        wishes = await self._call(self._control.unload, model, version, actor, reason, request_id_of(request))
        return _json({"model": model, "pinned": wishes.pinned, "unloaded": wishes.unloaded})

    async def drift(self, request: Request, actor: Actor) -> Response:
        """The watch's report on a model, or how it has moved over the last hours."""
        response = await self._from_watch(request)
        if response.status_code == 404:
            raise ModelUnknown(request.path_params["model"])
        return response

    async def alerts(self, request: Request, actor: Actor) -> Response:
        """The watch's open alerts, and those resolved not long ago."""
        return await self._from_watch(request)

    async def card(self, request: Request, actor: Actor) -> Response:
        """A version's model card, as text."""
        model, version = request.path_params["model"], request.path_params["version"]
        return PlainTextResponse(await self._call(self._control.card, model, version))

    async def acknowledge(self, request: Request, actor: Actor) -> Response:
        """Say that somebody is at an open alert."""
        reason = await read_reason(request)
        alert = request.path_params["alert"]
        return _json(await self._call(self._control.acknowledge, alert, actor, reason, request_id_of(request)))

    async def mark_false(self, request: Request, actor: Actor) -> Response:
        """Say that an alert woke somebody for nothing."""
        reason = await read_reason(request)
        alert = request.path_params["alert"]
        return _json(await self._call(self._control.mark_false, alert, actor, reason, request_id_of(request)))

    async def audit(self, request: Request, actor: Actor) -> Response:
        """Audit records above a sequence, or the last ones; oldest first."""
        query = audit_query(request)
        if query.last:
            records = await self._call(self._control.newest_audit, query.last, query.resource)
        else:
            records = await self._call(self._control.audit, query.after, query.limit, query.resource)
        return _json({"records": records})

    async def _from_watch(self, request: Request) -> Response:
        status, headers, body = await self._watch.get(quote(request.scope["path"]))
        return Response(body, status, media_type=headers.get("content-type"))


def _strict(endpoint: Endpoint, method: str, path: str) -> Endpoint:
    """Return the endpoint of a changing request so that it takes no query but its own."""
    if method == "GET":
        return endpoint

    async def strict(request: Request, actor: Actor) -> Response:
        require_known_query(request, _QUERIES.get(f"{method} {path}", ()))
        return await endpoint(request, actor)

    return strict


def _guarded(endpoint: Endpoint, authenticate: Authenticate, role: Role) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        response = await endpoint(request, authenticate(request).acting_as(role))
        response.headers.setdefault("cache-control", "no-store")
        return response

    return guarded


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode_document(value), status, headers, media_type="application/json")


def _route(doc: RouteDocument) -> Response:
    return _json(route_view(doc), headers={"etag": f'"{doc.revision}"'})
