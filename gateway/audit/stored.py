"""What a store or an export holds of the audit chain, as bytes: nothing is believed before it is examined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

__all__ = ["AuditSource", "StoredRecord"]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One entry as it is kept: the record's canonical JSON and what the store files it under.

    ``place`` is the store's sequence as text; ``hash`` and ``resource`` are the store's own copies, ``None`` where it
    keeps none.
    """

    place: str
    body: bytes
    hash: str | None = None
    resource: str | None = None


class AuditSource(Protocol):
    """Where entries come from; reading changes nothing there.

    Raises
    ------
    gateway.errors.StoreUnavailable
        From every method, when the store does not answer or is no store.
    """

    def entries(self) -> Iterator[StoredRecord]:
        """Give all entries, in the order of their places."""

    def faults(self) -> list[str]:
        """Return what is wrong with indexes and head, against the entries that were given last."""

    def serving_uid(self) -> int | None:
        """Return the user that writes the store, ``None`` where that cannot be told from here."""

    def close(self) -> None:
        """Release the connection."""
