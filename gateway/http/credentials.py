"""Who may use the admin API: the token, or a console's session in its place."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from gateway.errors import CredentialsMissing, CsrfInvalid
from gateway.http.auth import BearerToken
from gateway.http.sessions import Session, Sessions
from gateway.types import Actor

__all__ = ["COOKIE", "CSRF_HEADER", "Credentials"]

COOKIE = "weir-session"
CSRF_HEADER = "x-weir-csrf"
_READING = frozenset({"GET", "HEAD"})


class Credentials:
    """Take ``Authorization: Bearer TOKEN`` or, without that header, the session's cookie.

    A cookie goes along with what any page of this browser asks, so a change must also carry what only the console's own
    page knows.
    """

    def __init__(self, bearer: BearerToken, sessions: Sessions) -> None:
        self.bearer, self.sessions = bearer, sessions

    def __call__(self, request: Request) -> Actor:
        """Return who asks.

        Raises
        ------
        CredentialsMissing, CredentialsInvalid, SignInThrottled
            Of the token.
        SessionEnded, CsrfInvalid
            Of the session.
        """
        session = self.session(request)
        if session is None:
            return self.bearer(request)
        if request.method not in _READING and not _is_own(session, request):
            raise CsrfInvalid(CSRF_HEADER)
        return Actor("admin", method="session", address=request.client.host if request.client else "")

    def session(self, request: Request) -> Session | None:
        """Return the session that a request speaks for, ``None`` where it carries a token or nothing.

        Raises
        ------
        SessionEnded
        """
        ticket = request.cookies.get(COOKIE)
        if ticket is None or "authorization" in request.headers:
            return None
        return self.sessions.read(ticket)

    def required_session(self, request: Request) -> Session:
        """Return the session that a request speaks for; raise ``CredentialsMissing`` where it has none."""
        session = self.session(request)
        if session is None:
            raise CredentialsMissing
        return session


def _is_own(session: Session, request: Request) -> bool:
    return hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode("latin-1"), session.csrf.encode())
