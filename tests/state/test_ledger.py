"""The audit chain: sealed, verified, and built on the head that stands."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gateway.errors import RevisionStale, StoreUnavailable
from gateway.state.ledger import ChainBroken, Ledger, verify
from gateway.state.sqlite import SqliteStore
from gateway.state.store import EMPTY_HEAD, AuditRecord, ChainHead, Write
from gateway.types import Actor


class FixedClock:
    def unix_s(self) -> float:
        return 1_700_000_000.25

    def monotonic_s(self) -> float:
        return 0.0


class OvertakenStore(SqliteStore):
    """Refuses the first ``times`` records, as if another writer came between."""

    def __init__(self, path: Path, times: int) -> None:
        super().__init__(path)
        self.times = times

    def commit(self, writes: Sequence[Write], record: AuditRecord, epoch: int | None = None) -> None:
        if self.times:
            self.times -= 1
            record = replace(record, sequence=record.sequence + 1)
        super().commit(writes, record, epoch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db")
    yield store
    store.close()


def change(ledger: Ledger, revision: int) -> AuditRecord:
    return ledger.change(
        [Write("route/m", revision, b"{}")],
        actor=Actor("ann", address="127.0.0.1"),
        action="route.set",
        resource="route/m",
        before=None,
        after={"weight": 10.0},
        reason="because",
        request_id="r1",
        evidence={"nats": 1.5},
    )


def test_a_change_says_who_when_what_and_why(store: SqliteStore) -> None:
    record = change(Ledger(store, FixedClock(), new_id=lambda: "id-1"), 0)
    assert record.actor == {"subject": "ann", "role": "admin", "method": "token", "address": "127.0.0.1", "token": ""}
    assert (record.sequence, record.id, record.time) == (1, "id-1", "2023-11-14T22:13:20.250000Z")
    assert (record.action, record.resource, record.reason, record.request_id) == (
        "route.set",
        "route/m",
        "because",
        "r1",
    )
    assert record.previous_hash == EMPTY_HEAD.hash
    stored = store.audit()
    assert stored == [record]


def test_the_hash_is_that_of_the_leaf_over_all_other_fields(store: SqliteStore) -> None:
    record = change(Ledger(store, FixedClock()), 0)
    fields = asdict(record)
    fields["after"]["weight"] = 10
    del fields["hash"]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert record.hash == hashlib.sha256(b"\x00" + text.encode()).hexdigest()


@pytest.fixture
def chain(store: SqliteStore) -> list[AuditRecord]:
    ledger = Ledger(store, FixedClock())
    return [change(ledger, revision) for revision in range(4)]


def test_a_whole_chain_and_its_pages_verify(chain: list[AuditRecord]) -> None:
    head = verify(chain)
    assert head == ChainHead(4, chain[-1].hash)
    assert verify(chain[2:], verify(chain[:2])) == head


@pytest.mark.parametrize(
    ("edit", "sequence"),
    [
        pytest.param(lambda chain: [chain[0], replace(chain[1], reason="other"), *chain[2:]], 2, id="edited"),
        pytest.param(lambda chain: [chain[0], *chain[2:]], 3, id="removed"),
        pytest.param(lambda chain: chain[1:], 2, id="head-cut"),
        pytest.param(lambda chain: [chain[0], chain[2], chain[1], chain[3]], 3, id="reordered"),
        pytest.param(lambda chain: [chain[0], replace(chain[1], previous_hash="0" * 64)], 2, id="relinked"),
    ],
)
def test_a_chain_that_was_tampered_with_is_found(chain: list[AuditRecord], edit: object, sequence: int) -> None:
    assert callable(edit)
    with pytest.raises(ChainBroken) as caught:
        verify(edit(chain))
    assert caught.value.sequence == sequence


def test_a_writer_that_was_overtaken_builds_on_the_new_head(tmp_path: Path) -> None:
    store = OvertakenStore(tmp_path / "state.db", times=3)
    pauses: list[float] = []
    record = change(Ledger(store, FixedClock(), pause=pauses.append), 0)
    assert record.sequence == 1
    assert len(pauses) == 3
    store.close()


def test_a_writer_that_never_gets_its_turn_gives_up(tmp_path: Path) -> None:
    store = OvertakenStore(tmp_path / "state.db", times=10_000)
    with pytest.raises(StoreUnavailable, match="50 times"):
        change(Ledger(store, FixedClock(), pause=lambda _: None), 0)
    assert store.read("route/m") is None
    store.close()


def test_a_stale_revision_comes_through(store: SqliteStore) -> None:
    with pytest.raises(RevisionStale):
        change(Ledger(store, FixedClock()), 3)
