"""The route document as stored bytes, and as the admin API shows it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from gateway.codec.documents import decode_document, encode_document
from gateway.routing.document import FULL_BP, RouteDocument

__all__ = ["decode_route", "encode_route", "route_key", "route_view"]


def route_key(model: str) -> str:
    """Return the key under which a model's route is stored."""
    return f"route/{model}"


def encode_route(doc: RouteDocument) -> bytes:
    """Write a route as canonical JSON; its revision is the store's and is written as 0."""
    return encode_document(replace(doc, revision=0))


def decode_route(body: bytes, revision: int) -> RouteDocument:
    """Read what :func:`encode_route` wrote, at the store's revision; raise ``DocumentInvalid`` for anything else."""
    return replace(decode_document(body, RouteDocument, source="route document"), revision=revision)


def route_view(doc: RouteDocument) -> dict[str, Any]:
    """Show a route with its weights in percent.

    Examples
    --------
    >>> from gateway.routing.document import CanaryRoute
    >>> view = route_view(RouteDocument("fraud", 3, "1", "s", CanaryRoute("2", 3333)))
    >>> view["canary"], view["stable_weight"]
    ({'version': '2', 'weight': 33.33}, 66.67)
    """
    return {
        "model": doc.model,
        "revision": doc.revision,
        "stable": doc.stable,
        "stable_weight": _percent(doc.stable_bp),
        "canary": doc.canary and {"version": doc.canary.version, "weight": _percent(doc.canary.weight_bp)},
        "shadow": [{"version": shadow.version, "sample": _percent(shadow.sample_bp)} for shadow in doc.shadows],
        "previous_stable": doc.previous_stable,
        "salt": doc.salt,
        "reason": doc.reason,
        "updated_at": doc.updated_at,
        "updated_by": doc.updated_by,
        "stop": doc.stop and asdict(doc.stop),
    }


def _percent(basis_points: int) -> float:
    return basis_points * 100 / FULL_BP
