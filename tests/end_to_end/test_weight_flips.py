"""Hundreds of changes of a canary's weight by four administrators at once, under the load of sixteen clients."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import psutil
import pytest

from gateway.routing.split import bucket
from gateway.state.ledger import verify
from gateway.state.sqlite import SqliteStore
from tests.end_to_end.load import Exchange, Load
from tests.end_to_end.running import RunningGateway
from tests.models import multi_output, write_bundle

ADMINS = 4
PATIENT = "schema_version: 1\nserving: {canary_slice_ms: 5000}\n"  # no stall of a busy machine is a canary's fault


class Admins:
    """Administrators who each read the route, change it and put it back, again and again, as fast as they can."""

    def __init__(self, gateway: RunningGateway, changes_each: int) -> None:
        self._gateway, self._changes_each = gateway, changes_each
        self.changes = ADMINS * changes_each + 1
        self._wishes = count()
        self._lock = threading.Lock()
        self.routes: dict[int, dict[str, Any]] = {}
        self.statuses: Counter[int] = Counter()
        self._threads = [threading.Thread(target=self._change) for _ in range(ADMINS)]

    def run(self) -> None:
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        with self._gateway.client() as client:  # however few the changes were, version 3 is seen
            assert self._put(client, "3", 50.0)

    def _change(self) -> None:
        with self._gateway.client() as client:
            done = 0
            while done < self._changes_each:
                wish = next(self._wishes)
                done += self._put(client, "23"[wish % 7 == 0], [10.0, 50.0, 0.0, 33.33, 100.0][wish % 5])

    def _put(self, client: httpx.Client, canary: str, weight: float) -> bool:
        """Change the route that is in force; return whether nobody came between."""
        read = client.get("/admin/v1/models/m/route")
        body = {"stable": "1", "canary": {"version": canary, "weight": weight}, "reason": "a wish"}
        put = client.put("/admin/v1/models/m/route", json=body, headers={"if-match": read.headers["etag"]})
        with self._lock:
            self.statuses[put.status_code] += 1
            if put.status_code == 200:
                self.routes[put.json()["revision"]] = put.json()
        return put.status_code == 200


@pytest.fixture(scope="module", params=[pytest.param(("true", 50), id="fast"), pytest.param(("false", 40), id="asgi")])
def storm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningGateway, Admins, list[Exchange]]]:
    """Give the gateway after the storm, the administrators' memory and the clients' exchanges."""
    folder = tmp_path_factory.mktemp("flips")
    for version in "123":
        write_bundle(folder / "models" / "m" / version, multi_output(), **{"model.yaml": PATIENT})
    is_fast, changes_each = request.param
    environ = {"WEIR_SERVING__FAST_PATH": is_fast}
    with RunningGateway(folder / "models", folder / "weir.db", "--stable", "m=1", environ=environ) as gateway:
        for version in "123":
            gateway.wait_for_workers("m", version)
        admins = Admins(gateway, changes_each)
        with gateway.client() as client:
            admins.routes[1] = client.get("/admin/v1/models/m/route").json()
        with load_of_every_worker(gateway) as load:
            admins.run()
            load.wait_for(500)
            gateway.wait_until(lambda: everyone_has(load.exchanges, max(admins.routes)), "applied by every worker")
        yield gateway, admins, load.exchanges


@contextmanager
def load_of_every_worker(gateway: RunningGateway) -> Iterator[Load]:
    """Load the gateway; connect anew while one worker, on a busy machine, has accepted all of the connections."""
    for _ in range(50):
        with Load(gateway.port, "/predict/m", {"instances": [[1, 2, 3]]}, n=16, pause_s=0.005) as load:
            load.wait_for(500)
            if all(connections_of(pid) for pid in gateway.children("gateway.app")):
                yield load
                return
    raise AssertionError("a worker has no connection")


def connections_of(pid: int) -> int:
    return sum(kind.status == psutil.CONN_ESTABLISHED for kind in psutil.Process(pid).net_connections("tcp"))


def everyone_has(exchanges: list[Exchange], revision: int) -> bool:
    newest: dict[int, int] = {}
    for exchange in exchanges:
        newest[exchange.client] = exchange.revision
    return min(newest.values()) >= revision


Storm = tuple[RunningGateway, Admins, list[Exchange]]


def test_no_request_fails_while_weights_change(storm: Storm) -> None:
    _, _, exchanges = storm
    assert {(exchange.status, exchange.error) for exchange in exchanges} == {(200, "")}
    assert {exchange.connection for exchange in exchanges} == {1}, "a connection was closed"
    assert len({exchange.revision for exchange in exchanges}) > 10


def test_every_answer_is_that_of_the_split_at_the_revision_it_names(storm: Storm) -> None:
    _, admins, exchanges = storm
    for exchange in exchanges:
        assert (exchange.version, exchange.variant) == answer_of(admins.routes[exchange.revision], exchange.key)
    assert {exchange.version for exchange in exchanges} == {"1", "2", "3"}


def answer_of(route: dict[str, Any], key: str) -> tuple[str, str]:
    canary = route["canary"]
    if canary and bucket(route["salt"].encode(), key) < round(canary["weight"] * 100):
        return canary["version"], "canary"
    return route["stable"], "stable"


def test_no_update_of_concurrent_administrators_is_lost(storm: Storm) -> None:
    gateway, admins, _ = storm
    assert set(admins.statuses) <= {200, 412}
    assert admins.statuses[200] == admins.changes
    assert admins.statuses[412] > 0, "nobody ever came between: the test shows nothing"
    with gateway.client() as client:
        assert client.get("/admin/v1/models/m/route").json()["revision"] == 1 + admins.changes
    store = SqliteStore(gateway.state)
    records = store.audit(limit=10_000)
    store.close()
    assert verify(records).sequence == len(records)
    changes = [record for record in records if record.resource == "route/m"]
    assert [record.after["revision"] for record in changes] == list(range(1, admins.changes + 2))
    assert [record.before["revision"] for record in changes[1:]] == list(range(1, admins.changes + 1))
    assert {record.after["revision"]: record.after for record in changes} == admins.routes


def test_every_worker_applies_changes_while_more_are_made_and_ends_with_the_last(storm: Storm) -> None:
    """Each connection stays with one worker, so what it sees is what its worker has applied."""
    _, admins, exchanges = storm
    for client in {exchange.client for exchange in exchanges}:
        seen = [exchange.revision for exchange in exchanges if exchange.client == client]
        assert seen[-1] == max(admins.routes)
        assert len(set(seen)) > 3, "more than the first and the last"


def test_revisions_never_go_back_on_a_connection(storm: Storm) -> None:
    _, _, exchanges = storm
    for client in {exchange.client for exchange in exchanges}:
        revisions = [exchange.revision for exchange in exchanges if exchange.client == client]
        assert revisions == sorted(revisions)
