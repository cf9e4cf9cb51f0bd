"""Tokens as the state store keeps them: a name, a role, an end, and of the secret its hash only."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.access.roles import Role
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid, Fault
from gateway.state.ledger import rfc3339
from gateway.state.store import Document

__all__ = ["PREFIX", "Token", "decode_token", "encode_token", "id_in", "new_token", "token_key", "token_view"]

PREFIX = "token/"
_ID_BYTES, _SECRET_BYTES = 6, 32
_TEXT = re.compile(r"weir_([0-9a-f]{12})_[0-9a-f]{64}")
"""What secret scanners may look for."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token. Times are Unix seconds; without ``expires_at`` it never expires.

    ``digest`` is SHA-256 of the whole text in hexadecimal: the text has 256 random bits, so nothing slower is needed to
    keep it from being guessed.
    """

    id: str
    name: str
    role: Role
    digest: str = field(repr=False)
    created_at: int
    created_by: str
    expires_at: int | None = None

    def is_expired(self, now_s: float) -> bool:
        """Return whether the token's time is over; the second that it names is the first without it."""
        return self.expires_at is not None and self.expires_at <= now_s

    def is_text(self, text: str) -> bool:
        """Return whether a text is this token, in a time that tells nothing of it."""
        return hmac.compare_digest(_digest(text), self.digest)


def new_token(name: str, role: Role, *, now_s: float, by: str, expires_in_s: int | None) -> tuple[str, Token]:
    """Return the text of a new token, which is kept nowhere, and what is kept of it."""
    identity = secrets.token_hex(_ID_BYTES)
    text = f"weir_{identity}_{secrets.token_hex(_SECRET_BYTES)}"
    created_at = int(now_s)
    expires_at = None if expires_in_s is None else created_at + expires_in_s
    return text, Token(identity, name, role, _digest(text), created_at, by, expires_at)


def id_in(text: str) -> str | None:
    """Return the id that a token's text names; ``None`` for what is no token of ours."""
    match = _TEXT.fullmatch(text)
    return None if match is None else match[1]


def token_key(identity: str) -> str:
    """Return the key under which a token is stored."""
    return PREFIX + identity


def encode_token(token: Token) -> bytes:
    """Write a token as canonical JSON."""
    return encode_document(token)


def decode_token(document: Document) -> Token:
    """Read a stored token; raise ``DocumentInvalid`` where it cannot be read or is not the one that its key names."""
    token = decode_document(document.body, Token, source=document.key)
    if token_key(token.id) != document.key:
        raise DocumentInvalid(document.key, [Fault("/id", "value", document.key.removeprefix(PREFIX), repr(token.id))])
    return token


def token_view(token: Token, now_s: float) -> Mapping[str, Any]:
    """Return what may be told of a token, the digest not included."""
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "created_at": rfc3339(token.created_at),
        "created_by": token.created_by,
        "expires_at": None if token.expires_at is None else rfc3339(token.expires_at),
        "is_expired": token.is_expired(now_s),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
