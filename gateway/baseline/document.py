"""The stored baseline of a model, and how it is shown."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from gateway.codec.documents import decode_document, encode_document
from gateway.codec.strict import exact
from gateway.state.store import Document

__all__ = [
    "MOST_EVIDENCE_BYTES",
    "BaselineDocument",
    "BaselineRequest",
    "baseline_key",
    "baseline_view",
    "decode_baseline",
    "encode_baseline",
]

MOST_EVIDENCE_BYTES = 7 * 1024**2
LONGEST_REASON = 500
MOST_FACTOR = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRequest:
    """What an operator hands over: the evidence model of rows that were normal, and what replays say of it.

    Parameters
    ----------
    version, digest
        Whose answers the rows are.
    source, begin, end, rows
        Where the rows come from, their times (empty without any), and how many they are.
    factor
        By how much thresholds rise so that the promise holds.
    pages_per_week
        The promise that replays kept; ``None`` where nobody said it. The watch keeps its own, times ``factor``.
    predicted, upper
        False pages that replays foretell in the time of one allowed page, and the bound of that.
    evidence
        Text of the evidence model.
    reason
        Why these rows are normal.
    """

    version: str
    digest: str
    source: str
    begin: str = ""
    end: str = ""
    rows: int
    factor: float = 1.0
    pages_per_week: float | None = None
    predicted: float
    upper: float
    evidence: str
    reason: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.reason.strip()) <= LONGEST_REASON:
            raise ValueError(f"reason is 1 to {LONGEST_REASON} characters that say why")
        if not 1.0 <= self.factor <= MOST_FACTOR:
            raise ValueError(f"factor is from 1 to {exact(MOST_FACTOR)}")
        if self.pages_per_week is not None and not 0.0 < self.pages_per_week < inf:
            raise ValueError("pages_per_week is above 0, and finite")
        if self.rows < 1 or not 0.0 <= self.predicted <= self.upper <= 1.0:
            raise ValueError("rows are at least 1, and predicted <= upper <= 1: the promise holds")
        if not 2 <= len(self.evidence.encode()) <= MOST_EVIDENCE_BYTES:
            raise ValueError(f"evidence is text of at most {MOST_EVIDENCE_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class BaselineDocument:
    """An accepted baseline. ``revision`` is the store's and no part of the stored body."""

    model: str
    accepted: BaselineRequest
    accepted_at: str
    accepted_by: str
    revision: int = 0


def baseline_key(model: str) -> str:
    """Return the key of a model's baseline in the store."""
    return f"baseline/{model}"


def encode_baseline(baseline: BaselineDocument) -> bytes:
    """Return the stored body."""
    body = asdict(baseline)
    del body["revision"]
    return encode_document(body)


def decode_baseline(document: Document) -> BaselineDocument:
    """Read a stored baseline; raise ``DocumentInvalid``."""
    stored = decode_document(document.body, BaselineDocument, source=document.key)
    return BaselineDocument(stored.model, stored.accepted, stored.accepted_at, stored.accepted_by, document.revision)


def baseline_view(baseline: BaselineDocument) -> dict[str, Any]:
    """Return what is shown and audited: everything but the text of the evidence, of which its hash."""
    view = asdict(baseline.accepted)
    text = view.pop("evidence").encode()
    return {
        "model": baseline.model,
        "revision": baseline.revision,
        **view,
        "evidence_bytes": len(text),
        "evidence_sha256": hashlib.sha256(text).hexdigest(),
        "accepted_at": baseline.accepted_at,
        "accepted_by": baseline.accepted_by,
    }
