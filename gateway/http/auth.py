"""Bearer tokens: how each that comes with a request is checked."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace

from starlette.requests import Request

from gateway.access.caller import Caller
from gateway.access.tokens import Token, id_in
from gateway.clock import SystemClock
from gateway.errors import (
    AccessDenied,
    CredentialsExpired,
    CredentialsInvalid,
    CredentialsMissing,
)
from gateway.http.sign_in_throttle import SignInThrottle
from gateway.state.ledger import rfc3339
from monitors.ports import Clock

__all__ = ["CONFIGURED", "BearerToken"]

_DOTS_OF_A_JWT = 2
CONFIGURED = "configured"
"""Stands in records for the id of the token that the gateway was started with."""


class BearerToken:
    """Check ``Authorization: Bearer TOKEN``: the configured token, which no revocation reaches, or one of the store.

    Nothing is waited for: ``tokens`` is what this process last read. Digests of equal length are compared in constant
    time, so an answer's time tells nothing of a secret.

    Parameters
    ----------
    token
        The configured one; its role is admin.
    tokens
        Returns the tokens of the store by id.
    issued
        Returns whom a token of the issuer that the settings name names; without, there is none.
    """

    def __init__(
        self,
        token: str,
        *,
        throttle: SignInThrottle | None = None,
        tokens: Callable[[], Mapping[str, Token]] = dict,
        issued: Callable[[str], Caller] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._digest, self._issued = _digest(token.encode()), issued
        self._throttle, self._tokens, self._clock = throttle, tokens, clock or SystemClock()

    def __call__(self, request: Request) -> Caller:
        """Return who asks. Raises as ``caller`` does."""
        address = request.client.host if request.client else ""
        return self.caller(request.headers.get("authorization", ""), address)

    def caller(self, authorization: str, address: str) -> Caller:
        """Return whom credentials name, that came from an address.

        Raises
        ------
        CredentialsMissing, CredentialsInvalid, CredentialsExpired, SignInThrottled, IssuerUnavailable
        """
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise CredentialsMissing
        try:
            return replace(self._named(text.strip()), address=address)
        except CredentialsInvalid:
            if self._throttle is not None:
                self._throttle.note_failure(address)
            raise

    def present(self, caller: Caller) -> Caller:
        """Return a caller that was named before with the role that its token has now.

        Raises
        ------
        CredentialsInvalid, CredentialsExpired
            The token has been revoked since, or its time is over.
        """
        if caller.origin == "configured" or (caller.origin == "oidc" and self._issued is not None):
            return caller
        token = self._tokens().get(caller.token)
        if token is None:
            raise CredentialsInvalid
        return replace(caller, roles=self._unexpired(token).roles)

    def is_over(self, caller: Caller) -> bool:
        """Return whether what named a caller does so no longer."""
        try:
            self.present(caller)
        except AccessDenied:
            return True
        return caller.expires_at is not None and caller.expires_at <= self._clock.unix_s()

    def _named(self, text: str) -> Caller:
        if hmac.compare_digest(_digest(text.encode("latin-1")), self._digest):
            return Caller("admin", ("admin",), "configured", CONFIGURED)
        if self._issued is not None and text.count(".") == _DOTS_OF_A_JWT:
            return self._issued(text)
        token = self._tokens().get(id_in(text) or "")
        if token is None or not token.is_text(text):
            raise CredentialsInvalid
        return self._unexpired(token)

    def _unexpired(self, token: Token) -> Caller:
        if token.is_expired(self._clock.unix_s()):
            raise CredentialsExpired(f"the token {token.name!r} ({token.id})", rfc3339(token.expires_at or 0))
        return Caller(token.name, (token.role,), "token", token.id, token.expires_at)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
