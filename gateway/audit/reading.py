"""The history of models, from the audit chain as it lies in a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gateway.audit.examination import Examination, examined
from gateway.audit.history import History, history_of
from gateway.audit.stored import StoredRecord
from gateway.codec.documents import decode_text_member
from gateway.rollout.document import rollout_key
from gateway.routing.codec import route_key
from gateway.state.store import AuditRecord

__all__ = ["read_history"]


def read_history(model: str, entries: Iterable[StoredRecord]) -> History:
    """Return a model's history, with what is wrong with its records among the notes.

    Notes
    -----
    Of entries of other resources only the resource is read, 4 microseconds each; those of the model are decoded and
    their hashes made again. Memory grows with the changes of the model alone. Order and completeness of the chain are
    for :func:`gateway.audit.examination.examine`.
    """
    found = Examination()
    history = history_of(model, _of_model(model, entries, found))
    more = found.total - len(found.findings)
    faults = [*found.findings, *([f"and {more} more; see weir audit verify"] if more else [])]
    return replace(history, notes=(*faults, *history.notes))


def _of_model(model: str, entries: Iterable[StoredRecord], found: Examination) -> Iterator[AuditRecord]:
    for entry in entries:
        if not _concerns(model, decode_text_member(entry.body, "resource")):
            continue
        alone = Examination()
        record = examined(entry, alone)
        # A record that cannot be read may be anybody's, unless the store files it under another resource.
        name = record.resource if record else entry.resource
        if not _concerns(model, name):
            continue
        for finding in alone.findings:
            found.find(finding)
        if record is not None:
            yield record


def _concerns(model: str, resource: str | None) -> bool:
    """Return whether a record of a resource may tell of a model; of none, it may."""
    return resource in (None, route_key(model), rollout_key(model)) or resource.startswith(f"digest/{model}/")
