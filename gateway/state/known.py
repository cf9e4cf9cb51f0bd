"""What a process knows of the state store: every document at its highest revision, and the end of the audit chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.state.store import EMPTY_HEAD, AuditRecord, ChainHead, Document

__all__ = ["KEPT_RECORDS", "Entry", "Known", "Standing", "StoreBehind"]

KEPT_RECORDS = 256
"""How many of the newest audit records are remembered, so that a store restored from a backup gets them back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a store is: its newest audit record, and the highest epoch of a leader that it has seen."""

    sequence: int = EMPTY_HEAD.sequence
    hash: str = EMPTY_HEAD.hash
    epoch: int = 0

    @property
    def head(self) -> ChainHead:
        """The newest record's sequence and hash."""
        return ChainHead(self.sequence, self.hash)


class StoreBehind(Exception):
    """The store does not hold what it has shown before: it was emptied, or restored from an older backup."""

    def __init__(self, found: Standing) -> None:
        super().__init__(f"it stands at record {found.sequence}")
        self.found = found


@dataclass(frozen=True, slots=True)
class Entry:
    """A document, or with ``body`` ``None`` one that was deleted: its revision goes on counting."""

    key: str
    revision: int
    body: bytes | None

    def document(self) -> Document | None:
        """Return the document, or ``None`` for a deleted one."""
        return None if self.body is None else Document(self.key, self.revision, self.body)


@dataclass(frozen=True, slots=True)
class Known:
    """Entries by key, and up to ``KEPT_RECORDS`` newest audit records, oldest first."""

    standing: Standing
    entries: dict[str, Entry]
    records: tuple[AuditRecord, ...] = ()

    def with_changes(self, standing: Standing, entries: Iterable[Entry], records: Sequence[AuditRecord]) -> Known:
        """Return what is known after further changes."""
        merged = {**self.entries, **{entry.key: entry for entry in entries}}
        is_continued = not (self.records and records) or records[0].previous_hash == self.records[-1].hash
        chain = (*self.records, *records) if is_continued else tuple(records)
        return Known(standing, merged, chain[-KEPT_RECORDS:])

    def read(self, key: str) -> Document | None:
        """Return the document, or ``None``."""
        entry = self.entries.get(key)
        return None if entry is None else entry.document()

    def read_prefix(self, prefix: str) -> list[Document]:
        """Return all documents whose key starts with ``prefix``, by key."""
        keys = sorted(key for key in self.entries if key.startswith(prefix))
        return [document for key in keys if (document := self.entries[key].document()) is not None]

    def records_after(self, head: ChainHead) -> tuple[AuditRecord, ...]:
        """Return the remembered records that continue a chain from ``head``; for an empty one, all of them."""
        if head == EMPTY_HEAD:
            return self.records
        following = tuple(record for record in self.records if record.sequence > head.sequence)
        return following if following and following[0].previous_hash == head.hash else ()
