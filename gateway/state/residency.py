"""The stored form of what operators asked to have loaded or unloaded, and how a verb changes it."""

from __future__ import annotations

from gateway.catalog.residency import Residency
from gateway.codec.documents import decode_document, encode_document
from gateway.state.store import Document

__all__ = ["decode_residency", "encode_residency", "residency_key", "with_loaded", "with_unloaded", "without_wish"]


def residency_key(model: str) -> str:
    """Return the key under which a model's residency is stored."""
    return f"residency/{model}"


def encode_residency(residency: Residency) -> bytes:
    """Write residency as canonical JSON."""
    return encode_document(residency)


def decode_residency(document: Document | None) -> Residency:
    """Read a stored residency; nothing stored means no wishes."""
    return decode_document(document.body, Residency, source="residency document") if document else Residency()


def with_loaded(wishes: Residency, version: str) -> Residency:
    """Return the wishes after a load."""
    return Residency(_with(wishes.pinned, version), _without(wishes.unloaded, version))


def with_unloaded(wishes: Residency, version: str) -> Residency:
    """Return the wishes after an unload."""
    return Residency(_without(wishes.pinned, version), _with(wishes.unloaded, version))


def without_wish(wishes: Residency, version: str) -> Residency:
    """Return the wishes without any for a version."""
    return Residency(_without(wishes.pinned, version), _without(wishes.unloaded, version))


def _with(versions: tuple[str, ...], version: str) -> tuple[str, ...]:
    return tuple(sorted({*versions, version}))


def _without(versions: tuple[str, ...], version: str) -> tuple[str, ...]:
    return tuple(item for item in versions if item != version)
