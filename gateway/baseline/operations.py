"""What operators may ask of baselines, done against the state store: compare-and-set and audited, never automatic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from gateway.baseline.document import (
    BaselineDocument,
    BaselineRequest,
    baseline_key,
    baseline_view,
    decode_baseline,
    encode_baseline,
)
from gateway.codec.documents import decode_document
from gateway.errors import (
    DocumentInvalid,
    Fault,
    ModelUnknown,
    PreconditionMissing,
    ResourceUnknown,
    RevisionStale,
    VersionUnknown,
)
from gateway.fleet import Fleet
from gateway.state.ledger import Ledger, rfc3339
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from monitors.ports import Clock
from monitors.records import StreamInfo

__all__ = ["BaselineControl", "RefusalOfText"]

RefusalOfText = Callable[[bytes, StreamInfo | None], str]
"""Why a text is no evidence of a version, empty where it is. Without a version only the text itself is looked at."""


class _Repository(Protocol):
    def models(self) -> dict[str, list[str]]:
        """Return the versions of every model on disk."""


class BaselineControl:
    """Show, accept and reset the baseline of a model. Blocks; safe from any thread when the store is.

    Parameters
    ----------
    refusal_of_text
        What the evidence of an accepted baseline is held to.
    info_of
        What a version is, where it is loaded in this process.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: StateStore,
        clock: Clock,
        *,
        repository: _Repository,
        refusal_of_text: RefusalOfText,
        info_of: Callable[[str, str], StreamInfo | None],
    ) -> None:
        self._ledger, self._store, self._clock, self._repository = ledger, store, clock, repository
        self._refusal_of_text, self._info_of = refusal_of_text, info_of

    def get(self, model: str) -> BaselineDocument:
        """Return a model's accepted baseline.

        Raises
        ------
        ModelUnknown, ResourceUnknown
            No such model; a model without a baseline.
        """
        document = self._store.read(baseline_key(model))
        if document is not None:
            return decode_baseline(document)
        if model not in self._repository.models():
            raise ModelUnknown(model)
        raise ResourceUnknown(f"a baseline for model {model!r}")

    def accept(
        self, model: str, body: bytes, if_match: int | None, actor: Actor, request_id: str = ""
    ) -> BaselineDocument:
        """Make rows that ``body`` describes what drift of a version is measured against.

        Parameters
        ----------
        if_match
            Revision that is replaced; 0 for a model without a baseline.

        Raises
        ------
        PreconditionMissing, RevisionStale
            No revision, or not the present one.
        ModelUnknown, VersionUnknown
            There is no such version on disk.
        DocumentInvalid
            The body breaks its rules, or is of other contents of the version than the workers serve; its evidence
            cannot be read, is of another contract, or of too few rows.
        """
        asked = decode_document(body, BaselineRequest, source="body")
        self._require_version(model, asked)
        key, before = baseline_key(model), self._store.read(baseline_key(model))
        if if_match is None:
            raise PreconditionMissing(key)
        found = before.revision if before else 0
        if if_match != found:
            raise RevisionStale(key, if_match, found)
        self._require_evidence(model, asked)
        after = BaselineDocument(model, asked, rfc3339(self._clock.unix_s()), actor.subject)
        self._ledger.change(
            [Write(key, found, encode_baseline(after))],
            actor=actor,
            action="baseline.accept",
            resource=key,
            before=baseline_view(decode_baseline(before)) if before else None,
            after=baseline_view(replace(after, revision=found + 1)),
            reason=asked.reason,
            request_id=request_id,
        )
        return self.get(model)

    def reset(self, model: str, actor: Actor, reason: str = "", request_id: str = "") -> BaselineDocument:
        """Take a model's baseline away, so that its versions are held against their tables; return what it was.

        Raises
        ------
        ModelUnknown, ResourceUnknown
            As for ``get``.
        RevisionStale
            Somebody has just accepted another one.
        """
        before = self.get(model)
        self._ledger.change(
            [Write(baseline_key(model), before.revision, None)],
            actor=actor,
            action="baseline.reset",
            resource=baseline_key(model),
            before=baseline_view(before),
            after=None,
            reason=reason,
            request_id=request_id,
        )
        return before

    def _require_version(self, model: str, asked: BaselineRequest) -> None:
        versions = self._repository.models().get(model)
        if versions is None:
            raise ModelUnknown(model)
        if asked.version not in versions:
            raise VersionUnknown(model, asked.version)
        statuses = Fleet.of(self._store.announcements()).statuses(model, asked.version)
        served = {status.digest for status in statuses.values() if status.digest}
        if served and asked.digest not in served:
            expected = f"the digest that is served, {' or '.join(sorted(served))}"
            raise DocumentInvalid("body", [Fault("/digest", "value", expected, repr(asked.digest))])

    def _require_evidence(self, model: str, asked: BaselineRequest) -> None:
        """Refuse a text that the watch could not use: it would leave the version without the baseline, unnoticed."""
        info = self._info_of(model, asked.version)
        known = info if info is not None and info.digest == asked.digest else None
        if why := self._refusal_of_text(asked.evidence.encode(), known):
            expected = f"an evidence model of {model} version {asked.version}, as weir baseline accept makes it"
            raise DocumentInvalid("body", [Fault("/evidence", "value", expected, why)])
