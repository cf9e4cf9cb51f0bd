"""Documents of one kind as a process knows them that only watches: read anew when the store has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.state.store import Document, StateStore

__all__ = ["DocumentReader"]

T = TypeVar("T")


class DocumentReader(Generic[T]):
    """Reads all documents under a prefix. Blocks; belongs to one thread at a time.

    A store that is away, or a document that cannot be read, changes nothing: what was known stays, and the log says so
    once for each time.

    Parameters
    ----------
    store
        Where they are.
    prefix
        Of their keys; the rest of a key is a model.
    decode
        A model's document to what is known of it; raises ``DocumentInvalid``.
    log
        Told of what cannot be read.
    """

    def __init__(
        self, store: StateStore, prefix: str, decode: Callable[[str, Document], T], log: logging.Logger
    ) -> None:
        self._store, self._prefix, self._decode, self._log = store, prefix, decode, log
        self._revision, self._is_up = -1, True
        self._by_model: dict[str, T] = {}
        self._known: tuple[T, ...] = ()

    def read(self) -> tuple[T, ...]:
        """Return what holds now; the same object while nothing has changed."""
        try:
            revision = self._store.revision()
            if revision != self._revision:
                self._take(self._store.read_prefix(self._prefix))
                self._revision = revision
            self._is_up = True
        except StoreUnavailable as error:
            if self._is_up:
                self._log.warning("%s* stays as the watch knows it: %s", self._prefix, error)
            self._is_up = False
        return self._known

    def _take(self, documents: list[Document]) -> None:
        found: dict[str, T] = {}
        for document in documents:
            model = document.key.removeprefix(self._prefix)
            try:
                found[model] = self._decode(model, document)
            except DocumentInvalid as error:
                self._log.error("%s stays as the watch knows it: %s", document.key, error)
                found |= {model: self._by_model[model]} if model in self._by_model else {}
        self._by_model = found
        if tuple(found.values()) != self._known:
            self._known = tuple(found.values())
