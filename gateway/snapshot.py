"""What the store says of routes, residency and tokens, read as a whole; one that cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.access.tokens import PREFIX as TOKENS
from gateway.access.tokens import Token, decode_token
from gateway.catalog.residency import Residency
from gateway.codec.documents import decode_document
from gateway.errors import DocumentInvalid, Fault
from gateway.routing.codec import decode_route
from gateway.routing.document import RouteDocument
from gateway.state.store import Document, StateStore

__all__ = ["Snapshot", "read_snapshot", "route_in"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Routes, and residency with its revision, by model; tokens by id. ``unreadable``: why a document was not taken."""

    revision: int = -1
    routes: Mapping[str, RouteDocument] = field(default_factory=dict)
    residency: Mapping[str, tuple[int, Residency]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)


def read_snapshot(store: StateStore, revision: int, before: Snapshot) -> Snapshot:
    """Read all documents. Models whose document cannot be read keep what ``before`` says, tokens do not. Blocks.

    Raises
    ------
    gateway.errors.StoreUnavailable
    """
    unreadable: dict[str, str] = {}

    def readable(prefix: str, known: Mapping[str, _T], decode: Callable[[Document, str], _T]) -> dict[str, _T]:
        found: dict[str, _T] = {}
        for document in store.read_prefix(prefix):
            model = document.key.removeprefix(prefix)
            try:
                found[model] = decode(document, model)
            except DocumentInvalid as error:
                unreadable[document.key] = str(error)
                found |= {model: known[model]} if model in known else {}
        return found

    routes = readable("route/", before.routes, route_in)
    residency = readable("residency/", before.residency, _residency)
    tokens = readable(TOKENS, {}, lambda document, _: decode_token(document))
    return Snapshot(revision, routes, residency, unreadable, tokens)


def route_in(document: Document, model: str) -> RouteDocument:
    """Return the route that a model's document holds; raise ``DocumentInvalid`` where it cannot be read."""
    route = decode_route(document.body, document.revision)
    if route.model != model:
        raise DocumentInvalid(document.key, [Fault("/model", "value", repr(model), repr(route.model))])
    return route


def _residency(document: Document, _model: str) -> tuple[int, Residency]:
    return document.revision, decode_document(document.body, Residency, source=document.key)
