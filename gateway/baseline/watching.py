"""What the watch knows of accepted baselines: read anew when the store has changed."""

from __future__ import annotations

import logging

from gateway.baseline.document import baseline_key, decode_baseline
from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.state.store import StateStore
from monitors.records import Baseline

__all__ = ["BaselineReader"]

_log = logging.getLogger("weir.baseline")


class BaselineReader:
    """Reads all baselines of a store. Blocks; belongs to one thread at a time.

    A store that is away, or a document that cannot be read, changes nothing: what was known stays.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._revision = -1
        self._known: tuple[Baseline, ...] = ()
        self._is_up = True

    def read(self) -> tuple[Baseline, ...]:
        """Return the baselines that hold now; the same object while nothing has changed."""
        try:
            revision = self._store.revision()
            if revision != self._revision:
                self._known, self._revision = self._anew(), revision
            self._is_up = True
        except StoreUnavailable as error:
            if self._is_up:
                _log.warning("baselines stay as they are: %s", error)
            self._is_up = False
        return self._known

    def _anew(self) -> tuple[Baseline, ...]:
        known = {baseline.model: baseline for baseline in self._known}
        found = []
        for document in self._store.read_prefix(baseline_key("")):
            model = document.key.removeprefix(baseline_key(""))
            try:
                asked = decode_baseline(document).accepted
                found.append(Baseline(model, asked.version, asked.digest, asked.evidence.encode(), asked.factor))
            except DocumentInvalid as error:
                _log.error("%s", error)
                found += [known[model]] if model in known else []
        return self._known if tuple(found) == self._known else tuple(found)
