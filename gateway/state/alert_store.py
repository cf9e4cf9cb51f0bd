"""Alerts as documents of the state store: open ones are kept, every transition is in the audit chain."""

from __future__ import annotations

from dataclasses import asdict

from gateway.codec.documents import decode_document, encode_document
from gateway.state.ledger import Ledger
from gateway.state.pages import page_writes
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.records import Alert

__all__ = ["LedgerAlertStore"]

WATCH = Actor("watch", role="system", method="process")


class LedgerAlertStore:
    """Keep open alerts under ``alert/<id>``; a resolved one is deleted there and lives on in the audit chain.

    Parameters
    ----------
    store
        Where documents are read.
    ledger
        Makes the changes, on the same store.
    """

    def __init__(self, store: StateStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def save(self, alert: Alert) -> None:
        """Store the alert and the record of its transition in one transaction.

        Raises
        ------
        RevisionStale
            Another process wrote the same alert at the same time.
        StoreUnavailable
            The store does not answer.
        """
        key = f"alert/{alert.id}"
        known = self._store.read(key)
        body = None if alert.state == "resolved" else encode_document(alert)
        before = decode_document(known.body, Alert, source=key) if known else None
        writes = [] if known is None and body is None else [Write(key, known.revision if known else 0, body)]
        writes += page_writes(self._store, alert)
        self._ledger.change(
            writes,
            actor=WATCH,
            action=f"alert.{alert.state}",
            resource=key,
            before=asdict(before) if before else None,
            after=asdict(alert),
            reason=alert.summary,
        )

    def load_open(self) -> list[Alert]:
        """Return the alerts that are not resolved."""
        documents = self._store.read_prefix("alert/")
        alerts = [decode_document(document.body, Alert, source=document.key) for document in documents]
        return [alert for alert in alerts if alert.state != "resolved"]
