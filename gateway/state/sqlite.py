"""The state store in one SQLite file: the embedded default, shared by every process of a host."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.clock import SystemClock
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import RevisionStale, StoreUnavailable
from gateway.state.store import EMPTY_HEAD, AuditRecord, ChainHead, Document, EpochStale, HeadMoved, Write
from monitors.ports import Clock

__all__ = ["SqliteStore"]

SCHEMA_VERSION = 1
BUSY_S = 5.0
OPEN_ATTEMPTS = 100
OPEN_PAUSE_S = 0.05
PAST_ALL_TEXT = "\U0010ffff"
SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
CREATE TABLE documents (
    key TEXT PRIMARY KEY, revision INTEGER NOT NULL, body BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY, hash TEXT NOT NULL, resource TEXT NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_resource ON audit (resource, sequence);
CREATE TABLE fence (epoch INTEGER NOT NULL) STRICT;
CREATE TABLE announcements (
    worker TEXT PRIMARY KEY, facts BLOB NOT NULL, expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO fence VALUES (0);
"""
LEASES = """
CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires_at REAL NOT NULL
) STRICT, WITHOUT ROWID
"""


class SqliteStore:
    """Documents, audit chain and announcements in one file, made with mode 0600 where it does not exist.

    Parameters
    ----------
    path
        The file; its folder must exist. SQLite keeps ``-wal`` and ``-shm`` files beside it.
    clock
        Decides when announcements end.

    Raises
    ------
    StoreUnavailable
        The file cannot be opened, is no Weir state, or was written by a newer Weir.

    Notes
    -----
    Open it anew in each process; never carry it over a fork. All threads of a process share one connection under a
    lock: writers wait for each other in SQLite anyway, and a read costs microseconds. A wait for another process's
    write is bounded by 5 s.

    Commits are synced (``synchronous=FULL``): who was told that a rollback is done must find it done after a power cut,
    and changes are rare. Announcements are not (``NORMAL``): they come every second, and one lost in a power cut was a
    worker that is gone too. Neither can corrupt the file, and a killed process loses nothing in either mode.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._connection = _opened(path)

    def read(self, key: str) -> Document | None:
        """Return the document, or ``None``."""
        query = "SELECT key, revision, body FROM documents WHERE key = ? AND body IS NOT NULL"
        return next((Document(*row) for row in self._rows(query, key)), None)

    def read_prefix(self, prefix: str) -> list[Document]:
        """Return all documents whose key starts with ``prefix``, by key."""
        query = "SELECT key, revision, body FROM documents WHERE key >= ? AND key < ? AND body IS NOT NULL ORDER BY key"
        return [Document(*row) for row in self._rows(query, prefix, prefix + PAST_ALL_TEXT)]

    def revision(self) -> int:
        """Return the number of commits: one look at the end of an index."""
        return self.head().sequence

    def head(self) -> ChainHead:
        """Return the last record's sequence and hash."""
        query = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"
        return next((ChainHead(*row) for row in self._rows(query)), EMPTY_HEAD)

    def commit(self, writes: Sequence[Write], record: AuditRecord, epoch: int | None = None) -> None:
        """Apply all writes and append the record, or nothing; see the protocol."""
        with self._writing("FULL"):
            if epoch is not None:
                self._raise_fence(epoch)
            for write in writes:
                self._write(write)
            head = self.head()
            if (record.sequence, record.previous_hash) != (head.sequence + 1, head.hash):
                raise HeadMoved
            row = (record.sequence, record.hash, record.resource, encode_document(record))
            self._connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?)", row)

    def audit(self, after: int = 0, limit: int = 100, resource: str | None = None) -> list[AuditRecord]:
        """Return up to ``limit`` records with a sequence above ``after``, oldest first, optionally of one resource."""
        only = "" if resource is None else "AND resource = ?"
        query = f"SELECT record FROM audit WHERE sequence > ? {only} ORDER BY sequence LIMIT ?"
        arguments = (after, limit) if resource is None else (after, resource, limit)
        rows = self._rows(query, *arguments)
        return [decode_document(record, AuditRecord, source="audit record") for (record,) in rows]

    def announce(self, worker: str, facts: bytes, ttl_s: float) -> None:
        """Say that a worker lives and what it has; forgotten after ``ttl_s`` without another announcement."""
        with self._writing("NORMAL"):
            now = self._clock.unix_s()  # not before: the wait for another's write would count as a clock that went back
            ends = now + ttl_s
            self._connection.execute("DELETE FROM announcements WHERE expires_at <= ?", (now,))
            # One that seems to last longer than this was made before the clock went back; its worker may be dead.
            self._connection.execute("UPDATE announcements SET expires_at = ? WHERE expires_at > ?", (ends, ends))
            self._connection.execute("INSERT OR REPLACE INTO announcements VALUES (?, ?, ?)", (worker, facts, ends))

    def retire(self, worker: str) -> None:
        """Forget a worker at once."""
        with self._writing("NORMAL"):
            self._connection.execute("DELETE FROM announcements WHERE worker = ?", (worker,))

    def announcements(self) -> dict[str, bytes]:
        """Return the facts of all workers that live."""
        query = "SELECT worker, facts FROM announcements WHERE expires_at > ? ORDER BY worker"
        return dict(self._rows(query, self._clock.unix_s()))

    def lease(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew a lease; see the protocol."""
        now = self._clock.unix_s()
        with self._writing("NORMAL"):
            query = "SELECT holder, epoch, expires_at FROM leases WHERE name = ?"
            found, epoch, expires_at = self._connection.execute(query, (name,)).fetchone() or ("", 0, now)
            # A lease that seems to last longer than any was taken before the clock went back.
            if found != holder and now < expires_at <= now + ttl_s:
                return None
            if found != holder:
                # At once, not with its first commit: the holder before can commit no more from here on.
                epoch = self._connection.execute("UPDATE fence SET epoch = epoch + 1 RETURNING epoch").fetchone()[0]
            row = (name, holder, epoch, now + ttl_s)
            self._connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", row)
            return int(epoch)

    def close(self) -> None:
        """Release the connection; the store must not be used afterwards."""
        with self._lock:
            self._connection.close()

    def _raise_fence(self, epoch: int) -> None:
        raised = self._connection.execute("UPDATE fence SET epoch = ? WHERE epoch <= ?", (epoch, epoch))
        if not raised.rowcount:
            raise EpochStale(f"epoch {epoch} is over")

    def _write(self, write: Write) -> None:
        # A deleted document stays as a row without body: its revision goes on counting when it returns.
        query = "SELECT revision, body IS NOT NULL FROM documents WHERE key = ?"
        revision, exists = self._connection.execute(query, (write.key,)).fetchone() or (0, False)
        found = revision if exists else 0
        if found != write.expected_revision:
            raise RevisionStale(write.key, write.expected_revision, found)
        row = (write.key, revision + 1, write.body)
        self._connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", row)

    def _rows(self, query: str, *arguments: object) -> list[Any]:
        with self._lock, _translated():
            return self._connection.execute(query, arguments).fetchall()

    @contextmanager
    def _writing(self, synchronous: str) -> Iterator[None]:
        with self._lock, _translated():
            self._connection.execute(f"PRAGMA synchronous={synchronous}")
            with _transaction(self._connection):
                yield


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _opened(path: Path) -> sqlite3.Connection:
    try:
        # Only ever made, never opened, by hand: closing a second descriptor would drop SQLite's locks in this process.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    with _translated():
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _retried_while_busy(lambda: _prepare(connection))
        except BaseException:
            connection.close()
            raise
        return connection


def _retried_while_busy(action: Callable[[], None]) -> None:
    """Repeat what SQLite refuses at once, without its own wait, while another process turns the file to WAL."""
    for left in reversed(range(OPEN_ATTEMPTS)):
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(OPEN_PAUSE_S)
    return None


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL").fetchone()
    with _transaction(connection):
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in filter(str.strip, SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION,))
        connection.execute(LEASES)  # files of the first releases have none
        found = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    if found != SCHEMA_VERSION:
        raise StoreUnavailable(f"the file has schema version {found}, this Weir reads {SCHEMA_VERSION}")
