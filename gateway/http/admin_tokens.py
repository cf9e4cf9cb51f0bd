"""The admin API's part on tokens, under ``/admin/v1/tokens``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.codec.documents import encode_document
from gateway.http.admin_access import ControlAccess, Endpoint
from gateway.http.admin_requests import admin_body, asked_reason, request_id_of
from gateway.types import Actor

__all__ = ["TokenApi"]


class TokenApi:
    """The endpoints. An answer to a change names in ``behind`` the workers that do not know of it yet: mostly none."""

    def __init__(self, access: ControlAccess) -> None:
        self._access, self._tokens = access, access.control.tokens

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        return [
            ("GET", "/tokens", self.list_all),
            ("POST", "/tokens", self.create),
            ("DELETE", "/tokens/{token}", self.revoke),
        ]

    async def list_all(self, request: Request, actor: Actor) -> Response:
        """Every token that has not been revoked, without its secret."""
        return _json({"tokens": await self._access.call(self._tokens.all)})

    async def create(self, request: Request, actor: Actor) -> Response:
        """Make a token; its text is told here and never again."""
        body = await admin_body(request)
        made = await self._access.call(self._tokens.create, body, actor, request_id_of(request))
        return _json({"token": made.text, **made.view, "behind": await self._access.behind(made.sequence)}, 201)

    async def revoke(self, request: Request, actor: Actor) -> Response:
        """Take a token away, with the sessions that were begun with it."""
        identity, reason = request.path_params["token"], asked_reason(request)
        sequence = await self._access.call(self._tokens.revoke, identity, actor, reason, request_id_of(request))
        return _json({"id": identity, "behind": await self._access.behind(sequence)})


def _json(value: object, status: int = 200) -> Response:
    return Response(encode_document(value), status, media_type="application/json")
