"""The Open Inference Protocol's repository extension: which versions there are, and loading and unloading them.

Everybody may look; who changes anything needs the role operator and leaves an audit record, as in the admin API.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.codec.documents import decode_document
from gateway.control import Control
from gateway.errors import BodyMalformed, ModelNotReady, ModelUnknown, VersionInUse, VersionRefused
from gateway.http.admin_access import Authenticate, ControlAccess
from gateway.http.admin_requests import admin_body, request_id_of
from gateway.http.permissions import needed_role
from gateway.http.shared_read import SharedRead
from gateway.types import Actor

__all__ = ["LOAD", "UNLOAD", "ModelShelf", "repository_routes"]

LOAD, UNLOAD = (f"/v2/repository/models/{{model}}/{verb}" for verb in ("load", "unload"))
_REASON = "asked for over the Open Inference Protocol"
Change = Callable[[Request, Actor], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _IndexBody:
    ready: bool = False


@dataclass(frozen=True, slots=True)
class _ChangeBody:
    parameters: dict[str, Any] = field(default_factory=dict)


def repository_routes(access: ControlAccess, authenticate: Authenticate) -> list[Route]:
    """Return the routes below ``/v2/repository``."""
    api = _RepositoryApi(ModelShelf(access))

    def guarded(path: str, change: Change) -> Route:
        role = needed_role("POST", path)

        async def endpoint(request: Request) -> Response:
            return await change(request, authenticate(request).acting_as(role))

        return Route(path, endpoint, methods=["POST"])

    return [
        Route("/v2/repository/index", api.index, methods=["POST"]),
        guarded(LOAD, api.load),
        guarded(UNLOAD, api.unload),
    ]


class ModelShelf:
    """The extension itself, whatever protocol asks: which versions there are, and which ought to be loaded.

    Parameters of a change are the protocol's: ``version`` is read, a configuration or files are refused.
    """

    def __init__(self, access: ControlAccess) -> None:
        self._access = access
        self._models = SharedRead(lambda: access.call(access.control.models))

    async def index(self, *, only_ready: bool) -> list[dict[str, str]]:
        """Return name, version, state and reason of every version; ready is what all workers have."""
        models = await self._models()
        entries = [_entry(model["model"], version) for model in models for version in model["versions"]]
        return [entry for entry in entries if entry["state"] == "READY" or not only_ready]

    async def load(self, model: str, parameters: Mapping[str, Any], actor: Actor, request_id: str) -> None:
        """Load the version that ``version`` names, else the newest, and wait until every worker has it.

        Raises
        ------
        gateway.errors.WeirError
        """
        access, wanted = self._access, _wanted_version(parameters)
        version = wanted or (await access.call(_versions, access.control, model))[-1]["version"]
        await access.call(access.control.load, model, version, actor, _REASON, request_id)
        progress = await access.settled(model, version)
        if progress.state == "failed":
            raise VersionRefused(model, version, progress.why)
        if progress.state != "ready":
            raise ModelNotReady(model, version, "it is still loading")

    async def unload(self, model: str, parameters: Mapping[str, Any], actor: Actor, request_id: str) -> None:
        """Let the version go that ``version`` names, else all that the route does not name.

        Raises
        ------
        gateway.errors.WeirError
        """
        access, wanted = self._access, _wanted_version(parameters)
        versions = await access.call(_versions, access.control, model)
        free = [wanted] if wanted else [version["version"] for version in versions if version["role"] is None]
        if not free:
            raise VersionInUse(model, versions[0]["version"], versions[0]["role"])
        for version in free:
            await access.call(access.control.unload, model, version, actor, _REASON, request_id)


class _RepositoryApi:
    """The endpoints. Each reads, asks the shelf, answers."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf

    async def index(self, request: Request) -> Response:
        """Every version of every model, and whether all workers have it; with ``ready`` those only."""
        body = await admin_body(request)
        asked = decode_document(body, _IndexBody, source="body") if body.strip() else _IndexBody()
        return JSONResponse(await self._shelf.index(only_ready=asked.ready))

    async def load(self, request: Request, actor: Actor) -> Response:
        """Load one version."""
        parameters = await _parameters(request)
        await self._shelf.load(request.path_params["model"], parameters, actor, request_id_of(request))
        return JSONResponse({})

    async def unload(self, request: Request, actor: Actor) -> Response:
        """Let one version go, or all that no route names."""
        parameters = await _parameters(request)
        await self._shelf.unload(request.path_params["model"], parameters, actor, request_id_of(request))
        return JSONResponse({})


async def _parameters(request: Request) -> dict[str, Any]:
    body = await admin_body(request)
    return decode_document(body, _ChangeBody, source="body").parameters if body.strip() else {}


def _versions(control: Control, model: str) -> list[dict[str, Any]]:
    """Return the versions of a model, the newest last."""
    for known in control.models():
        if known["model"] == model and known["versions"]:
            versions: list[dict[str, Any]] = known["versions"]
            return versions
    raise ModelUnknown(model)


def _wanted_version(parameters: Mapping[str, Any]) -> str | None:
    """Return ``version``; refuse a configuration or files that the request would bring along."""
    for name in parameters:
        if name == "config" or name.startswith("file:"):
            raise BodyMalformed(f"parameter {name!r} is refused: a model is what its bundle on disk says")
    version = parameters.get("version")
    if not isinstance(version, str | None):
        raise BodyMalformed("parameter 'version' must be a string")
    return version


def _entry(model: str, version: Mapping[str, Any]) -> dict[str, str]:
    states = {worker["state"] for worker in version["workers"].values()}
    entry = {"name": model, "version": version["version"]}
    if states == {"ready"}:
        return {**entry, "state": "READY", "reason": ""}
    if bad := states & {"failed", "refused", "crashed"}:
        return {**entry, "state": "UNAVAILABLE", "reason": min(bad)}
    return {**entry, "state": "LOADING" if states else "UNAVAILABLE", "reason": "" if states else "not loaded"}
