"""The audit chain of a Redis store as it lies there, read without changing anything."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.audit.stored import StoredRecord
from gateway.state.redis import HASH_LENGTH, RedisStore
from gateway.state.store import ChainHead

__all__ = ["RedisAudit"]

MOST_FAULTS = 10


class RedisAudit:
    """The chain of one store; gateways may go on writing to it.

    Parameters
    ----------
    store
        Closed by ``close``.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._before = ChainHead(0, "")
        self._hashes: dict[str, str] = {}
        self._hidden: list[str] = []

    def entries(self) -> Iterator[StoredRecord]:
        """Give all entries, by score."""
        self._before, self._hashes, self._hidden = self._store.head(), {}, []
        at = 0
        while page := self._store.entries(at):
            at += len(page)
            for place, member, is_indexed in page:
                stored = StoredRecord(place, member[HASH_LENGTH:], member[:HASH_LENGTH].decode("ascii", "replace"))
                self._hashes[place] = stored.hash or ""
                if not is_indexed:
                    self._hidden.append(place)
                yield stored

    def faults(self) -> list[str]:
        """Return where head and entries differ, and which records the index of their resource hides."""
        head = self._store.head()
        found = [f"record {place}: the index of its resource hides it" for place in self._hidden[:MOST_FAULTS]]
        for told in dict.fromkeys((self._before, head)):
            kept = self._hashes.get(str(told.sequence))
            was_there = told == self._before and told.sequence > 0
            if kept != told.hash and (kept is not None or was_there):
                found.append(f"the head names record {told.sequence} by a hash that no record here has")
        newest = max((int(place) for place in self._hashes if place.isdigit()), default=0)
        if newest > head.sequence:
            found.append(f"the head stands at record {head.sequence}, but there are records up to {newest}")
        return found

    def serving_uid(self) -> int | None:
        """Return nothing: who writes to a Redis cannot be told from its data."""
        return None

    def close(self) -> None:
        """Close the connection."""
        self._store.close()
