"""The stored release record of a version: what of a release report the control plane keeps and decides by."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from gateway.codec.documents import decode_document, encode_document
from gateway.release.document import GateResult, Outcome, ReleaseReport, Tier
from gateway.state.store import Document

__all__ = [
    "ReleaseRecord",
    "StoredGate",
    "decode_release",
    "encode_release",
    "record_of",
    "release_key",
    "release_view",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGate:
    """How one gate came out, without its numbers: these stay in the report."""

    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """The document ``release/{model}/{digest hex}``. ``revision`` is the store's and no part of the stored body.

    Parameters
    ----------
    digest
        ``sha256:`` digest of the bundle that was checked.
    tier
        Risk tier whose thresholds it was held to. It says nothing about a higher one.
    against, against_digest
        The version that it was compared with; empty where there was none.
    policy_digest
        Digest of the policy that it was checked by, in hexadecimal.
    holdout_digest
        ``sha256:`` digest of the table that it was checked on.
    checked_at, submitted_at
        RFC 3339.
    report_sha256
        Hexadecimal SHA-256 of the report's bytes, as they were submitted.
    submitted_by
        Subject whose token handed it over.
    """

    model: str
    version: str
    digest: str
    tier: Tier
    against: str
    against_digest: str
    policy_digest: str
    holdout_digest: str
    holdout_rows: int
    checked_at: str
    outcome: Literal["pass", "fail"]
    gates: tuple[StoredGate, ...]
    report_sha256: str
    submitted_by: str
    submitted_at: str
    revision: int = 0


def release_key(model: str, digest: str) -> str:
    """Return the key of the record of a bundle's digest.

    >>> release_key("loan", "sha256:ab12")
    'release/loan/ab12'
    """
    return f"release/{model}/{digest.removeprefix('sha256:')}"


def record_of(report: ReleaseReport, sha256: str, *, by: str, at: str) -> ReleaseRecord:
    """Return what is kept of a report whose bytes have this SHA-256."""
    return ReleaseRecord(
        model=report.model,
        version=report.version,
        digest=report.digest,
        tier=report.tier,
        against=report.against.version if report.against else "",
        against_digest=report.against.digest if report.against else "",
        policy_digest=report.policy_digest,
        holdout_digest=report.holdout.digest,
        holdout_rows=report.holdout.rows,
        checked_at=report.checked_at,
        outcome=report.outcome,
        gates=tuple(map(_kept, report.gates)),
        report_sha256=sha256,
        submitted_by=by,
        submitted_at=at,
    )


def encode_release(record: ReleaseRecord) -> bytes:
    """Return the stored body."""
    body = asdict(record)
    del body["revision"]
    return encode_document(body)


def decode_release(document: Document) -> ReleaseRecord:
    """Read a stored record; raise ``DocumentInvalid``."""
    stored = decode_document(document.body, ReleaseRecord, source=document.key)
    return replace(stored, revision=document.revision)


def release_view(record: ReleaseRecord) -> dict[str, Any]:
    """Return what is shown and audited."""
    return asdict(record)


def _kept(gate: GateResult) -> StoredGate:
    return StoredGate(name=gate.name, outcome=gate.outcome, detail=gate.detail)
