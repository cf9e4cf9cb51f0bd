"""The repository extension: everybody may look; who changes anything needs a role and leaves a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tritonclient.grpc import service_pb2

from gateway.access.caller import Caller
from gateway.errors import BodyMalformed
from gateway.grpc.reading import plain_parameters
from gateway.grpc.rpc import Method, Rpc
from gateway.http.permissions import needed_role
from gateway.http.reading import header
from gateway.http.repository import LOAD, UNLOAD, ModelShelf
from gateway.types import Actor

__all__ = ["Repository"]

Authenticate = Callable[[str, str], Caller]


class Repository:
    """The RPCs of the extension; REST's twin asks the same shelf.

    Parameters
    ----------
    authenticate
        From the metadata ``authorization`` and the client's address to who asks; the role needed is that of REST.
    """

    def __init__(self, shelf: ModelShelf, authenticate: Authenticate) -> None:
        self._shelf, self._authenticate = shelf, authenticate

    def methods(self) -> dict[str, Method]:
        """Return the methods by the protocol's names."""
        return {
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }

    async def _index(self, request: Any, _rpc: Rpc) -> Any:
        _check_repository(request)
        return service_pb2.RepositoryIndexResponse(models=await self._shelf.index(only_ready=request.ready))

    async def _load(self, request: Any, rpc: Rpc) -> Any:
        actor = self._actor(rpc, LOAD)
        _check_repository(request)
        await self._shelf.load(request.model_name, plain_parameters(request.parameters), actor, rpc.request_id)
        return service_pb2.RepositoryModelLoadResponse()

    async def _unload(self, request: Any, rpc: Rpc) -> Any:
        actor = self._actor(rpc, UNLOAD)
        _check_repository(request)
        await self._shelf.unload(request.model_name, plain_parameters(request.parameters), actor, rpc.request_id)
        return service_pb2.RepositoryModelUnloadResponse()

    def _actor(self, rpc: Rpc, path: str) -> Actor:
        caller = self._authenticate((header(rpc.headers, b"authorization") or b"").decode("latin-1"), rpc.address)
        return caller.acting_as(needed_role("POST", path))


def _check_repository(request: Any) -> None:
    if request.repository_name:
        raise BodyMalformed("there is one repository here, and it has no name")
