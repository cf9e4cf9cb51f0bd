"""What the watch knows of routes."""

from __future__ import annotations

import logging

from gateway.routing.codec import decode_route, route_key
from gateway.state.reader import DocumentReader
from gateway.state.store import Document, StateStore
from monitors.records import ModelRoute

__all__ = ["route_reader"]


def route_reader(store: StateStore) -> DocumentReader[ModelRoute]:
    """Return the reader of how all models of a store are routed."""
    return DocumentReader(store, route_key(""), _known, logging.getLogger("weir.routing"))


def _known(model: str, document: Document) -> ModelRoute:
    route = decode_route(document.body, document.revision)
    return ModelRoute(model, route.stable, route.stop is not None, route.resumed_at)
