"""A state store that remembers: it answers reads while the real one is away, and mends one that came back older."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TypeVar

from gateway.errors import StoreUnavailable
from gateway.state.known import KEPT_RECORDS, Known, Standing, StoreBehind
from gateway.state.last_known import LastKnownFile
from gateway.state.ledger import rfc3339, seal
from gateway.state.redis import RedisStore
from gateway.state.store import AuditRecord, ChainHead, Document, Write
from gateway.types import Actor
from monitors.ports import Clock

__all__ = ["RememberingStore"]

_ATTEMPTS = 5
_GATEWAY = Actor("weir", role="system", method="internal")
_NOTHING = Known(Standing(), {})
_log = logging.getLogger("weir.state")
_T = TypeVar("_T")


class RememberingStore:
    """The Redis store with a memory, in this process and in a file of this host.

    Parameters
    ----------
    store
        The real one. Its ``floor`` is set from the memory, so that a store that holds less is noticed by every call.
    file
        Where the processes of this host keep what they know.
    clock
        Dates the audit record of a restoration.

    Notes
    -----
    ``read`` and ``read_prefix`` answer from memory while the store is away; everything else says that it is. A change
    still needs the store, whose compare-and-set judges it.

    A store that was emptied, or restored from an older backup, is not believed. It is given back each document whose
    revision here is higher, and the audit records that continue its chain; one more record says so. Where another
    gateway did so first from an older memory, or wrote meanwhile, the chains differ and the same merge is made on top:
    the highest revision of each document wins.
    """

    def __init__(self, store: RedisStore, file: LastKnownFile, clock: Clock) -> None:
        self._store, self._file, self._clock = store, file, clock
        self._lock = threading.RLock()
        self._known = file.load() or _NOTHING
        self._is_writable = True
        store.floor = self._known.standing

    def read(self, key: str) -> Document | None:
        """Return the document, or ``None``; while the store is away, as it was last known."""
        try:
            return self._guarded(lambda: self._store.read(key))
        except StoreUnavailable:
            return self._remembered().read(key)

    def read_prefix(self, prefix: str) -> list[Document]:
        """Return all documents whose key starts with ``prefix``, by key; while the store is away, as last known."""
        try:
            return self._guarded(lambda: self._store.read_prefix(prefix))
        except StoreUnavailable:
            return self._remembered().read_prefix(prefix)

    def revision(self) -> int:
        """Return the number of the last commit, after remembering what it changed."""
        return self.head().sequence

    def head(self) -> ChainHead:
        """Return the last record's sequence and hash."""
        return self._guarded(self._head)

    def commit(self, writes: Sequence[Write], record: AuditRecord, epoch: int | None = None) -> None:
        """Apply all writes and append the record, or nothing; see the protocol."""
        self._guarded(lambda: self._store.commit(writes, record, epoch))
        with suppress(StoreUnavailable, StoreBehind):
            self._learn()  # what cannot be read now is read at the next look

    def audit(self, after: int = 0, limit: int = 100, resource: str | None = None) -> list[AuditRecord]:
        """Return up to ``limit`` records with a sequence above ``after``, oldest first, optionally of one resource."""
        return self._guarded(lambda: self._store.audit(after, limit, resource))

    def announce(self, worker: str, facts: bytes, ttl_s: float) -> None:
        """Say that a worker lives and what it has; forgotten after ``ttl_s`` without another announcement."""
        self._guarded(lambda: self._store.announce(worker, facts, ttl_s))

    def retire(self, worker: str) -> None:
        """Forget a worker at once."""
        self._guarded(lambda: self._store.retire(worker))

    def announcements(self) -> dict[str, bytes]:
        """Return the facts of all workers that live."""
        return self._guarded(self._store.announcements)

    def lease(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew a lease; see the protocol."""
        return self._guarded(lambda: self._store.lease(name, holder, ttl_s))

    def close(self) -> None:
        """Release the connections; the store must not be used afterwards."""
        self._store.close()

    def _guarded(self, call: Callable[[], _T]) -> _T:
        for _ in range(_ATTEMPTS):
            try:
                return call()
            except StoreBehind as behind:
                self._restore(behind.found)
        raise StoreUnavailable("it does not hold what was written to it, and others are restoring it")

    def _remembered(self) -> Known:
        """Return what is known; inside the handling of an error, which goes on where that is nothing."""
        known = self._newest()
        if not known.standing.sequence:
            raise
        return known

    def _newest(self) -> Known:
        with self._lock:
            if self._file.sequence() > self._known.standing.sequence:
                self._known = self._file.load() or self._known
            return self._known

    def _head(self) -> ChainHead:
        # Remembered before it is told: who reads the documents next never gets older ones, even from memory.
        head = self._store.head()
        if head != self._known.standing.head:
            self._learn()
        return head

    def _learn(self, *, anew: bool = False) -> None:
        """Remember what has changed since the last time, or everything."""
        with self._lock:
            known = _NOTHING if anew else self._known
            after = known.standing.sequence
            standing, entries = self._store.changes(after)
            records = self._store.audit(max(after, standing.sequence - KEPT_RECORDS), KEPT_RECORDS)
            records = [record for record in records if record.sequence <= standing.sequence]
            self._keep(known.with_changes(standing, entries, records), replacing=anew)

    def _keep(self, known: Known, *, replacing: bool) -> None:
        self._known = known
        try:
            self._file.save(known, replacing=replacing)
            self._is_writable = True
        except OSError as error:
            if self._is_writable:
                _log.error("the last known documents cannot be kept in %s: %s", self._file.path, error.strerror)
            self._is_writable = False

    def _restore(self, found: Standing) -> None:
        with self._lock:
            known = self._newest()
            records = self._missing_records(known, found)
            standing = self._store.restore(found, known.entries.values(), records, known.standing.epoch)
            if standing is None:
                return
            _log.warning(
                "the state store stood at record %d, below %d that this gateway knows, and was restored",
                found.sequence,
                known.standing.sequence,
            )
            with suppress(StoreBehind):  # again; the call that found it out is repeated and finds that too
                self._learn(anew=True)

    def _missing_records(self, known: Known, found: Standing) -> list[AuditRecord]:
        """Return the records that continue the store's chain, and the one that says what was done."""
        is_short = found.sequence < known.standing.sequence
        base = known.standing.head if is_short else found.head
        records = known.records_after(found.head) if is_short else ()
        draft = AuditRecord(
            sequence=base.sequence + 1,
            id=uuid.uuid4().hex,
            time=rfc3339(self._clock.unix_s()),
            actor=asdict(_GATEWAY),
            action="state.restore",
            resource="state",
            before=asdict(found),
            after=asdict(known.standing),
            reason="the store did not hold what it had shown before",
            request_id="",
            evidence={"documents": len(known.entries), "records": len(records)},
            previous_hash=base.hash,
            hash="",
        )
        return [*records, seal(draft)]
