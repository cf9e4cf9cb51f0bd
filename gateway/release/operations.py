"""What operators may do with release records, against the state store: hand one over, look at it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from gateway.catalog.digests import DigestRegister
from gateway.errors import DocumentInvalid, Fault, ModelUnknown, ResourceUnknown, VersionNotWarm, VersionUnknown
from gateway.release.document import ReleaseReport, decode_report
from gateway.release.stored import (
    ReleaseRecord,
    decode_release,
    encode_release,
    record_of,
    release_key,
    release_view,
)
from gateway.state.ledger import Ledger, rfc3339
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock

__all__ = ["ReleaseControl"]

MOST_AHEAD_S = 300.0
"""How far the clock of the machine that checked may be ahead of this one."""


class _Repository(Protocol):
    def models(self) -> dict[str, list[str]]:
        """Return the versions of every model on disk."""


class ReleaseControl:
    """Keep and show release records. Blocks; safe from any thread when the store is."""

    def __init__(self, ledger: Ledger, store: StateStore, clock: Clock, *, repository: _Repository) -> None:
        self._ledger, self._store, self._clock, self._repository = ledger, store, clock, repository
        self._digests = DigestRegister(ledger, store)

    def get(self, model: str, version: str) -> ReleaseRecord:
        """Return the record of a version's present bytes.

        Raises
        ------
        ModelUnknown, VersionUnknown, ResourceUnknown
            No such model or version; a version that nobody has handed a report of.
        """
        self._require_version(model, version)
        digest = self._digests.of(model, version)
        document = self._store.read(release_key(model, digest)) if digest else None
        if document is None:
            raise ResourceUnknown(f"a release report of {model} version {version}")
        return decode_release(document)

    def submit(self, model: str, version: str, body: bytes, actor: Actor, request_id: str = "") -> ReleaseRecord:
        """Keep what a report says in the place of an earlier one, with an audit record in the same transaction.

        The very report that is kept already changes nothing: it stays whose it was, who may not approve it.

        Parameters
        ----------
        body
            The bytes of ``report.json``. Their SHA-256 is kept, so that the file can be held to the record later.

        Raises
        ------
        ModelUnknown, VersionUnknown
            There is no such version on disk.
        VersionNotWarm
            The version has never been loaded here, so that nobody knows which bytes it is.
        DocumentInvalid
            The report breaks its rules, is about another version or other bytes, or comes from the future.
        RevisionStale
            Somebody has just handed over another one.
        """
        report = decode_report(body, source="body")
        self._require_version(model, version)
        self._require_same(report, model, version)
        key = release_key(model, report.digest)
        before = self._store.read(key)
        found = before.revision if before else 0
        sha256, kept = hashlib.sha256(body).hexdigest(), decode_release(before) if before else None
        if kept is not None and kept.report_sha256 == sha256:
            return kept
        record = record_of(report, sha256, by=actor.subject, at=self._now())
        after = replace(record, revision=found + 1)
        self._ledger.change(
            [Write(key, found, encode_release(record))],
            actor=actor,
            action="release.submit",
            resource=key,
            before=release_view(kept) if kept else None,
            after=release_view(after),
            request_id=request_id,
        )
        return after

    def _require_version(self, model: str, version: str) -> None:
        versions = self._repository.models().get(model)
        if versions is None:
            raise ModelUnknown(model)
        if version not in versions:
            raise VersionUnknown(model, version)

    def _require_same(self, report: ReleaseReport, model: str, version: str) -> None:
        digest = self._digests.of(model, version)
        if digest is None:
            why = f"none has ever loaded it, so its digest is not known; weir load {model} {version} first"
            raise VersionNotWarm(model, version, why)
        latest = rfc3339(self._clock.unix_s() + MOST_AHEAD_S)
        told = {
            "/model": (report.model, model),
            "/version": (report.version, version),
            "/digest": (report.digest, digest),
        }
        faults = [Fault(at, "value", expected, found) for at, (found, expected) in told.items() if found != expected]
        if datetime.fromisoformat(report.checked_at) > datetime.fromisoformat(latest):
            faults.append(Fault("/checked_at", "value", f"no time after {latest}", report.checked_at))
        if faults:
            raise DocumentInvalid("body", faults)

    def _now(self) -> str:
        return rfc3339(self._clock.unix_s())
