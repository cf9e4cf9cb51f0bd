"""What is particular to the Redis store: the server, its failures, and how they are told."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.errors import RevisionStale, StoreUnavailable
from gateway.state.known import Standing, StoreBehind
from gateway.state.ledger import Ledger, seal, verify
from gateway.state.redis import RedisStore
from gateway.state.store import Write
from gateway.types import Actor
from tests.certificates import make_certificate
from tests.end_to_end.running import free_port
from tests.redis_server import RedisServer
from tests.state.ground import body_of, change

SECRET = "hush-hush"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(server.address, timeout_s=0.3)
    yield store
    store.close()


def answered_within(call: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            call()
            return
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_of_two_writers_one_wins_each_revision_and_the_chain_is_whole(server: RedisServer, store: RedisStore) -> None:
    won: list[tuple[str, int]] = []
    about: dict[str, Any] = {"action": "set", "resource": "a", "before": None, "after": None}

    def write(name: str) -> None:
        own = RedisStore(server.address, timeout_s=5)
        ledger = Ledger(own, SystemClock())
        while (revision := current(own)) < 50:
            try:
                ledger.change([Write("a", revision, name.encode())], actor=Actor(name), **about)
            except RevisionStale:
                continue
            won.append((name, revision + 1))
        own.close()

    def current(own: RedisStore) -> int:
        document = own.read("a")
        return document.revision if document else 0

    threads = [threading.Thread(target=write, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(revision for _, revision in won) == list(range(1, 51))
    assert verify(store.audit(limit=1_000)) == store.head()


def test_a_commit_that_is_sent_twice_is_made_once(store: RedisStore) -> None:
    record = change(store, "a", "1")
    store.commit([Write("a", 0, b"1")], record)
    document = store.read("a")
    assert document is not None
    assert (document.revision, store.revision()) == (1, 1)


def test_scripts_that_the_server_has_forgotten_are_sent_again(server: RedisServer, store: RedisStore) -> None:
    change(store, "a", "1")
    server.tell("SCRIPT", "FLUSH")
    change(store, "a", "2")
    assert body_of(store, "a") == "2"


def test_a_server_that_stops_is_away_and_is_found_again(server: RedisServer, store: RedisStore) -> None:
    change(store, "a", "1")
    server.tell("SAVE")
    server.stop()
    with pytest.raises(StoreUnavailable, match="refused"):
        store.read("a")
    server.start()
    answered_within(lambda: change(store, "a", "2"), 5)


def test_a_server_that_hangs_holds_callers_until_the_time_out_and_is_then_left_alone(server: RedisServer) -> None:
    store = RedisStore(server.address, timeout_s=1.0)
    change(store, "a", "1")
    before = connections(server)
    server.freeze()
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"[Tt]imeout"):
            store.read("a")
    server.thaw()
    assert connections(server) == before + 1, "a caller after the first connected anew and waited"  # the one is ours
    answered_within(lambda: store.read("a"), 5)
    store.close()


def connections(server: RedisServer) -> int:
    """Return how many connections the server has ever taken, with the one that asks."""
    with server.client() as client:
        return int(client.info("stats")["total_connections_received"])


def test_what_was_shown_is_not_unseen(server: RedisServer, store: RedisStore) -> None:
    change(store, "a", "1", epoch=3)
    server.tell("FLUSHALL")
    with pytest.raises(StoreBehind) as caught:
        store.read("a")
    assert caught.value.found == Standing()
    with pytest.raises(StoreBehind):
        store.revision()


def test_namespaces_do_not_see_each_other(server: RedisServer, store: RedisStore) -> None:
    other = RedisStore(server.address, namespace="other")
    change(store, "a", "1")
    other.announce("w", b"1", ttl_s=60)
    assert (other.read("a"), other.revision(), store.announcements()) == (None, 0, {})
    other.close()


def test_all_keys_of_a_gateway_are_in_one_slot(server: RedisServer, store: RedisStore) -> None:
    change(store, "route/m", "1")
    store.announce("w", b"1", ttl_s=60)
    keys = server.tell("KEYS", "*")
    assert isinstance(keys, list)
    assert len(keys) == 8
    assert all(key.startswith(b"weir:{weir}:") for key in keys)


def test_more_than_a_page_is_read_whole_and_in_order(store: RedisStore) -> None:
    change(store, "a", "1")
    record = seal(replace(change(store, "a", "2"), sequence=3, previous_hash=store.head().hash))
    store.commit([Write(f"k/{n:04}", 0, b"1") for n in range(600)], record)
    assert [document.key for document in store.read_prefix("k/")] == [f"k/{n:04}" for n in range(600)]
    assert len(store.changes(0)[1]) == 601


def test_the_servers_clock_ends_announcements(store: RedisStore) -> None:
    store.announce("w1", b"1", ttl_s=0.05)
    store.announce("w2", b"2", ttl_s=60)
    deadline = time.monotonic() + 5
    while store.announcements() != {"w2": b"2"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("password", ["", "guess-1"])
def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path, password: str) -> None:
    with RedisServer(tmp_path, password=SECRET) as server:
        right = RedisStore(server.address, password=SECRET)
        assert right.revision() == 0
        right.close()
        wrong = RedisStore(server.address, password=password)
        with pytest.raises(StoreUnavailable, match="does not take this user and password") as caught:
            wrong.revision()
        assert SECRET not in str(caught.value)
        assert not password or password not in str(caught.value)
        wrong.close()


def test_what_a_newer_weir_wrote_is_refused(server: RedisServer, store: RedisStore) -> None:
    server.tell("HSET", "weir:{weir}:head", "format", "2")
    with pytest.raises(StoreUnavailable, match="format 2"):
        store.revision()


def test_a_full_server_refuses_and_says_why(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--maxmemory", "1") as server:
        store = RedisStore(server.address)
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            change(store, "a", "1")
        store.close()


def test_a_closed_store_is_unavailable(server: RedisServer) -> None:
    store = RedisStore(server.address)
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.revision()


def test_it_works_on_the_primary_of_a_cluster(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        server.tell("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        store = RedisStore(server.address)
        answered_within(lambda: change(store, "route/m", "1"), 10)
        store.announce("w", b"1", ttl_s=60)
        assert [document.key for document in store.read_prefix("route/")] == ["route/m"]
        assert [record.resource for record in store.audit(resource="route/m")] == ["route/m"]
        assert store.announcements() == {"w": b"1"}
        store.close()


def test_the_permissions_in_the_documentation_are_enough(server: RedisServer, repo_root: Path) -> None:
    page = (repo_root / "docs/operations.md").read_text(encoding="utf-8")
    rules = page[page.index("`~weir:{NAMESPACE}:*") + 1 :].partition("`")[0].replace("{NAMESPACE}", "{weir}").split()
    server.tell("ACL", "SETUSER", "ann", "on", f">{SECRET}", *rules)
    store = RedisStore(server.address.replace("//", "//ann@"), password=SECRET)
    change(store, "a", "1")
    store.announce("w", b"1", ttl_s=60)
    store.retire("w")
    assert (store.announcements(), len(store.audit()), len(store.changes(0)[1])) == ({}, 1, 1)
    assert len(store.audit(resource="a")) == len(store.read_prefix("a")) == 1
    assert store.restore(store.standing(), [], store.audit(), 0) is not None
    store.close()
    other = RedisStore(server.address.replace("//", "//ann@"), password=SECRET, namespace="other")
    with pytest.raises(StoreUnavailable, match="permission"):
        other.revision()
    other.close()


def test_tls_is_spoken_with_a_server_that_is_trusted_only(tmp_path: Path) -> None:
    made, port = make_certificate(tmp_path), free_port()
    flags = ("--tls-port", str(port), "--tls-cert-file", str(made.cert), "--tls-key-file", str(made.key))
    with RedisServer(tmp_path, *flags, "--tls-auth-clients", "no"):
        trusting = RedisStore(f"rediss://127.0.0.1:{port}/0", ca_file=str(made.cert), timeout_s=5)
        change(trusting, "a", "1")
        assert body_of(trusting, "a") == "1"
        trusting.close()
        careful = RedisStore(f"rediss://127.0.0.1:{port}/0", timeout_s=5)
        with pytest.raises(StoreUnavailable, match=r"(?i)certificate"):
            careful.revision()
        careful.close()


def test_a_unix_socket_is_an_address_too(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--unixsocket", str(tmp_path / "redis.sock")):
        store = RedisStore(f"unix://{tmp_path}/redis.sock")
        change(store, "a", "1")
        assert body_of(store, "a") == "1"
        store.close()


def test_a_commit_is_told_to_those_who_listen(server: RedisServer, store: RedisStore) -> None:
    listener = RedisStore(server.address)
    assert not listener.await_commit(0.01)  # subscribed from here on
    change(store, "a", "1")
    assert listener.await_commit(5.0)
    assert not listener.await_commit(0.01)
    listener.close()


def test_a_user_who_may_not_publish_loses_the_hint_and_not_the_commit(server: RedisServer, store: RedisStore) -> None:
    server.tell("ACL", "SETUSER", "ann", "on", "nopass", "resetchannels", "+@all", "~*")
    ann = RedisStore(server.address.replace("//", "//ann@"), password="any")
    change(ann, "a", "1")
    assert body_of(store, "a") == "1"
    with pytest.raises(StoreUnavailable, match="channel"):
        ann.await_commit(0.01)
    ann.close()


def test_a_listener_outlives_its_server(server: RedisServer, store: RedisStore) -> None:
    listener = RedisStore(server.address, timeout_s=0.3)
    listener.await_commit(0.01)
    server.stop()
    with pytest.raises(StoreUnavailable):
        listener.await_commit(5.0)
    server.start()
    assert not listener.await_commit(0.01)
    answered_within(lambda: change(store, "a", "1"), 5.0)
    assert listener.await_commit(5.0)
    listener.close()
