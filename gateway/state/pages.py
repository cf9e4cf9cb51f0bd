"""Pages as documents: each alert that woke a person, until it is forgotten, and whether an operator called it false."""

from __future__ import annotations

from dataclasses import asdict, replace

from gateway.codec.documents import decode_document, encode_document
from gateway.errors import ResourceUnknown
from gateway.state.ledger import Ledger
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.records import Alert, Page

__all__ = ["MOST_PAGES", "mark_false", "page_writes", "read_pages"]

MOST_PAGES = 500
PREFIX = "page/"


def page_writes(store: StateStore, alert: Alert, *, most: int = MOST_PAGES) -> list[Write]:
    """Return what keeps a page beside its alert: nothing where it is kept already, or nobody was woken.

    At most so many pages are kept; the oldest go.
    """
    key = PREFIX + alert.id
    if alert.severity != "page" or store.read(key) is not None:
        return []
    page = Page(
        alert.id, alert.model, alert.version, alert.variant, alert.cause, alert.calibration, alert.updated_at,
        alert.summary,
    )  # fmt: skip
    kept = sorted(store.read_prefix(PREFIX), key=lambda document: _page(document.body, document.key).paged_at)
    forgotten = kept[: max(0, len(kept) + 1 - most)]
    return [Write(key, 0, encode_document(page)), *(Write(old.key, old.revision, None) for old in forgotten)]


def read_pages(store: StateStore) -> list[Page]:
    """Return the pages that are kept, by alert."""
    return [_page(document.body, document.key) for document in store.read_prefix(PREFIX)]


def mark_false(
    store: StateStore, ledger: Ledger, alert_id: str, *, actor: Actor, reason: str, request_id: str, now_s: float
) -> Page:
    """Say that a page woke somebody for nothing; saying it again changes nothing.

    Raises
    ------
    ResourceUnknown
        No page of that alert is kept.
    RevisionStale
        Somebody else marked it at the same time.
    """
    key = PREFIX + alert_id
    document = store.read(key)
    if document is None:
        raise ResourceUnknown(f"a page of an alert {alert_id!r}")
    page = _page(document.body, key)
    if page.is_false:
        return page
    marked = replace(page, is_false=True, marked_at=now_s, marked_by=actor.subject, reason=reason)
    ledger.change(
        [Write(key, document.revision, encode_document(marked))],
        actor=actor,
        action="alert.mark-false",
        resource=f"alert/{alert_id}",
        before=asdict(page),
        after=asdict(marked),
        reason=reason,
        request_id=request_id,
    )
    return marked


def _page(body: bytes, key: str) -> Page:
    return decode_document(body, Page, source=key)
