"""Who uses the admin API: a token names him, or a console's session in its place."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request

from gateway.access.caller import Caller
from gateway.errors import CredentialsInvalid, CredentialsMissing, CsrfInvalid, SessionEnded
from gateway.http.auth import BearerToken
from gateway.http.sessions import Session, Sessions

__all__ = ["COOKIE", "CSRF_HEADER", "Credentials", "cookie_of"]

COOKIE = "weir-session"
CSRF_HEADER = "x-weir-csrf"
_PORT = re.compile(r":([0-9]{1,5})$")
_READING = frozenset({"GET", "HEAD"})


class Credentials:
    """Take ``Authorization: Bearer TOKEN`` or, without that header, the session's cookie.

    A cookie goes along with what any page of this browser asks, so a change must also carry what only the console's own
    page knows.
    """

    def __init__(self, bearer: BearerToken, sessions: Sessions) -> None:
        self.bearer, self.sessions = bearer, sessions

    def __call__(self, request: Request) -> Caller:
        """Return who asks.

        Raises
        ------
        CredentialsMissing, CredentialsInvalid, CredentialsExpired, SignInThrottled, IssuerUnavailable
            Of the token.
        SessionEnded, CsrfInvalid
            Of the session; one whose token was revoked or has expired has ended.
        """
        session = self.session(request)
        if session is None:
            return self.bearer(request)
        if request.method not in _READING and not _is_own(session, request):
            raise CsrfInvalid(CSRF_HEADER)
        caller = replace(session.caller, method="session", address=request.client.host if request.client else "")
        try:
            return self.bearer.present(caller)
        except CredentialsInvalid as error:
            raise SessionEnded from error

    def watch(self, request: Request) -> Callable[[], bool]:
        """Return what says whether the credentials of a request, which were valid, have ended meanwhile."""
        session = self.session(request)
        if session is None:
            caller = self.bearer(request)
            return lambda: self.bearer.is_over(caller)
        return lambda: self.sessions.is_over(session) or self.bearer.is_over(session.caller)

    def session(self, request: Request) -> Session | None:
        """Return the session that a request speaks for, ``None`` where it carries a token or nothing.

        Raises
        ------
        SessionEnded
        """
        ticket = request.cookies.get(cookie_of(request))
        if ticket is None or "authorization" in request.headers:
            return None
        return self.sessions.read(ticket)

    def required_session(self, request: Request) -> Session:
        """Return the session that a request speaks for; raise ``CredentialsMissing`` where it has none."""
        session = self.session(request)
        if session is None:
            raise CredentialsMissing
        return session


def cookie_of(request: Request) -> str:
    """Return the cookie's name, with the port that the browser asked: a host's ports share what cookies it has."""
    port = _PORT.search(request.headers.get("host", ""))
    return COOKIE if port is None else f"{COOKIE}-{port[1]}"


def _is_own(session: Session, request: Request) -> bool:
    return hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode("latin-1"), session.csrf.encode())
