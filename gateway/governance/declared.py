"""What the bundle of a version says of itself, kept when it is loaded: its digest, its risk tier, its author.

The guard must not read the folder: what lies there may have been changed since the version was loaded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gateway.codec.documents import decode_document, encode_document
from gateway.errors import RevisionStale
from gateway.governance.policy import Tier
from gateway.state.ledger import Ledger
from gateway.state.store import Document, StateStore, Write
from gateway.types import Actor

if TYPE_CHECKING:
    from gateway.catalog.bundle import Bundle

__all__ = ["Declared", "DeclaredRegister", "declared_key", "decode_declared"]


@dataclass(frozen=True, slots=True)
class Declared:
    """The stored document ``declared/<model>/<version>``."""

    digest: str
    risk_tier: Tier | None = None
    author: str = ""


def declared_key(model: str, version: str) -> str:
    """Return the key under which a version's declaration is stored."""
    return f"declared/{model}/{version}"


def decode_declared(document: Document) -> Declared:
    """Read a stored declaration; raise ``DocumentInvalid``."""
    return decode_document(document.body, Declared, source=document.key)


class DeclaredRegister:
    """Remembers what bundles declare, with an audit record each. Blocks; safe from any process.

    A bundle that comes here has been held to the digest of its first load, so that of several processes all write the
    same.
    """

    def __init__(self, ledger: Ledger, store: StateStore) -> None:
        self._ledger, self._store = ledger, store

    def note(self, bundle: Bundle, actor: Actor) -> None:
        """Record what a bundle declares, where that is not what is known already."""
        key, identity = declared_key(bundle.model, bundle.version), bundle.manifest.identity
        after = Declared(bundle.digest, identity.risk_tier, identity.author or "")
        stored = self._store.read(key)
        before = decode_declared(stored) if stored else None
        if before == after:
            return
        try:
            self._ledger.change(
                [Write(key, stored.revision if stored else 0, encode_document(after))],
                actor=actor,
                action="version.declare",
                resource=key,
                before=asdict(before) if before else None,
                after=asdict(after),
            )
        except RevisionStale:
            return  # another process was first
