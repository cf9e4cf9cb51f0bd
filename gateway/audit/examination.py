"""The examination of an audit chain: every record, the order, the tree, and what checkpoints say of them.

Pure: entries in, findings out. What cannot be known is said as well, as a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from gateway.audit.checkpoint import Checkpoint
from gateway.audit.merkle import Frontier
from gateway.audit.stored import StoredRecord
from gateway.codec.documents import decode_document
from gateway.errors import DocumentInvalid
from gateway.state.ledger import sealed_body
from gateway.state.store import EMPTY_HEAD, AuditRecord

__all__ = ["MOST_FINDINGS", "Examination", "examine", "examined"]

MOST_FINDINGS = 100
NO_CHECKPOINT = (
    "without a checkpoint that is kept elsewhere nobody can tell whether records were cut off the end, or all of them "
    "written anew: give --checkpoint"
)


@dataclass(slots=True)
class Examination:
    """What was found. ``size`` counts records that were read, ``root`` is their Merkle root, ``head`` the last hash.

    ``findings`` holds the first ``MOST_FINDINGS`` of ``total``; ``limits`` is what could not be checked and why.
    """

    size: int = 0
    root: bytes = b""
    head: str = EMPTY_HEAD.hash
    findings: list[str] = field(default_factory=list)
    total: int = 0
    limits: list[str] = field(default_factory=list)

    def find(self, what: str) -> None:
        """Add a finding."""
        self.total += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(what)


def examine(entries: Iterable[StoredRecord], checkpoints: Sequence[Checkpoint] = ()) -> Examination:
    """Examine a whole chain, from its first record on.

    Parameters
    ----------
    entries
        Read once, one at a time: memory grows with the logarithm of the chain.
    checkpoints
        In any order.

    Notes
    -----
    One edit is often found several times: by its own hash, by the record after it, and by the root.
    """
    found, tree = Examination(), Frontier()
    due: dict[int, list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        due.setdefault(checkpoint.size, []).append(checkpoint)
    _hold(found, tree, due.pop(0, ()))
    sequence, head = EMPTY_HEAD.sequence, EMPTY_HEAD.hash
    for entry in entries:
        record = examined(entry, found)
        if record is None:
            continue
        if record.sequence != sequence + 1:
            found.find(_misplaced(record.sequence, sequence))
        elif record.previous_hash != head:
            found.find(f"record {record.sequence}: does not continue the record before it: one of them was replaced")
        sequence, head = record.sequence, record.hash
        tree.append(bytes.fromhex(record.hash))
        _hold(found, tree, due.pop(tree.size, ()))
    found.size, found.root, found.head = tree.size, tree.root(), head
    for late in (checkpoint for size in sorted(due) for checkpoint in due[size]):
        found.find(
            f"a checkpoint was signed at {late.time} over {late.size} records, and only {tree.size} are here: "
            f"{late.size - tree.size} were cut off or left out"
        )
    found.limits += _limits(checkpoints)
    return found


def examined(entry: StoredRecord, found: Examination) -> AuditRecord | None:
    """Return an entry's record with the hash that it should have, and find what is wrong with the entry by itself."""
    name = f"record {entry.place}"
    try:
        record = decode_document(entry.body, AuditRecord, source=name)
    except DocumentInvalid as error:
        fault = error.faults[0] if error.faults else error
        found.find(f"{name}: was changed after it was written: it cannot be read any more ({fault})")
        return None
    try:
        digest, body = sealed_body(record)
    except (ValueError, RecursionError):
        # Lone surrogates and deep nesting: JSON has them, and no writer of ours lets them in.
        found.find(f"{name}: was changed after it was written: it has no canonical form")
        return None
    if body != entry.body:
        found.find(f"{name}: was changed after it was written")
    kept = (
        (entry.place, str(record.sequence), "sequence"),
        (entry.hash, record.hash, "hash"),
        (entry.resource, record.resource, "resource"),
    )
    for stored, own, what in kept:
        if stored is not None and stored != own:
            found.find(f"{name}: is kept under the {what} {stored[:80]!r}, but says {own[:80]!r} itself")
    return replace(record, hash=digest)


def _misplaced(sequence: int, last: int) -> str:
    if sequence <= last:
        return f"record {sequence}: comes after record {last}: records were reordered or doubled"
    missing = f"record {last + 1} is" if sequence == last + 2 else f"records {last + 1} to {sequence - 1} are"
    return f"record {sequence}: {missing} missing before it"


def _hold(found: Examination, tree: Frontier, checkpoints: Sequence[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        if checkpoint.root != tree.root():
            found.find(
                f"the first {checkpoint.size} records are not those of the checkpoint of {checkpoint.time}: "
                "some were changed, replaced or left out since"
            )


def _limits(checkpoints: Sequence[Checkpoint]) -> list[str]:
    if not checkpoints:
        return [NO_CHECKPOINT]
    limits = []
    if not all(checkpoint.is_signed for checkpoint in checkpoints):
        limits.append("no signature was checked: give --verifier with the public key, or trust where the file was kept")
    if any(checkpoint.key == "shared" for checkpoint in checkpoints):
        limits.append("the serving user could read the key when a checkpoint was signed, and could have forged it")
    if any(checkpoint.key == "unknown" for checkpoint in checkpoints):
        limits.append("nobody could tell whether the serving user can read the key that signed a checkpoint")
    covered = max(checkpoint.size for checkpoint in checkpoints)
    return [*limits, f"what was recorded after record {covered} is covered by no checkpoint"]
