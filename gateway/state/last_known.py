"""The last known documents on this host's disk, for a process that starts while the state store is away."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid
from gateway.state.known import Entry, Known, Standing
from gateway.state.store import AuditRecord

__all__ = ["LastKnownFile"]

_log = logging.getLogger("weir.state")


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    revision: int
    body: str | None


@dataclass(frozen=True, slots=True)
class _Content:
    standing: Standing
    entries: tuple[_Entry, ...]
    records: tuple[AuditRecord, ...]


class LastKnownFile:
    """One file, replaced whole, of mode 0600: sequence and SHA-256 in the first line, then canonical JSON.

    The processes of a host share it; the one that knows more writes. Safe from any thread and process. Blocks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Known | None:
        """Return what was known last; nothing where there is no file, or none that can be trusted."""
        try:
            first, _, content = self.path.read_bytes().partition(b"\n")
            if first.split()[1:] != [_digest(content)]:
                raise DocumentInvalid(str(self.path), [])
            return _decoded(decode_document(content, _Content, source=str(self.path)))
        except FileNotFoundError:
            return None
        except (OSError, DocumentInvalid) as error:
            _log.error("the last known documents in %s cannot be used: %s", self.path, type(error).__name__)
            return None

    def sequence(self) -> int:
        """Return how far the file is, from its first line; -1 where there is none."""
        try:
            with self.path.open("rb") as file:
                return int(file.readline(128).split()[0])
        except (OSError, ValueError, IndexError):
            return -1

    def save(self, known: Known, *, replacing: bool = False) -> None:
        """Write what is known, unless the file already knows as much; ``replacing`` writes in any case.

        Raises
        ------
        OSError
        """
        with self._locked():
            if replacing or known.standing.sequence > self.sequence():
                self._replace(_encoded(known))

    def _replace(self, data: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.path.with_name(self.path.name + ".lock")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _encoded(known: Known) -> bytes:
    entries = tuple(
        _Entry(entry.key, entry.revision, None if entry.body is None else entry.body.decode())
        for entry in known.entries.values()
    )
    content = encode_document(_Content(known.standing, entries, known.records))
    return b"%d %s\n%s" % (known.standing.sequence, _digest(content), content)


def _decoded(content: _Content) -> Known:
    entries = {
        entry.key: Entry(entry.key, entry.revision, None if entry.body is None else entry.body.encode())
        for entry in content.entries
    }
    return Known(content.standing, entries, content.records)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
