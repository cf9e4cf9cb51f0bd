"""Exports: the chain as JSON Lines, each record with the proof that the tree of the first line holds it.

The first line names form, size and root, and carries a checkpoint where there is one. Who gets a single line and a
checkpoint can check the one against the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from gateway.audit.checkpoint import Checkpoint
from gateway.audit.examination import Examination, examine, examined
from gateway.audit.merkle import MerkleTree, root_of_proof
from gateway.audit.stored import StoredRecord
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid, Fault
from gateway.state.store import AuditRecord

__all__ = ["FORM", "LINE_BYTES", "examine_export", "export_lines"]

FORM = "weir-audit-1"
LINE_BYTES = 16 * 1024 * 1024
_ROOT = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. ``root`` is 64 hexadecimal digits; ``resource`` is what was selected, ``None`` for everything."""

    form: str
    size: int
    root: str
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One record and its inclusion proof: node hashes in hexadecimal, from the leaf upwards."""

    record: AuditRecord
    proof: tuple[str, ...]


def export_lines(entries: Sequence[StoredRecord], resource: str | None = None) -> Iterator[bytes]:
    """Give the lines of an export, without their ends.

    Parameters
    ----------
    entries
        All of the chain, examined and found whole.
    resource
        Write only the records of this resource; their proofs are those of the whole chain.
    """
    records = [decode_document(entry.body, AuditRecord, source=f"record {entry.place}") for entry in entries]
    tree = MerkleTree([bytes.fromhex(record.hash) for record in records])
    yield encode_document(Header(FORM, len(records), tree.root().hex(), resource))
    for index, record in enumerate(records):
        if resource in (None, record.resource):
            yield encode_document(Line(record, tuple(step.hex() for step in tree.proof(index))))


def examine_export(file: BinaryIO, checkpoints: Sequence[Checkpoint]) -> Examination:
    """Examine an export: order, hashes, proofs and, where everything was exported, the chain.

    Raises
    ------
    DocumentInvalid
        The file does not begin as an export does.
    """
    header = decode_document(_line(file) or b"", Header, source="first line")
    if header.form != FORM or header.size < 0 or not _ROOT.fullmatch(header.root):
        raise DocumentInvalid("first line", [Fault("/form", "value", f"an export of form {FORM}", repr(header.form))])
    proofs = _Proofs(header)
    if header.resource is None:
        found = examine(proofs.entries(file), checkpoints)
        if (found.size, found.root.hex()) != (header.size, header.root):
            found.find(
                f"the {found.size} records here are not the {header.size} of the first line, by number or by root"
            )
    else:
        found = _examined_selection(proofs, file, checkpoints)
    for fault in proofs.faults:
        found.find(fault)
    return found


def _examined_selection(proofs: _Proofs, file: BinaryIO, checkpoints: Sequence[Checkpoint]) -> Examination:
    header, found = proofs.header, Examination(root=bytes.fromhex(proofs.header.root))
    last = 0
    for entry in proofs.entries(file):
        record = examined(entry, found)
        if record is None:
            continue
        found.size += 1
        sequence = record.sequence
        if sequence <= last:
            found.find(f"record {sequence}: comes after record {last}: records were reordered or doubled")
        if record.resource != header.resource:
            found.find(f"record {sequence}: is of {record.resource!r}, and only {header.resource!r} was exported")
        last = sequence
    same_size = [checkpoint for checkpoint in checkpoints if checkpoint.size == header.size]
    if any(checkpoint.root.hex() != header.root for checkpoint in same_size):
        found.find("the first line has another root than the checkpoint of the same size")
    found.limits.append("only one resource was exported: that records of it were left out would not show here")
    if not same_size:
        found.limits.append(f"no checkpoint over {header.size} records was given: the root is only the file's own word")
    return found


class _Proofs:
    """Reads lines, and checks each record's hash and proof on the way."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.faults: list[str] = []

    def entries(self, file: BinaryIO) -> Iterator[StoredRecord]:
        number = 1
        while line := _line(file):
            number += 1
            try:
                read = decode_document(line, Line, source=f"line {number}")
                is_whole = encode_document(read) == line.removesuffix(b"\n")
            except (DocumentInvalid, ValueError, RecursionError) as error:
                self.faults.append(f"line {number}: was changed after it was written: it cannot be read ({error})")
                continue
            if not is_whole:
                self.faults.append(f"line {number}: was changed after it was written")
            yield self._checked(read)

    def _checked(self, line: Line) -> StoredRecord:
        record = line.record
        try:
            leaf, steps = bytes.fromhex(record.hash), [bytes.fromhex(step) for step in line.proof]
        except ValueError:
            leaf, steps = b"", []
        root = root_of_proof(leaf, record.sequence - 1, self.header.size, steps)
        if root is None or root.hex() != self.header.root:
            self.faults.append(f"record {record.sequence}: its proof does not lead to the root of the first line")
        return StoredRecord(str(record.sequence), encode_document(record), record.hash, record.resource)


def _line(file: BinaryIO) -> bytes:
    line = file.readline(LINE_BYTES + 1)
    if len(line) > LINE_BYTES:
        raise DocumentInvalid("export", [Fault("", "value", f"lines of at most {LINE_BYTES} bytes", "a longer one")])
    return line
