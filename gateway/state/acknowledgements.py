"""Acknowledgements as documents: that somebody is at an open alert, so that others need not be."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gateway.codec.documents import decode_document, encode_document
from gateway.errors import ResourceUnknown
from gateway.state.ledger import Ledger
from gateway.state.store import StateStore, Write
from gateway.types import Actor

__all__ = ["Acknowledgement", "acknowledge", "read_acknowledgements"]

_PREFIX = "acknowledgement/"
_ALERTS = "alert/"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who has seen an alert, when (Unix seconds), and what they say of it."""

    alert_id: str
    at: float
    by: str
    reason: str = ""


def read_acknowledgements(store: StateStore) -> list[Acknowledgement]:
    """Return what is kept, by alert."""
    return [
        decode_document(document.body, Acknowledgement, source=document.key) for document in store.read_prefix(_PREFIX)
    ]


def acknowledge(
    store: StateStore, ledger: Ledger, alert_id: str, *, actor: Actor, reason: str, request_id: str, now_s: float
) -> Acknowledgement:
    """Say that somebody has seen an open alert; saying it again replaces what was said.

    Those of alerts that are over are forgotten on this occasion, so that there are never more than open alerts.

    Raises
    ------
    ResourceUnknown
        No alert of that id is open.
    RevisionStale
        Somebody else acknowledged it at the same time.
    """
    open_alerts = {document.key.removeprefix(_ALERTS) for document in store.read_prefix(_ALERTS)}
    if alert_id not in open_alerts:
        raise ResourceUnknown(f"an open alert {alert_id!r}")
    known = {document.key.removeprefix(_PREFIX): document for document in store.read_prefix(_PREFIX)}
    before, after = known.get(alert_id), Acknowledgement(alert_id, now_s, actor.subject, reason)
    over = [Write(found.key, found.revision, None) for name, found in known.items() if name not in open_alerts]
    ledger.change(
        [Write(_PREFIX + alert_id, before.revision if before else 0, encode_document(after)), *over],
        actor=actor,
        action="alert.acknowledge",
        resource=f"{_ALERTS}{alert_id}",
        before=asdict(decode_document(before.body, Acknowledgement, source=before.key)) if before else None,
        after=asdict(after),
        reason=reason,
        request_id=request_id,
    )
    return after
