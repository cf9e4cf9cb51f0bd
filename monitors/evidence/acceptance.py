"""Acceptance: whether a text can stand as the evidence of a version, known before it is put to use."""

from __future__ import annotations

from monitors.evidence.document import Described, describe_text
from monitors.evidence.model import LEAST_REFERENCE_ROWS
from monitors.records import StreamInfo
from monitors.transport.documents import DocumentRefused

__all__ = ["refusal", "refusal_of_text"]


def refusal_of_text(text: bytes, info: StreamInfo | None) -> str:
    """Return why a text is no evidence of a version; empty where it is.

    Parameters
    ----------
    text
        What ``write_model`` wrote, or anything.
    info
        The version; ``None`` where nobody here knows its contract, and only the text itself is looked at.
    """
    try:
        described = describe_text(text)
    except DocumentRefused as exc:
        return str(exc)
    return refusal(described, info)


def refusal(described: Described, info: StreamInfo | None) -> str:
    """Return why a model is no evidence of a version: of another contract, or too short to promise anything."""
    if info is not None and (difference := _difference(described, info)):
        return difference
    if described.rows < LEAST_REFERENCE_ROWS:
        return f"fewer than {LEAST_REFERENCE_ROWS} reference rows"
    return ""


def _difference(described: Described, info: StreamInfo) -> str:
    """Return the first thing in which a model is of another contract."""
    if len(described.features) != len(info.features):
        return f"of another contract: {len(described.features)} features, the version has {len(info.features)}"
    for found, expected in zip(described.features, info.features, strict=True):
        if found != expected:
            return f"of another contract: its feature {found.name!r} is not the version's {expected.name!r}"
    return "" if described.output == info.output else "of another contract: the version answers otherwise"
