"""What the watch knows of break-glass grants: read anew when the store has changed, and told as gauges."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from gateway.errors import DocumentInvalid
from gateway.governance.approvals import PREFIX, BreakGlass, decode_approvals
from gateway.state.store import StateStore

__all__ = ["GrantReader"]

Gauge = tuple[str, dict[str, str], float]
_log = logging.getLogger("weir.governance")


class GrantReader:
    """Reads all grants of a store. Blocks; belongs to one thread at a time.

    Of a document that cannot be read, what was known stays: an alert must not end because somebody broke it.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._revision = -1
        self._known: dict[str, tuple[str, tuple[BreakGlass, ...]]] = {}

    def gauges(self, now_s: float, routed: Iterable[str] = ()) -> Iterator[Gauge]:
        """Yield for each model how many grants are in force, and how many are over and wait for their review.

        Parameters
        ----------
        routed
            Models of which zeros are told too.

        Raises
        ------
        StoreUnavailable
        """
        revision = self._store.revision()
        if revision != self._revision:
            self._known, self._revision = self._anew(), revision
        models = {*routed, *(model for model, grants in self._known.values() if grants)}
        counts = Counter({(model, state): 0 for model in models for state in ("in_force", "unreviewed")})
        for model, grants in self._known.values():
            counts.update((model, "in_force") for one in grants if one.is_in_force(now_s))
            counts.update((model, "unreviewed") for one in grants if not one.is_in_force(now_s) and not one.is_reviewed)
        for (model, state), count in sorted(counts.items()):
            yield "weir_break_glass_grants", {"model": model, "state": state}, float(count)

    def _anew(self) -> dict[str, tuple[str, tuple[BreakGlass, ...]]]:
        found: dict[str, tuple[str, tuple[BreakGlass, ...]]] = {}
        for document in self._store.read_prefix(PREFIX):
            try:
                read = decode_approvals(document)
                found[document.key] = (read.model, read.grants)
            except DocumentInvalid as error:
                _log.error("%s", error)
                if document.key in self._known:
                    found[document.key] = self._known[document.key]
        return found
