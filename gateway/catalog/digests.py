"""The digest that each version had when it was first loaded, for good, and the key that has signed it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

from gateway.catalog.bundle import Bundle
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import RevisionStale, VersionRefused
from gateway.state.ledger import Ledger
from gateway.state.store import StateStore, Write
from gateway.types import Actor

__all__ = ["DigestRegister", "KnownDigest", "KnownSignature"]


@dataclass(frozen=True, slots=True)
class KnownDigest:
    """The stored document ``digest/<model>/<version>``."""

    digest: str


@dataclass(frozen=True, slots=True)
class KnownSignature:
    """The stored document ``signature/<model>/<version>``: the key whose signature held when it was loaded last."""

    signed_by: str


class DigestRegister:
    """Remembers first digests in the state store, with an audit record each. Blocks; safe from any process.

    Parameters
    ----------
    ledger
        Writes.
    store
        Reads; the store that ``ledger`` writes to.
    """

    def __init__(self, ledger: Ledger, store: StateStore) -> None:
        self._ledger = ledger
        self._store = store

    def check(self, bundle: Bundle) -> None:
        """Hold the bundle to the digest recorded first, where there is one. Raises as ``admit`` does."""
        known = self._known(bundle)
        if known is not None:
            _compare(bundle, known)

    def admit(self, bundle: Bundle, actor: Actor) -> None:
        """Record the bundle's digest, or check it against the one recorded first; and record who signed it.

        Raises
        ------
        VersionRefused
            The version was loaded before with other content.
        StoreUnavailable
            The store does not answer.
        """
        _compare(bundle, self._known(bundle) or self._record(bundle, actor))
        if bundle.signed_by:
            self._record_signature(bundle, actor)

    def of(self, model: str, version: str) -> str | None:
        """Return the digest that a version had when it was first loaded; ``None`` for one that never was."""
        document = self._store.read(_key(model, version))
        return None if document is None else decode_document(document.body, KnownDigest, source=document.key).digest

    def _known(self, bundle: Bundle) -> str | None:
        return self.of(bundle.model, bundle.version)

    def _record(self, bundle: Bundle, actor: Actor) -> str:
        """Return the digest that is recorded in the end: another process may be faster."""
        after = {"digest": bundle.digest}
        write = Write(_key(bundle.model, bundle.version), 0, encode_document(after))
        try:
            self._ledger.change(
                [write], actor=actor, action="version.admit", resource=write.key, before=None, after=after
            )
        except RevisionStale:
            return self._known(bundle) or self._record(bundle, actor)
        return bundle.digest

    def _record_signature(self, bundle: Bundle, actor: Actor) -> None:
        key = f"signature/{bundle.model}/{bundle.version}"
        document = self._store.read(key)
        before = None if document is None else decode_document(document.body, KnownSignature, source=key)
        after = KnownSignature(bundle.signed_by)
        if before == after:
            return
        write = Write(key, 0 if document is None else document.revision, encode_document(after))
        # Another process that was faster has recorded the same.
        with suppress(RevisionStale):
            self._ledger.change(
                [write],
                actor=actor,
                action="version.signature",
                resource=_key(bundle.model, bundle.version),
                before=before and asdict(before),
                after={**asdict(after), "digest": bundle.digest},
            )


def _compare(bundle: Bundle, known: str) -> None:
    if known != bundle.digest:
        why = (
            f"its content has digest {bundle.digest}, but it was first loaded with {known}; "
            "put the old files back, or publish the new ones as a new version"
        )
        raise VersionRefused(bundle.model, bundle.version, why)


def _key(model: str, version: str) -> str:
    return f"digest/{model}/{version}"
