"""Changes to a state store, for the tests of what happens to it."""

from __future__ import annotations

from typing import Any

from gateway.clock import SystemClock
from gateway.state.ledger import Ledger
from gateway.state.store import AuditRecord, StateStore, Write
from gateway.types import Actor

__all__ = ["body_of", "change"]


def change(store: StateStore, key: str, body: str | None, epoch: int | None = None) -> AuditRecord:
    """Write a document over its present revision."""
    document = store.read(key)
    write = Write(key, document.revision if document else 0, None if body is None else body.encode())
    return Ledger(store, SystemClock()).change(
        [write], actor=Actor("ann"), action="set", resource=key, before=None, after=body, epoch=epoch
    )


def body_of(store: StateStore, key: str) -> Any:
    """Return a document's text, or ``None``."""
    document = store.read(key)
    return None if document is None else document.body.decode()
