"""Release records, approvals and policies for the tests of governance."""

from __future__ import annotations

from typing import Any

from gateway.codec.documents import encode_document
from gateway.governance.approvals import Approval, ApprovalDocument, BreakGlass
from gateway.governance.declared import declared_key
from gateway.governance.policy import Policy
from gateway.governance.standing import Candidate
from gateway.release.stored import ReleaseRecord, encode_release, release_key
from gateway.state.ledger import Ledger
from gateway.state.store import StateStore, Write
from gateway.types import Actor

__all__ = ["CANDIDATE", "NOW_S", "POLICY", "approval", "declare", "document", "grant", "record", "release"]

NOW_S = 1_000.0
POLICY = Policy(models={"fraud": "high"})
CANDIDATE = Candidate("fraud", "2", "sha256:" + "2" * 64)
SETTER = Actor("setter")


def record(**changes: Any) -> ReleaseRecord:
    """Return a passed record of version 2 under the policy, at tier high."""
    given: dict[str, Any] = {
        "model": "fraud",
        "version": "2",
        "digest": CANDIDATE.digest,
        "tier": "high",
        "against": "",
        "against_digest": "",
        "policy_digest": POLICY.digest,
        "holdout_digest": "sha256:" + "a" * 64,
        "holdout_rows": 100,
        "checked_at": "2026-11-27T12:00:00Z",
        "outcome": "pass",
        "gates": (),
        "report_sha256": "r" * 64,
        "submitted_by": "rita",
        "submitted_at": "2026-11-27T12:00:00Z",
    }
    return ReleaseRecord(**{**given, **changes})


def approval(subject: str, **changes: Any) -> Approval:
    """Return an approval on that record, in force for another 100 seconds."""
    given: dict[str, Any] = {
        "subject": subject,
        "role": "approver",
        "at": NOW_S,
        "expires_at": NOW_S + 100,
        "release_report_sha256": "r" * 64,
    }
    return Approval(**{**given, **changes})


def grant(subject: str = "oscar", **changes: Any) -> BreakGlass:
    """Return a break-glass grant, in force for another 100 seconds."""
    given: dict[str, Any] = {"subject": subject, "role": "operator", "reason": "incident", "ticket": "T-1"}
    return BreakGlass(**{**given, "at": NOW_S, "expires_at": NOW_S + 100, **changes})


def document(*approvals: Approval, grants: tuple[BreakGlass, ...] = ()) -> ApprovalDocument:
    """Return what is stored of version 2."""
    return ApprovalDocument(
        model="fraud", version="2", digest=CANDIDATE.digest, approvals=approvals, grants=grants, revision=1
    )


def declare(store: StateStore, ledger: Ledger, version: str, digest: str, **identity: Any) -> None:
    """Write what a version declared when it was loaded."""
    key = declared_key("fraud", version)
    _write(store, ledger, key, encode_document({"digest": digest, **identity}))


def release(store: StateStore, ledger: Ledger, given: ReleaseRecord | None = None) -> None:
    """Write a release record."""
    kept = given or record()
    _write(store, ledger, release_key(kept.model, kept.digest), encode_release(kept))


def _write(store: StateStore, ledger: Ledger, key: str, body: bytes) -> None:
    known = store.read(key)
    writes = [Write(key, known.revision if known else 0, body)]
    ledger.change(writes, actor=SETTER, action="test.set", resource=key, before=None, after=None)
