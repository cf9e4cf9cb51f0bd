"""What the watch knows of routes: read anew when the store has changed."""

from __future__ import annotations

import logging

from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.routing.codec import decode_route, route_key
from gateway.state.store import StateStore
from monitors.records import ModelRoute

__all__ = ["RouteReader"]

_log = logging.getLogger("weir.routing")


class RouteReader:
    """Reads how all models of a store are routed. Blocks; belongs to one thread at a time.

    A store that is away, or a document that cannot be read, changes nothing: what was known stays.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._revision = -1
        self._known: dict[str, ModelRoute] = {}
        self._is_up = True

    def read(self) -> tuple[ModelRoute, ...]:
        """Return how models are routed now."""
        try:
            revision = self._store.revision()
            if revision != self._revision:
                self._known, self._revision = self._anew(), revision
            self._is_up = True
        except StoreUnavailable as error:
            if self._is_up:
                _log.warning("the watch takes routes for unchanged: %s", error)
            self._is_up = False
        return tuple(self._known.values())

    def _anew(self) -> dict[str, ModelRoute]:
        found = {}
        for document in self._store.read_prefix(route_key("")):
            model = document.key.removeprefix(route_key(""))
            try:
                route = decode_route(document.body, document.revision)
                found[model] = ModelRoute(model, route.stable, route.stop is not None, route.resumed_at)
            except DocumentInvalid as error:
                _log.error("the watch takes the route of %s for unchanged: %s", model, error)
                found |= {model: self._known[model]} if model in self._known else {}
        return found
