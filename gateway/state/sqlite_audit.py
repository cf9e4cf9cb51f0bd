"""The audit chain of a state file as it lies there, read without changing anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from urllib.parse import quote

from gateway.audit.stored import StoredRecord
from gateway.errors import StoreUnavailable

__all__ = ["SqliteAudit"]

MOST_FAULTS = 10


class SqliteAudit:
    """One state file, opened for reading; a running gateway may go on writing to it.

    Raises
    ------
    StoreUnavailable
        There is no such file, or it is no Weir state.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            found = path.stat()
            if not S_ISREG(found.st_mode):
                raise StoreUnavailable(f"{path} is no file")
            self._uid = found.st_uid
            address = f"file:{quote(str(path.resolve()))}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, timeout=5.0, isolation_level=None)
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{path}: {error}") from error

    def entries(self) -> Iterator[StoredRecord]:
        """Give all entries, from one snapshot of the file."""
        # By type too, nothing is believed: who can write the file can put another table in the place of this one.
        query = (
            "SELECT coalesce(CAST(sequence AS TEXT), ''), coalesce(CAST(record AS BLOB), x''),"
            " coalesce(CAST(hash AS TEXT), ''), coalesce(CAST(resource AS TEXT), '')"
            " FROM audit NOT INDEXED ORDER BY sequence"
        )
        try:
            for row in self._connection.execute(query):
                yield StoredRecord(*row)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error

    def faults(self) -> list[str]:
        """Return what SQLite itself finds wrong with the file: an index that hides a record, a torn page."""
        try:
            rows = self._connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})").fetchall()
        except sqlite3.Error as error:
            return [f"{self._path}: {error}"]
        return [f"{self._path}: {told}" for (told,) in rows if told != "ok"]

    def serving_uid(self) -> int | None:
        """Return the owner of the file."""
        return self._uid

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
