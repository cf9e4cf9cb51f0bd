"""Who may change things: the admin token, where it comes from and how it is checked."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from gateway.errors import CredentialsInvalid, CredentialsMissing, DocumentInvalid, Fault
from gateway.http.sign_in_throttle import SignInThrottle
from gateway.types import Actor

__all__ = ["AdminToken", "BearerToken", "find_admin_token", "made_token_path"]

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The token and, where it lies in a file, its path: the only one of the two that may be printed."""

    secret: str = field(repr=False)
    path: Path | None = None


class BearerToken:
    """Check ``Authorization: Bearer TOKEN`` against one token.

    Digests of equal length are compared in constant time, so an answer's time tells nothing of the token.
    """

    def __init__(self, token: str, *, throttle: SignInThrottle | None = None, subject: str = "admin") -> None:
        self._digest = _digest(token.encode())
        self._throttle = throttle
        self._subject = subject

    def __call__(self, request: Request) -> Actor:
        """Return who asks. Raises as ``actor`` does."""
        address = request.client.host if request.client else ""
        return self.actor(request.headers.get("authorization", ""), address)

    def actor(self, authorization: str, address: str) -> Actor:
        """Return whom credentials name, that came from an address.

        Raises
        ------
        CredentialsMissing, CredentialsInvalid, SignInThrottled
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise CredentialsMissing
        if not hmac.compare_digest(_digest(token.strip().encode("latin-1")), self._digest):
            if self._throttle is not None:
                self._throttle.note_failure(address)
            raise CredentialsInvalid
        return Actor(self._subject, address=address)


def find_admin_token(environ: Mapping[str, str], token_file: Path | None, state: Path) -> AdminToken:
    """Take the token from ``WEIR_ADMIN_TOKEN``, else from ``token_file``, else from a file beside the state file.

    The last is made with mode 0600 when it is not there.

    Raises
    ------
    DocumentInvalid
        The file cannot be read or made, or there is nothing in it.
    """
    if secret := environ.get("WEIR_ADMIN_TOKEN", "").strip():
        return AdminToken(secret)
    path = token_file or made_token_path(state)
    try:
        if token_file is None:
            _make(path)
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise _unusable(path, "bytes that are not UTF-8") from error
    if not secret:
        raise _unusable(path, "an empty file")
    return AdminToken(secret, path)


def made_token_path(state: Path) -> Path:
    """Return where the token of a state file lies when nobody gave one."""
    return state.with_name(state.name + ".admin-token")


def _make(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")


def _unusable(path: Path, found: str) -> DocumentInvalid:
    return DocumentInvalid(str(path), [Fault("", "value", "a file with the admin token", found)])


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
