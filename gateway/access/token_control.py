"""What admins may ask of tokens, done against the state store: compare-and-set and audited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.access.roles import Role
from gateway.access.tokens import PREFIX, Token, decode_token, encode_token, new_token, token_key, token_view
from gateway.codec.documents import decode_document
from gateway.errors import DocumentInvalid, Fault, ResourceUnknown, RevisionStale
from gateway.fleet import Fleet
from gateway.state.ledger import Ledger
from gateway.state.store import Document, StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock

__all__ = ["LONGEST_EXPIRY_S", "MOST_TOKENS", "NewToken", "TokenControl", "TokenRequest"]

LONGEST_EXPIRY_S = 10 * 365 * 86_400
MOST_TOKENS = 1_000
_KEPT_EXPIRED_S = 30 * 86_400
_ATTEMPTS = 20
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@ -]{0,62}[A-Za-z0-9])?")
_RESERVED = frozenset({"admin", "weir", "watch", "rollout leader"})
"""Names that audit records give to the configured token and to what the gateway does by itself."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The body that asks for a token; without ``expires_in_s`` (seconds) it never expires."""

    name: str
    role: Role
    expires_in_s: int | None = None
    reason: str = ""

    def faults(self) -> Iterator[Fault]:
        """Give what is wrong with the values."""
        if not _NAME.fullmatch(self.name):
            wanted = "1 to 64 of letters, digits, '.', '_', '@', '-' and spaces, none of these at an end"
            yield Fault("/name", "value", wanted, repr(self.name))
        elif self.name.lower() in _RESERVED:
            yield Fault("/name", "value", "a name that no audit record gives to the gateway itself", repr(self.name))
        if self.expires_in_s is not None and not 1 <= self.expires_in_s <= LONGEST_EXPIRY_S:
            wanted = f"seconds from 1 to {LONGEST_EXPIRY_S} (ten years)"
            yield Fault("/expires_in_s", "out_of_range", wanted, str(self.expires_in_s))
        if len(self.reason) > 500:
            yield Fault("/reason", "value", "at most 500 characters", f"{len(self.reason)} characters")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made: its text, what may be told of it, and the sequence of the record that says so."""

    text: str = field(repr=False)
    view: Mapping[str, Any]
    sequence: int


class TokenControl:
    """List, make and revoke tokens. Blocks; safe from any thread when the store is."""

    def __init__(self, ledger: Ledger, store: StateStore, clock: Clock) -> None:
        self._ledger, self._store, self._clock = ledger, store, clock

    def all(self) -> list[Mapping[str, Any]]:
        """Return what may be told of the tokens, the oldest first; expired ones are kept for at least thirty days."""
        now_s = self._clock.unix_s()
        tokens = sorted((token for _, token in self._known()), key=lambda token: (token.created_at, token.id))
        return [token_view(token, now_s) for token in tokens]

    def create(self, body: bytes, actor: Actor, request_id: str = "") -> NewToken:
        """Make a token. Those that expired thirty days ago or more are forgotten on this occasion.

        Raises
        ------
        DocumentInvalid
            The body breaks its rules, or there are as many tokens as are kept.
        """
        request = decode_document(body, TokenRequest, source="token")
        if faults := list(request.faults()):
            raise DocumentInvalid("token", faults)
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._created(request, actor, request_id)
            except RevisionStale:
                continue  # another admin forgot the same old token
        return self._created(request, actor, request_id)

    def revoke(self, identity: str, actor: Actor, reason: str = "", request_id: str = "") -> int:
        """Take a token away, one that cannot be read included; return the sequence of the record that says so.

        Raises
        ------
        ResourceUnknown
            No token has that id: it was never made, or has been revoked.
        """
        document = self._store.read(token_key(identity))
        if document is None:
            raise ResourceUnknown(f"a token with the id {identity!r}")
        token = _readable(document)
        try:
            record = self._ledger.change(
                [Write(document.key, document.revision, None)],
                actor=actor,
                action="token.revoke",
                resource=document.key,
                before=token_view(token, self._clock.unix_s()) if token else None,
                after=None,
                reason=reason,
                request_id=request_id,
            )
        except RevisionStale as error:
            raise ResourceUnknown(f"a token with the id {identity!r}") from error
        return record.sequence

    def behind(self, sequence: int) -> tuple[str, ...]:
        """Return the serving workers that have not yet said to know the store as of that record."""
        fleet = Fleet.of(self._store.announcements())
        return tuple(worker.worker for worker in fleet.serving if worker.revision < sequence)

    def _created(self, request: TokenRequest, actor: Actor, request_id: str) -> NewToken:
        now_s = self._clock.unix_s()
        known = self._known()
        old = [document for document, token in known if token.is_expired(now_s - _KEPT_EXPIRED_S)]
        if len(known) - len(old) >= MOST_TOKENS:
            raise DocumentInvalid("token", [Fault("", "out_of_range", f"fewer than {MOST_TOKENS} tokens", "as many")])
        text, token = new_token(
            request.name, request.role, now_s=now_s, by=actor.subject, expires_in_s=request.expires_in_s
        )
        writes, view = [Write(document.key, document.revision, None) for document in old], token_view(token, now_s)
        record = self._ledger.change(
            [Write(token_key(token.id), 0, encode_token(token)), *writes],
            actor=actor,
            action="token.create",
            resource=token_key(token.id),
            before=None,
            after=view,
            reason=request.reason.strip(),
            request_id=request_id,
            evidence={"forgotten": [document.key.removeprefix(PREFIX) for document in old]} if old else None,
        )
        return NewToken(text, view, record.sequence)

    def _known(self) -> list[tuple[Document, Token]]:
        documents = self._store.read_prefix(PREFIX)
        return [(document, token) for document in documents if (token := _readable(document))]


def _readable(document: Document) -> Token | None:
    """Return the token of a document; ``None`` where it cannot be read, which every worker reports."""
    try:
        return decode_token(document)
    except DocumentInvalid:
        return None
