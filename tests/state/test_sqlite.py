"""What is particular to the SQLite store: the file, and how its errors are told."""

import sqlite3
import stat
from pathlib import Path

import pytest

from gateway.errors import StoreUnavailable
from gateway.state.sqlite import SqliteStore


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    store.announce("w", b"x", ttl_s=1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        SqliteStore(path)


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreUnavailable, match="schema_version"):
        SqliteStore(path)


def test_the_file_of_a_newer_weir_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    SqliteStore(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE schema_version SET version = 2")
    connection.close()
    with pytest.raises(StoreUnavailable, match="schema version 2"):
        SqliteStore(path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        SqliteStore(tmp_path / "no" / "state.db")


def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    store.close()
    with pytest.raises(StoreUnavailable):
        store.revision()
    with pytest.raises(StoreUnavailable):
        store.announce("w", b"", ttl_s=1)
