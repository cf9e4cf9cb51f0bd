"""The state store's protocol: documents with revisions, and the audit chain that grows with every change.

A store keeps the truth about routes, residency, alerts and audit. Implementations (``sqlite``, ``redis``) pass
the same contract test. All methods block; call them from a thread, never on the event loop of a serving worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["EMPTY_HEAD", "AuditRecord", "ChainHead", "Document", "EpochStale", "HeadMoved", "StateStore", "Write"]


@dataclass(frozen=True, slots=True)
class Document:
    """One stored document. ``body`` is canonical JSON; ``revision`` starts at 1 and grows by one with each write.

    A document that is deleted and written again goes on counting, so that no revision ever names two contents.
    """

    key: str
    revision: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """One intended write. ``expected_revision`` 0 means "does not exist yet"; ``body`` ``None`` deletes."""

    key: str
    expected_revision: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Last record of the audit chain; sequence 0 and the zero hash for an empty one."""

    sequence: int
    hash: str


EMPTY_HEAD = ChainHead(0, "0" * 64)
"""Head of a chain without records."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change: who, when, what, before, after, why.

    ``hash`` is SHA-256 over a zero byte and the canonical JSON (RFC 8785 for the values used here) of every other
    field, ``previous_hash`` included: the leaf form of RFC 6962, so that a Merkle tree can be built over the chain.
    ``before`` and ``after`` are the documents' values, ``None`` where there was none. ``time`` is RFC 3339, UTC.
    """

    sequence: int
    id: str
    time: str
    actor: dict[str, str]
    action: str
    resource: str
    before: Any
    after: Any
    reason: str
    request_id: str
    evidence: dict[str, Any]
    previous_hash: str
    hash: str


class HeadMoved(Exception):
    """Another writer appended first; build the record again on the new head and commit again."""


class EpochStale(Exception):
    """A later leader has written; the caller leads no more and must stop."""


class StateStore(Protocol):
    """Documents, audit chain and worker announcements, behind one small interface.

    Raises
    ------
    gateway.errors.StoreUnavailable
        From every method, when the store does not answer.
    """

    def read(self, key: str) -> Document | None:
        """Return the document, or ``None``."""

    def read_prefix(self, prefix: str) -> list[Document]:
        """Return all documents whose key starts with ``prefix``, by key."""

    def revision(self) -> int:
        """Return a number that grows with every commit: what workers poll. Cheap."""

    def head(self) -> ChainHead:
        """Return the last record's sequence and hash."""

    def commit(self, writes: Sequence[Write], record: AuditRecord, epoch: int | None = None) -> None:
        """Apply all writes and append the record, or nothing.

        Parameters
        ----------
        writes
            Compare-and-set, each against its ``expected_revision``.
        record
            Must continue the chain: ``previous_hash`` and ``sequence`` follow the present head.
        epoch
            Fencing epoch of the leader's lease; a lower one than the store has seen is refused. ``None`` for changes
            that an operator asked for.

        Raises
        ------
        gateway.errors.RevisionStale
            A document has another revision.
        HeadMoved
            The chain has another head.
        EpochStale
            The store has seen a higher epoch.
        """

    def audit(self, after: int = 0, limit: int = 100, resource: str | None = None) -> list[AuditRecord]:
        """Return up to ``limit`` records with a sequence above ``after``, oldest first, optionally of one resource."""

    def announce(self, worker: str, facts: bytes, ttl_s: float) -> None:
        """Say that a worker lives and what it has; forgotten after ``ttl_s`` without another announcement.

        All workers give the same ``ttl_s``: an announcement that would end later than this one was made before the
        clock went back, and ends with it.
        """

    def retire(self, worker: str) -> None:
        """Forget a worker at once."""

    def announcements(self) -> dict[str, bytes]:
        """Return the facts of all workers that live."""

    def lease(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew a lease, for ``ttl_s`` from now.

        Returns
        -------
        int or None
            The fencing epoch of the holder, for :meth:`commit`: higher than that of every holder before, and than every
            epoch that the store has seen. ``None`` while another one holds the lease.
        """

    def close(self) -> None:
        """Release the connection; the store must not be used afterwards."""
