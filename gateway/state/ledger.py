"""The audit chain: every change seals a record onto the last one, in the transaction that makes the change."""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from gateway.codec.documents import encode_document
from gateway.errors import StoreUnavailable
from gateway.state.store import EMPTY_HEAD, AuditRecord, ChainHead, HeadMoved, StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock

__all__ = ["ChainBroken", "Ledger", "rfc3339", "seal", "sealed_body", "verify"]

LEAF = b"\x00"
ATTEMPTS = 50
PAUSE_STEP_S = 0.001
"""Writers that lost a race wait a random time, longer each round, so that none of them loses fifty times."""


class ChainBroken(Exception):
    """The chain was edited, cut or reordered at ``sequence``."""

    def __init__(self, sequence: int, why: str) -> None:
        super().__init__(f"audit record {sequence}: {why}")
        self.sequence, self.why = sequence, why


def seal(draft: AuditRecord) -> AuditRecord:
    """Return the record with the hash that its other fields give it."""
    return replace(draft, hash=_hash(_members(draft)))


def sealed_body(record: AuditRecord) -> tuple[str, bytes]:
    """Return the hash that a record's other fields give it, and the bytes that the record with it is kept as.

    Notes
    -----
    The same as ``encode_document(seal(record))``, with each member encoded once for both.
    """
    members = _members(record)
    digest = _hash(members)
    return digest, _object({**members, "hash": b'"%s"' % digest.encode()})


_NAMES = tuple(sorted(field.name for field in fields(AuditRecord)))


def _members(record: AuditRecord) -> dict[str, bytes]:
    return {name: encode_document(getattr(record, name)) for name in _NAMES}


def _hash(members: Mapping[str, bytes]) -> str:
    return hashlib.sha256(LEAF + _object({name: members[name] for name in _NAMES if name != "hash"})).hexdigest()


def _object(members: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in members.items()) + b"}"


def verify(records: Iterable[AuditRecord], head: ChainHead = EMPTY_HEAD) -> ChainHead:
    """Check that records continue the chain from ``head``, and return the new head.

    Raises
    ------
    ChainBroken
        Naming the first record that does not fit. Records cut off the end show only against a head kept elsewhere.
    """
    for record in records:
        if record.sequence != head.sequence + 1:
            raise ChainBroken(record.sequence, f"follows {head.sequence}")
        if record.previous_hash != head.hash:
            raise ChainBroken(record.sequence, "does not name the record before it")
        if seal(record).hash != record.hash:
            raise ChainBroken(record.sequence, "was changed after it was written")
        head = ChainHead(record.sequence, record.hash)
    return head


class Ledger:
    """Make changes and their audit records together. Blocks; safe from any thread when the store is."""

    def __init__(
        self,
        store: StateStore,
        clock: Clock,
        *,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._pause = pause

    def change(
        self,
        writes: Sequence[Write],
        *,
        actor: Actor,
        action: str,
        resource: str,
        before: Any,
        after: Any,
        reason: str = "",
        request_id: str = "",
        evidence: dict[str, Any] | None = None,
        epoch: int | None = None,
    ) -> AuditRecord:
        """Apply the writes and append the record of who, when, what, before, after and why, or do nothing.

        Raises
        ------
        RevisionStale
            A document has another revision than its write expects.
        EpochStale
            ``epoch`` is that of a former leader.
        StoreUnavailable
            The store does not answer, or other writers were faster fifty times in a row.
        """
        draft = AuditRecord(
            sequence=0,
            id=self._new_id(),
            time=rfc3339(self._clock.unix_s()),
            actor=asdict(actor),
            action=action,
            resource=resource,
            before=before,
            after=after,
            reason=reason,
            request_id=request_id,
            evidence=evidence or {},
            previous_hash="",
            hash="",
        )
        return self._append(writes, draft, epoch)

    def _append(self, writes: Sequence[Write], draft: AuditRecord, epoch: int | None) -> AuditRecord:
        for attempt in range(ATTEMPTS):
            head = self._store.head()
            record = seal(replace(draft, sequence=head.sequence + 1, previous_hash=head.hash))
            try:
                self._store.commit(writes, record, epoch)
            except HeadMoved:
                self._pause(random.uniform(0, attempt * PAUSE_STEP_S))
                continue
            return record
        raise StoreUnavailable(f"other writers were faster {ATTEMPTS} times in a row")


def rfc3339(unix_s: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the microsecond."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
