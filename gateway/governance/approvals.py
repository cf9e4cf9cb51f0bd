"""Who has consented to a bundle, and who goes without: the stored approvals and break-glass grants of a digest. Pure.

A consent is to a digest and not to a name, so that other content under the same version has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid, Fault
from gateway.state.ledger import rfc3339
from gateway.state.store import Document

__all__ = [
    "MOST_APPROVALS",
    "MOST_GRANTS",
    "PREFIX",
    "Approval",
    "ApprovalDocument",
    "BreakGlass",
    "approval_key",
    "approvals_view",
    "decode_approvals",
    "encode_approvals",
    "given",
    "granted",
    "is_same",
    "reviewed",
    "withdrawn",
]

PREFIX = "approval/"
MOST_APPROVALS = 64
MOST_GRANTS = 32
"""Entries that a document holds: of those that count no more the oldest are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One subject's consent. Times are Unix seconds; the second of ``expires_at`` is the first without it.

    ``release_report_sha256`` is that of the report which was the version's release record then; empty without one.
    """

    subject: str
    role: str
    at: float
    expires_at: float
    comment: str = ""
    release_report_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """One subject's decision to do without what is missing, for a few hours; somebody else reviews it afterwards."""

    subject: str
    role: str
    reason: str
    ticket: str
    at: float
    expires_at: float
    reviewed_by: str = ""
    reviewed_at: float = 0.0
    review: str = ""

    def is_in_force(self, now_s: float) -> bool:
        """Return whether it stands in for what is missing."""
        return now_s < self.expires_at

    @property
    def is_reviewed(self) -> bool:
        """Whether an approver has looked at it."""
        return bool(self.reviewed_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDocument:
    """The document ``approval/{model}/{digest hex}``: at most one approval a subject.

    ``applied`` are the newest idempotency keys of requests that were carried out; ``revision`` is the store's.
    """

    model: str
    version: str
    digest: str
    approvals: tuple[Approval, ...] = ()
    grants: tuple[BreakGlass, ...] = ()
    applied: tuple[str, ...] = ()
    revision: int = 0

    def grant_in_force(self, now_s: float) -> BreakGlass | None:
        """Return the newest grant that is in force."""
        return next((grant for grant in reversed(self.grants) if grant.is_in_force(now_s)), None)

    def unreviewed(self) -> tuple[BreakGlass, ...]:
        """Return the grants that nobody has reviewed, in force or not."""
        return tuple(grant for grant in self.grants if not grant.is_reviewed)


def approval_key(model: str, digest: str) -> str:
    """Return the key under which what was said of a digest is stored.

    >>> approval_key("loan", "sha256:ab12")
    'approval/loan/ab12'
    """
    return f"{PREFIX}{model}/{digest.removeprefix('sha256:')}"


def encode_approvals(document: ApprovalDocument) -> bytes:
    """Write a document as canonical JSON; its revision is the store's and is written as 0."""
    return encode_document(replace(document, revision=0))


def decode_approvals(stored: Document) -> ApprovalDocument:
    """Read what :func:`encode_approvals` wrote.

    Raises
    ------
    DocumentInvalid
        It cannot be read, or is that of another digest than its key says.
    """
    read = decode_document(stored.body, ApprovalDocument, source=stored.key)
    if approval_key(read.model, read.digest) != stored.key:
        raise DocumentInvalid(stored.key, [Fault("/digest", "value", "the digest of its key", repr(read.digest))])
    return replace(read, revision=stored.revision)


def is_same(one: str, other: str) -> bool:
    """Return whether two subjects are one: they are compared without regard to case."""
    return one.strip().casefold() == other.strip().casefold()


def given(document: ApprovalDocument, approval: Approval) -> ApprovalDocument:
    """Return the document with one more approval, in the place of an earlier one of the same subject."""
    others = _of_others(document, approval.subject)
    return replace(document, approvals=(*others, approval)[-MOST_APPROVALS:], revision=document.revision + 1)


def withdrawn(document: ApprovalDocument, subject: str) -> ApprovalDocument:
    """Return the document without a subject's approval."""
    return replace(document, approvals=_of_others(document, subject), revision=document.revision + 1)


def granted(document: ApprovalDocument, grant: BreakGlass) -> ApprovalDocument:
    """Return the document with one more grant; of those that were reviewed and are over, the oldest make room."""
    kept = list(document.grants)
    while len(kept) >= MOST_GRANTS and (old := next(_closed(kept, grant.at), None)) is not None:
        kept.remove(old)
    return replace(document, grants=(*kept, grant), revision=document.revision + 1)


def reviewed(document: ApprovalDocument, *, by: str, now_s: float, comment: str) -> ApprovalDocument:
    """Return the document with all grants that nobody had reviewed reviewed, but for those of the reviewer's own."""
    after = tuple(
        grant
        if grant.is_reviewed or is_same(grant.subject, by)
        else replace(grant, reviewed_by=by, reviewed_at=now_s, review=comment)
        for grant in document.grants
    )
    return replace(document, grants=after, revision=document.revision + 1)


def approvals_view(document: ApprovalDocument, now_s: float) -> dict[str, Any]:
    """Return a document as it is shown and audited: times as RFC 3339, and whether each entry counts still."""
    return {
        "model": document.model,
        "version": document.version,
        "digest": document.digest,
        "approvals": [{**_dated(asdict(one)), "is_expired": now_s >= one.expires_at} for one in document.approvals],
        "break_glass": [{**_dated(asdict(one)), "is_in_force": one.is_in_force(now_s)} for one in document.grants],
    }


def _closed(grants: list[BreakGlass], now_s: float) -> Iterator[BreakGlass]:
    return (grant for grant in grants if grant.is_reviewed and not grant.is_in_force(now_s))


def _of_others(document: ApprovalDocument, subject: str) -> tuple[Approval, ...]:
    return tuple(one for one in document.approvals if not is_same(one.subject, subject))


def _dated(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with its times in words; what has not happened has none."""
    times = {name: rfc3339(value) if value else None for name, value in entry.items() if isinstance(value, float)}
    return {**entry, **times}
