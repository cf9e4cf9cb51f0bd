"""What every state store must do, on a real server where there is one. A new store joins by one entry in ``STORES``."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import RevisionStale
from gateway.state.last_known import LastKnownFile
from gateway.state.ledger import seal, verify
from gateway.state.redis import RedisStore
from gateway.state.remembering import RememberingStore
from gateway.state.sqlite import SqliteStore
from gateway.state.store import EMPTY_HEAD, AuditRecord, EpochStale, HeadMoved, StateStore, Write
from monitors.ports import Clock
from tests.redis_server import RedisServer


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def unix_s(self) -> float:
        return self.now

    def monotonic_s(self) -> float:
        return self.now


OpenStore = Callable[[Clock], StateStore]

INCREMENTER = """
import sys
from pathlib import Path
from gateway.clock import SystemClock
from gateway.errors import RevisionStale
from gateway.state.ledger import Ledger
from gateway.state.redis import RedisStore
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor

place = sys.argv[1]
store = RedisStore(place, timeout_s=10) if "://" in place else SqliteStore(Path(place))
ledger = Ledger(store, SystemClock())
print("ready", flush=True)
sys.stdin.readline()
done, stop_after = 0, int(sys.argv[2])
while done < stop_after:
    document = store.read("counter")
    value, revision = (int(document.body), document.revision) if document else (0, 0)
    write = Write("counter", revision, str(value + 1).encode())
    try:
        ledger.change([write], actor=Actor("p"), action="add", resource="counter", before=value, after=value + 1)
    except RevisionStale:
        continue
    done += 1
    print(done, flush=True)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


STORES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("redis", id="redis"),
    pytest.param("remembering", id="remembering"),
]
HOMES = [pytest.param("sqlite", id="sqlite"), pytest.param("redis", id="redis")]


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    if request.param == "sqlite":
        return lambda clock: SqliteStore(tmp_path / "state.db", clock=clock)
    address = emptied(request)
    if request.param == "redis":
        return lambda clock: RedisStore(address, timeout_s=5, clock=clock)
    file = LastKnownFile(tmp_path / "last-known")
    return lambda clock: RememberingStore(RedisStore(address, timeout_s=5, clock=clock), file, clock)


def emptied(request: pytest.FixtureRequest) -> str:
    server: RedisServer = request.getfixturevalue("server")
    server.tell("FLUSHALL")
    return server.address


@pytest.fixture(params=HOMES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "state.db") if request.param == "sqlite" else emptied(request)


def store_at(place: str) -> StateStore:
    return RedisStore(place, timeout_s=5) if "://" in place else SqliteStore(Path(place))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(open_store: OpenStore, clock: HandClock) -> Iterator[StateStore]:
    store = open_store(clock)
    yield store
    store.close()


def next_record(store: StateStore, resource: str = "thing") -> AuditRecord:
    head = store.head()
    draft = AuditRecord(
        sequence=head.sequence + 1,
        id=f"id-{head.sequence + 1}",
        time="2026-01-01T00:00:00.000000Z",
        actor={"subject": "ann"},
        action="set",
        resource=resource,
        before=None,
        after={"weight": 0.1, "name": "é"},
        reason="why",
        request_id="r",
        evidence={},
        previous_hash=head.hash,
        hash="",
    )
    return seal(draft)


def put(store: StateStore, key: str, expected: int, body: bytes | None = b"{}", epoch: int | None = None) -> None:
    store.commit([Write(key, expected, body)], next_record(store, key), epoch)


def test_a_new_store_is_empty(store: StateStore) -> None:
    assert store.read("a") is None
    assert store.read_prefix("") == []
    assert store.revision() == 0
    assert store.head() == EMPTY_HEAD
    assert store.audit() == []
    assert store.announcements() == {}


def test_each_write_raises_the_revision_by_one(store: StateStore) -> None:
    put(store, "a", 0, b"1")
    put(store, "a", 1, b"2")
    document = store.read("a")
    assert document is not None
    assert (document.key, document.revision, document.body) == ("a", 2, b"2")
    assert store.revision() == 2


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_write_against_another_revision_changes_nothing(store: StateStore, expected: int) -> None:
    put(store, "a", 0, b"1")
    put(store, "a", 1, b"2")
    before = (store.read("a"), store.audit(), store.revision())
    with pytest.raises(RevisionStale) as caught:
        put(store, "a", expected, b"3")
    assert (caught.value.expected, caught.value.found) == (expected, 2)
    assert (store.read("a"), store.audit(), store.revision()) == before


def test_documents_and_record_are_written_together_or_not_at_all(store: StateStore) -> None:
    put(store, "b", 0, b"1")
    writes = [Write("a", 0, b"1"), Write("b", 7, b"2")]
    with pytest.raises(RevisionStale):
        store.commit(writes, next_record(store))
    assert store.read("a") is None
    assert store.revision() == 1


def test_a_record_on_an_old_head_is_refused_with_its_documents(store: StateStore) -> None:
    late = next_record(store)
    put(store, "a", 0)
    with pytest.raises(HeadMoved):
        store.commit([Write("b", 0, b"1")], late)
    with pytest.raises(HeadMoved):
        store.commit([Write("b", 0, b"1")], seal(replace(next_record(store), previous_hash="0" * 64)))
    assert store.read("b") is None
    assert len(store.audit()) == 1


def test_a_deleted_document_is_gone_and_counts_on_when_it_returns(store: StateStore) -> None:
    put(store, "a", 0)
    put(store, "a", 1, None)
    assert store.read("a") is None
    assert store.read_prefix("a") == []
    put(store, "a", 0, b"again")
    document = store.read("a")
    assert document is not None
    assert document.revision == 3


def test_a_former_leader_is_refused(store: StateStore) -> None:
    put(store, "a", 0, epoch=5)
    with pytest.raises(EpochStale):
        put(store, "a", 1, epoch=4)
    put(store, "a", 1, epoch=5)
    put(store, "a", 2)
    document = store.read("a")
    assert document is not None
    assert document.revision == 3


def test_a_refused_change_does_not_raise_the_fence(store: StateStore) -> None:
    with pytest.raises(RevisionStale):
        put(store, "a", 9, epoch=8)
    put(store, "a", 0, epoch=1)


def test_a_prefix_reads_exactly_its_documents_in_order(store: StateStore) -> None:
    for key in ("route/b", "route/a", "route", "route0", "routé/x", "route/é", "residency/a"):
        put(store, key, 0)
    assert [document.key for document in store.read_prefix("route/")] == ["route/a", "route/b", "route/é"]


def test_audit_reads_in_order_in_pages_and_by_resource(store: StateStore) -> None:
    for n, key in enumerate(["a", "b", "a", "a"]):
        put(store, key, {0: 0, 1: 0, 2: 1, 3: 2}[n])
    assert [record.sequence for record in store.audit(after=1, limit=2)] == [2, 3]
    assert [record.sequence for record in store.audit(after=1, resource="a")] == [3, 4]
    assert store.audit(after=4) == []


def test_the_chain_that_comes_back_verifies(store: StateStore) -> None:
    for revision in range(3):
        put(store, "a", revision)
    assert verify(store.audit()) == store.head()


def test_announcements_end_by_themselves(store: StateStore, clock: HandClock) -> None:
    store.announce("w1", b"1", ttl_s=5)
    clock.now += 2
    store.announce("w2", b"2", ttl_s=5)
    clock.now += 2
    store.announce("w1", b"1b", ttl_s=5)
    assert store.announcements() == {"w1": b"1b", "w2": b"2"}
    clock.now += 4
    assert store.announcements() == {"w1": b"1b"}
    clock.now += 1
    assert store.announcements() == {}
    assert store.revision() == 0


def test_a_worker_that_died_before_the_clock_went_back_is_forgotten_as_soon_as_any(
    store: StateStore, clock: HandClock
) -> None:
    store.announce("alive", b"1", ttl_s=5)
    store.announce("dead", b"2", ttl_s=5)
    clock.now -= 3_600
    assert store.announcements() == {"alive": b"1", "dead": b"2"}
    for _ in range(6):
        store.announce("alive", b"1b", ttl_s=5)
        clock.now += 1
    assert store.announcements() == {"alive": b"1b"}


def test_a_clock_that_goes_back_hides_no_worker_that_lives(store: StateStore, clock: HandClock) -> None:
    store.announce("early", b"1", ttl_s=5)
    store.announce("late", b"2", ttl_s=5)
    clock.now -= 3_600
    store.announce("early", b"1", ttl_s=5)
    clock.now += 1
    assert store.announcements() == {"early": b"1", "late": b"2"}


def test_a_retired_worker_is_forgotten_at_once(store: StateStore) -> None:
    store.announce("w1", b"1", ttl_s=5)
    store.retire("w1")
    store.retire("nobody")
    assert store.announcements() == {}


def test_a_lease_has_one_holder_who_may_renew_it(store: StateStore, clock: HandClock) -> None:
    first = store.lease("rollouts", "ann", ttl_s=5)
    assert first is not None
    assert store.lease("rollouts", "bob", ttl_s=5) is None
    clock.now += 4
    assert store.lease("rollouts", "ann", ttl_s=5) == first
    clock.now += 4
    assert store.lease("rollouts", "bob", ttl_s=5) is None
    assert store.lease("other", "bob", ttl_s=5) is not None


def test_a_lease_that_ended_goes_to_another_with_a_higher_epoch(store: StateStore, clock: HandClock) -> None:
    first = store.lease("rollouts", "ann", ttl_s=5)
    clock.now += 6
    second = store.lease("rollouts", "bob", ttl_s=5)
    assert first is not None
    assert second is not None
    assert second > first
    assert store.lease("rollouts", "ann", ttl_s=5) is None


def test_a_clock_that_goes_back_does_not_keep_a_lease_from_ending(store: StateStore, clock: HandClock) -> None:
    first = store.lease("rollouts", "ann", ttl_s=5)
    clock.now -= 500
    second = store.lease("rollouts", "bob", ttl_s=5)
    assert first is not None
    assert second is not None
    assert second > first
    assert store.lease("rollouts", "ann", ttl_s=5) is None


def test_whoever_lost_the_lease_can_commit_no_more_even_before_the_next_holder_has(
    store: StateStore, clock: HandClock
) -> None:
    first = store.lease("rollouts", "ann", ttl_s=5)
    put(store, "a", 0, epoch=first)
    clock.now += 6
    second = store.lease("rollouts", "bob", ttl_s=5)
    with pytest.raises(EpochStale):
        put(store, "a", 1, epoch=first)
    put(store, "a", 1, epoch=second)


def test_a_lease_is_above_every_epoch_that_was_ever_used(store: StateStore) -> None:
    put(store, "a", 0, epoch=40)
    epoch = store.lease("rollouts", "ann", ttl_s=5)
    assert epoch is not None
    assert epoch > 40
    put(store, "a", 1, epoch=epoch)


def test_a_second_store_sees_what_the_first_wrote(store: StateStore, open_store: OpenStore, clock: HandClock) -> None:
    put(store, "a", 0, b"1")
    other = open_store(clock)
    assert other.read("a") == store.read("a")
    put(other, "a", 1, b"2")
    assert store.revision() == 2
    other.close()


def test_threads_share_one_store(store: StateStore) -> None:
    done: list[int] = []

    def work(key: str) -> None:
        for revision in range(10):
            while True:
                try:
                    put(store, key, revision)
                    break
                except HeadMoved:
                    continue
        done.append(1)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert [document.revision for document in store.read_prefix("t")] == [10] * 4
    assert verify(store.audit()) == store.head()


def start_incrementer(place: str, times: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", INCREMENTER, place, str(times)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def let_go(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_processes_lose_no_update(place: str) -> None:
    processes = [start_incrementer(place, 25) for _ in range(3)]
    for process in processes:
        let_go(process)
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    store = store_at(place)
    document = store.read("counter")
    assert document is not None
    assert (document.body, document.revision) == (b"75", 75)
    assert verify(store.audit(limit=1_000)).sequence == 75
    store.close()


def test_a_killed_writer_leaves_a_store_that_opens_with_all_it_reported(place: str) -> None:
    process = start_incrementer(place, 1_000_000)
    let_go(process)
    assert process.stdout is not None
    reported = [int(process.stdout.readline()) for _ in range(5)][-1]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    store = store_at(place)
    document = store.read("counter")
    assert document is not None
    assert int(document.body) >= reported
    assert verify(store.audit(limit=1_000_000)).sequence == document.revision
    put(store, "counter", document.revision)
    store.close()
