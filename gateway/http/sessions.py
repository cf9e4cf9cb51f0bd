"""Sessions of the console: what a browser holds in place of a token, for a working day at most."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.access.caller import Caller
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid, SessionEnded
from monitors.ports import Clock

__all__ = ["LIFETIME_S", "Session", "Sessions", "SignedOut"]

LIFETIME_S = 8 * 3_600
_MOST_SIGNED_OUT = 1_024


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. Times are Unix seconds.

    Parameters
    ----------
    ticket
        What its cookie holds.
    csrf
        What its page sends with every change, and no other page can know.
    identity
        Names it where it is marked as signed out.
    caller
        Who signed in, by which token. Whether that still holds, the session does not know.
    """

    ticket: str = field(repr=False)
    csrf: str = field(repr=False)
    expires_at: int
    identity: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class _Payload:
    expires_at: int
    nonce: str
    caller: Caller


class SignedOut:
    """Sessions that were ended before their time: a file each in a folder that the workers of a host share.

    Bounded: what has expired anyway goes, then the oldest.
    """

    def __init__(self, folder: Path, *, most: int = _MOST_SIGNED_OUT) -> None:
        self._folder, self._most = folder, most

    def add(self, session: Session) -> None:
        """Remember a session."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        marks = sorted(self._folder.iterdir(), key=lambda mark: mark.name)
        for mark in marks[: max(0, len(marks) + 1 - self._most)]:
            mark.unlink(missing_ok=True)
        self._mark(session).touch(mode=0o600)

    def holds(self, session: Session) -> bool:
        """Return whether a session was ended."""
        return self._mark(session).exists()

    def _mark(self, session: Session) -> Path:
        return self._folder / f"{session.expires_at:012d}-{session.identity}"


class Sessions:
    """Make, read and end sessions.

    A ticket is signed with a key that is made of the configured token: every worker of every host that has that token
    reads it, nothing is kept, and another configured token ends all sessions. Only what signs out is remembered, on its
    own host. It names who signed in by the id of a token, never by the token.

    Parameters
    ----------
    token
        The configured token.
    """

    def __init__(self, token: str, signed_out: SignedOut, clock: Clock, *, lifetime_s: int = LIFETIME_S) -> None:
        self._key = hmac.digest(token.encode(), b"weir console session 2", hashlib.sha256)
        self._signed_out, self._clock, self._lifetime_s = signed_out, clock, lifetime_s

    def begin(self, caller: Caller) -> Session:
        """Return a new session, which ends with the caller's token at the latest."""
        expires_at = int(self._clock.unix_s()) + self._lifetime_s
        if caller.expires_at is not None:
            expires_at = min(expires_at, caller.expires_at)
        return self._session(encode_document(_Payload(expires_at, secrets.token_hex(16), caller)))

    def read(self, ticket: str) -> Session:
        """Return the session of a ticket.

        Raises
        ------
        SessionEnded
            It has expired or signed out, or is no ticket of this token.
        """
        payload = b""
        with suppress(ValueError):
            payload = urlsafe_b64decode(ticket.partition(".")[0] + "==")
        if hmac.compare_digest(self._ticket(payload).encode(), ticket.encode()):
            with suppress(DocumentInvalid):
                session = self._session(payload)
                if not self.is_over(session):
                    return session
        raise SessionEnded

    def end(self, session: Session) -> None:
        """Sign out."""
        self._signed_out.add(session)

    def is_over(self, session: Session) -> bool:
        """Return whether a session has expired or signed out."""
        return session.expires_at <= self._clock.unix_s() or self._signed_out.holds(session)

    def now_s(self) -> float:
        """Return the time by which sessions expire."""
        return self._clock.unix_s()

    def _session(self, payload: bytes) -> Session:
        told = decode_document(payload, _Payload, source="session")
        csrf = _text(hmac.digest(self._key, b"csrf" + payload, hashlib.sha256))
        return Session(self._ticket(payload), csrf, told.expires_at, told.nonce, told.caller)

    def _ticket(self, payload: bytes) -> str:
        return f"{_text(payload)}.{_text(hmac.digest(self._key, payload, hashlib.sha256))}"


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
