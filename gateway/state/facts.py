"""A worker's facts between the frozen value and the bytes of its announcement."""

from __future__ import annotations

from gateway.codec.documents import decode_document, encode_document
from gateway.types import WorkerFacts

__all__ = ["decode_facts", "encode_facts"]


def encode_facts(facts: WorkerFacts) -> bytes:
    """Write facts as canonical JSON."""
    return encode_document(facts)


def decode_facts(data: bytes) -> WorkerFacts:
    """Read what :func:`encode_facts` wrote; raise ``DocumentInvalid`` for anything else."""
    return decode_document(data, WorkerFacts, source="announcement")
