"""Sign-in of the console: a token is exchanged for a cookie that no script can read and that expires."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Caller
from gateway.access.roles import covered
from gateway.codec.documents import encode_document
from gateway.http.admin_access import Endpoint
from gateway.http.credentials import Credentials, cookie_of
from gateway.http.sessions import Session
from gateway.types import Actor

__all__ = ["SessionApi"]

_PATH = "/admin/v1"
"""What the cookie goes along with: the admin API and nothing else of this host."""


class SessionApi:
    """The endpoints. Every one is guarded like the rest: who signs in shows the token, who is signed in the cookie."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        return [("POST", "/session", self.begin), ("GET", "/session", self.get), ("DELETE", "/session", self.end)]

    async def begin(self, request: Request, actor: Actor) -> Response:
        """Begin a session, and give the browser its cookie; only for the token, so that none lasts by renewal."""
        caller = self._credentials.bearer(request)
        session = self._credentials.sessions.begin(caller)
        response = _told(session, caller)
        response.set_cookie(
            cookie_of(request),
            session.ticket,
            expires=session.expires_at - int(self._credentials.sessions.now_s()),
            path=_PATH,
            secure=_is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return response

    async def get(self, request: Request, actor: Actor) -> Response:
        """Say until when the session lasts, what changes must carry, and what its roles are by now."""
        return _told(self._credentials.required_session(request), self._credentials(request))

    async def end(self, request: Request, actor: Actor) -> Response:
        """End the session everywhere on this host, and take the cookie back."""
        self._credentials.sessions.end(self._credentials.required_session(request))
        response = Response(status_code=204)
        name, is_secure = cookie_of(request), _is_secure(request)
        response.delete_cookie(name, path=_PATH, secure=is_secure, httponly=True, samesite="strict")
        return response


def _is_secure(request: Request) -> bool:
    """Return whether the browser speaks TLS: to us, or by its own word to whatever stands in front."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")


def _told(session: Session, caller: Caller) -> Response:
    told = {
        "expires_at": session.expires_at,
        "csrf": session.csrf,
        "subject": caller.subject,
        "roles": covered(caller.roles),
    }
    return Response(encode_document(told), media_type="application/json")
