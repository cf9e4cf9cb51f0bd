"""Tampering with the audit chain where it is kept: every kind of byte edited, records removed, reordered, cut off."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import redis

from gateway.audit.checkpoint import Checkpoint
from gateway.audit.examination import NO_CHECKPOINT, Examination, examine
from gateway.audit.export import examine_export, export_lines
from gateway.audit.stored import AuditSource, StoredRecord
from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.state.ledger import seal
from gateway.state.redis import RedisStore
from gateway.state.redis_audit import RedisAudit
from gateway.state.sqlite import SqliteStore
from gateway.state.sqlite_audit import SqliteAudit
from gateway.state.store import EMPTY_HEAD, AuditRecord
from tests.redis_server import RedisServer
from tests.state.ground import change

RECORDS = 6
BASE = "weir:{weir}:"


def filled(store: SqliteStore | RedisStore) -> None:
    for number in range(RECORDS):
        change(store, f"route/{'ab'[number % 2]}", f"version {number}")
    store.close()


def whole(source: AuditSource, checkpoints: Sequence[Checkpoint] = ()) -> Examination:
    try:
        found = examine(source.entries(), checkpoints)
        for fault in source.faults():
            found.find(fault)
    finally:
        source.close()
    return found


def checkpoint_of(found: Examination) -> Checkpoint:
    return Checkpoint("weir", found.size, found.root, "2026-01-31T12:00:00Z", "apart", is_signed=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    filled(SqliteStore(path))
    return path


@pytest.fixture
def entries(path: Path) -> list[StoredRecord]:
    source = SqliteAudit(path)
    found = list(source.entries())
    source.close()
    return found


def edited(path: Path, statement: str) -> Examination:
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute(statement)
    connection.close()
    return whole(SqliteAudit(path))


def test_a_chain_that_nobody_touched_is_whole_and_only_its_limit_is_told(path: Path) -> None:
    found = whole(SqliteAudit(path))
    assert (found.size, found.total, found.limits) == (RECORDS, 0, [NO_CHECKPOINT])
    again = whole(SqliteAudit(path), [checkpoint_of(found)])
    assert (again.total, again.limits) == (0, [f"what was recorded after record {RECORDS} is covered by no checkpoint"])


def test_no_part_of_a_record_can_be_changed(entries: list[StoredRecord]) -> None:
    body = entries[2].body
    for at in range(0, len(body), 5):
        changed = replace(entries[2], body=body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        assert examine([*entries[:2], changed, *entries[3:]]).total, body[max(0, at - 20) : at + 1]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        pytest.param("UPDATE audit SET hash = 'f' || substr(hash, 2) WHERE hash NOT LIKE 'f%'", "the hash", id="hash"),
        pytest.param("UPDATE audit SET resource = 'route/x' WHERE sequence = 3", "the resource", id="resource"),
        pytest.param("UPDATE audit SET sequence = 60 WHERE sequence = 3", "the sequence '60'", id="sequence"),
        pytest.param("UPDATE audit SET sequence = -3 WHERE sequence = 3", "the sequence '-3'", id="negative"),
        pytest.param("UPDATE audit SET record = CAST(record || ' ' AS BLOB) WHERE sequence = 3", "changed", id="space"),
        pytest.param("UPDATE audit SET record = x'00' WHERE sequence = 3", "cannot be read", id="unreadable"),
        pytest.param("DELETE FROM audit WHERE sequence = 3", "record 3 is missing", id="deleted"),
        pytest.param("DELETE FROM audit WHERE sequence IN (2, 3)", "records 2 to 3 are missing", id="two-deleted"),
        pytest.param("DELETE FROM audit WHERE sequence < 3", "records 1 to 2 are missing", id="beginning-cut"),
    ],
)
def test_an_edit_of_the_state_file_is_found(path: Path, statement: str, told: str) -> None:
    found = edited(path, statement)
    assert any(told in finding for finding in found.findings), found.findings


def test_records_that_changed_places_are_found(path: Path) -> None:
    found = edited(
        path,
        "UPDATE audit SET (hash, resource, record) = (SELECT hash, resource, record FROM audit AS other"
        " WHERE other.sequence = 7 - audit.sequence) WHERE sequence IN (3, 4)",
    )
    assert any("reordered" in finding for finding in found.findings)


def test_a_cut_end_is_found_against_a_checkpoint_and_without_one_it_is_said_that_nobody_can_tell(path: Path) -> None:
    kept = checkpoint_of(whole(SqliteAudit(path)))
    found = edited(path, "DELETE FROM audit WHERE sequence > 4")
    assert (found.total, found.limits) == (0, [NO_CHECKPOINT])
    assert "2 were cut off" in whole(SqliteAudit(path), [kept]).findings[0]
    change(store := SqliteStore(path), "route/c", "later")
    change(store, "route/c", "much later")
    store.close()
    assert "not those of the checkpoint" in whole(SqliteAudit(path), [kept]).findings[0]


def test_a_chain_that_was_written_anew_is_found_against_a_checkpoint_only(entries: list[StoredRecord]) -> None:
    kept = checkpoint_of(examine(entries[:4]))
    forged, head = [], EMPTY_HEAD.hash
    for entry in entries:
        record = replace(decode_document(entry.body, AuditRecord, source="r"), previous_hash=head, reason="a lie")
        record = seal(record)
        head = record.hash
        forged.append(StoredRecord(entry.place, encode_document(record), record.hash, record.resource))
    assert examine(forged).total == 0
    assert "not those of the checkpoint" in examine(forged, [kept]).findings[0]


def test_another_table_in_the_place_of_the_log_is_found(path: Path) -> None:
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.executescript(
            "CREATE TABLE other AS SELECT * FROM audit; DROP TABLE audit; ALTER TABLE other RENAME TO audit;"
            "UPDATE audit SET record = NULL, hash = 7 WHERE sequence = 3"
        )
    connection.close()
    assert any("cannot be read" in finding for finding in whole(SqliteAudit(path)).findings)


@pytest.mark.parametrize(
    "value", [pytest.param('"\\ud800"', id="surrogate"), pytest.param("[" * 400 + "]" * 400, id="deep")]
)
def test_a_value_without_a_canonical_form_is_a_finding_and_no_failure(entries: list[StoredRecord], value: str) -> None:
    body = entries[2].body.replace(b'"version 2"', value.encode())
    assert body != entries[2].body
    assert examine([*entries[:2], replace(entries[2], body=body), *entries[3:]]).total
    lines = exported(entries).replace(b'"version 2"', value.encode())
    assert examine_export(BytesIO(lines), ()).total


def test_a_file_that_is_no_state_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nobody"):
        SqliteAudit(tmp_path / "nobody.db")
    assert not (tmp_path / "nobody.db").exists()
    (tmp_path / "text.db").write_text("no database, but long enough to be read as the head of one" * 20)
    source = SqliteAudit(tmp_path / "text.db")
    with pytest.raises(StoreUnavailable, match="not a database"):
        list(source.entries())
    source.close()


def exported(entries: Sequence[StoredRecord], resource: str | None = None) -> bytes:
    return b"".join(line + b"\n" for line in export_lines(entries, resource))


def test_an_export_is_whole_and_agrees_with_a_checkpoint(entries: list[StoredRecord]) -> None:
    kept = checkpoint_of(examine(entries))
    assert examine_export(BytesIO(exported(entries)), [kept]).total == 0
    found = examine_export(BytesIO(exported(entries, "route/a")), [kept])
    assert (found.size, found.total, len(found.limits)) == (RECORDS // 2, 0, 1)


@pytest.mark.parametrize("resource", [None, "route/a"])
def test_no_part_of_an_export_can_be_changed(entries: list[StoredRecord], resource: str | None) -> None:
    kept, text = checkpoint_of(examine(entries)), exported(entries, resource)
    for at in range(0, len(text), 61):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        try:
            found = examine_export(BytesIO(changed), [kept])
        except DocumentInvalid:
            continue
        assert found.total or len(found.limits) > 1, text[max(0, at - 20) : at + 1]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(lambda lines: [*lines[:3], *lines[4:]], "record 3 is missing", id="deleted"),
        pytest.param(lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "reordered", id="reordered"),
        pytest.param(lambda lines: [*lines[:3], lines[3], *lines[3:]], "doubled", id="doubled"),
        pytest.param(lambda lines: lines[:-1], "not the 6 of the first line", id="truncated"),
        pytest.param(lambda lines: [*lines, b"{}\n"], "cannot be read", id="appended"),
    ],
)
def test_lines_of_an_export_that_were_moved_are_found(
    entries: list[StoredRecord], edit: Callable[[list[bytes]], list[bytes]], told: str
) -> None:
    lines = exported(entries).splitlines(keepends=True)
    found = examine_export(BytesIO(b"".join(edit(lines))), ())
    assert any(told in finding for finding in found.findings), found.findings


@pytest.mark.parametrize("text", [b"", b"{}\n", b"[" * 100_000, b'{"form":"weir-audit-2","size":0,"root":""}\n'])
def test_what_is_no_export_is_refused(text: bytes) -> None:
    with pytest.raises(DocumentInvalid):
        examine_export(BytesIO(text), ())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    server.tell("FLUSHALL")
    filled(RedisStore(server.address, timeout_s=5))
    with server.client() as client:
        yield client


def member(client: redis.Redis, sequence: int) -> bytes:
    (found,) = client.zrangebyscore(BASE + "audit", sequence, sequence)
    assert isinstance(found, bytes)
    return found


def replace_member(client: redis.Redis, sequence: int, body: bytes, score: float | None = None) -> None:
    client.zremrangebyscore(BASE + "audit", sequence, sequence)
    client.zadd(BASE + "audit", {body: sequence if score is None else score})


def in_redis(server: RedisServer, checkpoints: Sequence[Checkpoint] = ()) -> Examination:
    return whole(RedisAudit(RedisStore(server.address, timeout_s=5)), checkpoints)


def cut_end(client: redis.Redis) -> None:
    client.zremrangebyscore(BASE + "audit", 5, "+inf")
    client.hset(BASE + "head", mapping={"sequence": 4, "hash": member(client, 4)[:64]})


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(lambda c: replace_member(c, 3, b"0" * 64 + member(c, 3)[64:]), "the hash", id="hash"),
        pytest.param(
            lambda c: replace_member(c, 3, member(c, 3).replace(b"version 2", b"version 9")), "changed", id="record"
        ),
        pytest.param(lambda c: replace_member(c, 3, member(c, 3), 3.5), "the sequence '3.5'", id="score"),
        pytest.param(lambda c: replace_member(c, 3, b"x"), "cannot be read", id="unreadable"),
        pytest.param(lambda c: c.zremrangebyscore(BASE + "audit", 3, 3), "record 3 is missing", id="deleted"),
        pytest.param(lambda c: c.zremrangebyscore(BASE + "audit", 5, 6), "the head names record 6", id="end-cut"),
        pytest.param(lambda c: c.hset(BASE + "head", "hash", "0" * 64), "the head names record 6", id="head-hash"),
        pytest.param(lambda c: c.delete(BASE + "head"), "the head stands at record 0", id="head-gone"),
        pytest.param(lambda c: c.zrem(BASE + "audit-of/route/a", 3), "the index of its resource hides", id="index"),
    ],
)
def test_an_edit_of_redis_is_found(
    server: RedisServer, client: redis.Redis, edit: Callable[[redis.Redis], object], told: str
) -> None:
    edit(client)
    found = in_redis(server)
    assert any(told in finding for finding in found.findings), found.findings


def test_records_that_changed_places_in_redis_are_found(server: RedisServer, client: redis.Redis) -> None:
    third, fourth = member(client, 3), member(client, 4)
    replace_member(client, 3, fourth)
    client.zadd(BASE + "audit", {third: 4, fourth: 3})
    assert any("reordered" in finding for finding in in_redis(server).findings)


def test_an_end_of_redis_cut_with_its_head_is_found_against_a_checkpoint_only(
    server: RedisServer, client: redis.Redis
) -> None:
    found = in_redis(server)
    assert (found.size, found.total) == (RECORDS, 0)
    cut_end(client)
    assert in_redis(server).total == 0
    assert "2 were cut off" in in_redis(server, [checkpoint_of(found)]).findings[0]
