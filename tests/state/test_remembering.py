"""A store that remembers, on a real Redis that stops, freezes, and comes back empty or older."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import StoreUnavailable
from gateway.state.known import KEPT_RECORDS
from gateway.state.last_known import LastKnownFile
from gateway.state.ledger import verify
from gateway.state.redis import RedisStore
from gateway.state.remembering import RememberingStore
from gateway.state.store import EpochStale
from tests.redis_server import RedisServer
from tests.state.ground import body_of, change

Open = Callable[..., RememberingStore]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def opened(server: RedisServer, tmp_path: Path) -> Iterator[Open]:
    stores = []

    def open_one(host: str = "host") -> RememberingStore:
        store = RedisStore(server.address, timeout_s=0.3)
        stores.append(store)
        return RememberingStore(store, LastKnownFile(tmp_path / host), SystemClock())

    yield open_one
    for store in stores:
        store.close()


def actions(store: RememberingStore) -> list[str]:
    return [record.action for record in store.audit(limit=1_000)]


def test_reads_are_answered_from_memory_while_the_store_is_away(server: RedisServer, opened: Open) -> None:
    store = opened()
    change(store, "route/m", "1")
    server.stop()
    assert body_of(store, "route/m") == "1"
    for refused in (store.revision, store.head, store.audit, store.announcements):
        with pytest.raises(StoreUnavailable):
            refused()
    with pytest.raises(StoreUnavailable):
        change(store, "route/m", "2")


def test_a_process_that_starts_meanwhile_knows_it_too(server: RedisServer, opened: Open) -> None:
    first = opened()
    change(first, "route/m", "1")
    change(first, "route/n", "1")
    change(first, "route/n", None)
    server.stop()
    assert [document.key for document in opened().read_prefix("route/")] == ["route/m"]


def test_nothing_is_made_up_where_nothing_is_known(server: RedisServer, opened: Open) -> None:
    server.stop()
    with pytest.raises(StoreUnavailable):
        opened().read_prefix("route/")


def test_what_others_wrote_is_remembered_with_the_next_look(server: RedisServer, opened: Open) -> None:
    writer, reader = opened("a"), opened("b")
    change(writer, "route/m", "1")
    assert reader.revision() == 1
    server.stop()
    assert body_of(reader, "route/m") == "1"


@pytest.mark.parametrize("is_restarted", [False, True], ids=["flushed", "restarted without its data"])
def test_an_empty_store_gets_everything_back(server: RedisServer, opened: Open, is_restarted: bool) -> None:
    store = opened()
    change(store, "route/m", "1")
    change(store, "route/m", "2", epoch=4)
    change(store, "route/n", "1")
    change(store, "route/n", None)
    if is_restarted:
        server.stop()
        server.start()
    else:
        server.tell("FLUSHALL")
    assert body_of(store, "route/m") == "2"
    assert [document.revision for document in store.read_prefix("route/")] == [2]
    assert actions(store) == ["set"] * 4 + ["state.restore"]
    assert verify(store.audit()) == store.head()
    with pytest.raises(EpochStale):
        change(store, "route/m", "3", epoch=3)
    change(store, "route/n", "again")
    document = store.read("route/n")
    assert document is not None
    assert document.revision == 3


def test_an_older_backup_gets_back_what_it_lacks(server: RedisServer, opened: Open) -> None:
    store = opened()
    change(store, "route/m", "1")
    backup = server.back_up()
    change(store, "route/m", "2")
    change(store, "route/n", "1")
    server.restore(backup)
    assert [body_of(store, key) for key in ("route/m", "route/n")] == ["2", "1"]
    assert actions(store) == ["set"] * 3 + ["state.restore"]
    assert verify(store.audit()) == store.head()
    record = store.audit()[-1]
    assert (record.before["sequence"], record.after["sequence"]) == (1, 3)


def test_a_process_without_a_memory_of_its_own_restores_from_that_of_its_host(
    server: RedisServer, opened: Open
) -> None:
    change(opened(), "route/m", "1")
    server.tell("FLUSHALL")
    assert body_of(opened(), "route/m") == "1"


def test_the_highest_revision_wins_where_one_who_knew_less_restored_first(server: RedisServer, opened: Open) -> None:
    behind, ahead = opened("a"), opened("b")
    change(behind, "route/m", "1")
    change(behind, "route/n", "1")
    change(ahead, "route/m", "2")
    server.tell("FLUSHALL")
    assert body_of(behind, "route/m") == "1"
    change(behind, "route/n", "2")
    assert [body_of(ahead, key) for key in ("route/m", "route/n")] == ["2", "2"]
    assert body_of(behind, "route/m") == "2"
    change(behind, "route/m", "3")
    assert body_of(ahead, "route/m") == "3"
    assert actions(ahead).count("state.restore") == 2
    assert verify(ahead.audit()) == behind.head()


def test_a_new_chain_that_grew_past_the_known_one_takes_what_is_newer_here(server: RedisServer, opened: Open) -> None:
    first = opened("a")
    for body in ("1", "2"):
        change(first, "route/m", body)
    server.tell("FLUSHALL")
    stranger = opened("b")
    for body in ("x", "y", "z"):
        change(stranger, "route/n", body)
    assert [body_of(first, key) for key in ("route/m", "route/n")] == ["2", "z"]
    assert [body_of(stranger, key) for key in ("route/m", "route/n")] == ["2", "z"]


def test_several_who_find_it_empty_restore_it_once(server: RedisServer, opened: Open) -> None:
    stores = [opened("a"), opened("a"), opened("b")]
    change(stores[0], "route/m", "1")
    assert [store.revision() for store in stores] == [1, 1, 1]
    server.tell("FLUSHALL")
    assert [store.revision() for store in stores] == [2, 2, 2]
    assert actions(stores[0]) == ["set", "state.restore"]


def test_a_chain_longer_than_the_memory_goes_on_where_it_was(server: RedisServer, opened: Open) -> None:
    store = opened()
    for n in range(KEPT_RECORDS + 3):
        change(store, "route/m", str(n))
    head = store.head()
    server.tell("FLUSHALL")
    assert store.revision() == head.sequence + 1
    records = store.audit(limit=1_000)
    assert len(records) == KEPT_RECORDS + 1
    assert records[-1].previous_hash == head.hash


def test_a_folder_that_cannot_be_written_costs_only_the_memory(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = LastKnownFile(tmp_path / "gone" / "last-known")
    redis = RedisStore(server.address)
    store = RememberingStore(redis, file, SystemClock())
    change(store, "a", "1")
    change(store, "a", "2")
    assert body_of(store, "a") == "2"
    assert caplog.text.count("cannot be kept") == 1
    redis.close()
