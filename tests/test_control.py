"""What operators may ask for, against a real store."""

import json
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.residency import Residency
from gateway.control import Control
from gateway.errors import (
    DocumentInvalid,
    ModelUnknown,
    NothingToRollBack,
    PreconditionMissing,
    ResourceUnknown,
    RevisionStale,
    VersionInUse,
    VersionNotWarm,
    VersionUnknown,
)
from gateway.routing.codec import encode_route
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger, verify
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor, LoadState, VersionStatus, WorkerFacts

ANN = Actor("ann")


class HandClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def unix_s(self) -> float:
        return self.now

    def monotonic_s(self) -> float:
        return self.now


class FolderOf:
    """A repository that names what it was given."""

    def __init__(self, models: dict[str, list[str]]) -> None:
        self._models = models

    def models(self) -> dict[str, list[str]]:
        return self._models

    def card(self, model: str, version: str) -> str:
        return f"{model} {version}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", clock=HandClock())
    yield store
    store.close()


@pytest.fixture
def control(store: SqliteStore) -> Control:
    clock, salts = HandClock(), count(1)
    repository = FolderOf({"m": ["1", "2", "3", "10"], "colours": ["blue", "green"]})
    return Control(Ledger(store, clock), store, clock, repository=repository, salt_source=lambda: f"salt-{next(salts)}")


def announce(store: SqliteStore, worker: str, draining: bool = False, **versions: LoadState) -> None:
    told = {name.removeprefix("v"): VersionStatus(state, digest=f"d{name}") for name, state in versions.items()}
    facts = WorkerFacts(worker, 1, 0.0, versions={"m": told}, draining=draining)
    store.announce(worker, encode_facts(facts), ttl_s=60)


def all_ready(store: SqliteStore) -> None:
    for worker in ("w-1", "w-2", "shadow-1"):
        announce(store, worker, v1="ready", v2="ready", v3="ready", v10="ready")


def body(stable: str, **fields: Any) -> bytes:
    return json.dumps({"stable": stable, "reason": "why", **fields}).encode()


def seed(control: Control) -> RouteDocument:
    return control.seed_routes({"m": ["1", "2", "3"]}, {"m": "1"})[0]


def test_the_first_start_writes_revision_one_and_later_starts_change_nothing(control: Control) -> None:
    assert control.seed_routes({"m": ["1", "2", "10"]}, {})[0].stable == "10"
    assert control.seed_routes({"m": ["1", "2", "10", "11"]}, {"m": "1"}) == []
    route = control.route("m")
    assert (route.revision, route.stable, route.salt, route.updated_by) == (1, "10", "salt-1", "weir")
    assert [record.action for record in control.audit()] == ["route.seed"]


def test_a_first_start_that_cannot_choose_says_so_for_every_model_and_seeds_none(control: Control) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        control.seed_routes({"m": ["1"], "colours": ["blue", "green"], "twins": ["1", "01"]}, {})
    assert len(caught.value.faults) == 2
    with pytest.raises(ResourceUnknown):
        control.route("m")


def test_a_route_that_cannot_be_read_hides_no_other_model_and_stops_no_start(
    store: SqliteStore, control: Control
) -> None:
    seed(control)
    write, before = Write("route/colours", 0, b"{"), None
    Ledger(store, HandClock()).change([write], actor=ANN, action="x", resource=write.key, before=before, after={})
    assert [(model["model"], model["route"] is None) for model in control.models()] == [("colours", True), ("m", False)]
    assert control.seed_routes({"m": ["1"], "colours": ["blue"]}, {}) == []


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b"{", id="not-json"),
        pytest.param(encode_route(RouteDocument("other", 0, "1", "salt")), id="of-another-model"),
    ],
)
def test_a_route_that_cannot_be_read_is_told_and_replaced_whole(
    store: SqliteStore, control: Control, stored: bytes
) -> None:
    seed(control)
    all_ready(store)
    damage = Write("route/m", 1, stored)
    Ledger(store, HandClock()).change([damage], actor=ANN, action="x", resource="route/m", before=None, after={})
    with pytest.raises(DocumentInvalid, match='replace it whole with If-Match "2"'):
        control.route("m")
    with pytest.raises(RevisionStale):
        control.put_route("m", body("2"), 1, ANN)
    control.put_route("m", body("2"), 2, ANN)
    assert (control.route("m").stable, control.route("m").revision) == ("2", 3)
    record = control.audit()[-1]
    assert (record.action, record.before, record.after["stable"]) == ("route.set", None, "2")
    assert control.put_route("m", body("1"), 3, ANN).previous_stable == "2"


def test_processes_that_start_together_seed_once(store: SqliteStore, control: Control) -> None:
    barrier, seeded = threading.Barrier(4), list[RouteDocument]()

    def start() -> None:
        barrier.wait()
        seeded.extend(control.seed_routes({"m": ["1"]}, {}))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {route.revision for route in seeded} == {1}
    assert len(control.audit()) == 1


def test_a_change_is_saved_with_its_audit_record(store: SqliteStore, control: Control) -> None:
    seed(control)
    all_ready(store)
    route = control.put_route("m", body("1", canary={"version": "2", "weight": 10}), 1, ANN, "r-1")
    assert route == control.route("m")
    assert (route.revision, route.canary, route.updated_by) == (2, CanaryRoute("2", 1000), "ann")
    record = control.audit(after=1)[0]
    assert (record.actor["subject"], record.action, record.resource) == ("ann", "route.set", "route/m")
    assert (record.reason, record.request_id) == ("why", "r-1")
    assert record.before["canary"] is None
    assert record.after["canary"] == {"version": "2", "weight": 10}
    assert verify(control.audit()) == store.head()


@pytest.mark.parametrize(
    ("if_match", "error"), [(None, PreconditionMissing), (0, RevisionStale), (2, RevisionStale)], ids=str
)
def test_a_change_must_name_the_present_revision(
    store: SqliteStore, control: Control, if_match: int | None, error: type[Exception]
) -> None:
    seed(control)
    all_ready(store)
    with pytest.raises(error):
        control.put_route("m", body("2"), if_match, ANN)
    assert control.route("m").revision == 1


def test_a_model_without_a_route_gets_one_by_revision_zero(store: SqliteStore, control: Control) -> None:
    all_ready(store)
    route = control.put_route("m", body("2"), 0, ANN)
    assert (route.revision, route.stable, route.previous_stable) == (1, "2", None)


def test_unknown_models_are_said_to_be_unknown(control: Control) -> None:
    with pytest.raises(ModelUnknown):
        control.route("nobody")
    with pytest.raises(ModelUnknown):
        control.put_route("nobody", b"", None, ANN)
    with pytest.raises(ModelUnknown):
        control.load("nobody", "1", ANN)
    with pytest.raises(VersionUnknown):
        control.load("m", "99", ANN)


def test_a_version_must_be_ready_on_every_worker_that_answers(store: SqliteStore, control: Control) -> None:
    seed(control)
    with pytest.raises(VersionNotWarm, match="no worker has announced itself"):
        control.put_route("m", body("2"), 1, ANN)
    announce(store, "w-1", v1="ready", v2="ready")
    announce(store, "w-2", v1="ready", v2="loading")
    announce(store, "w-3", draining=True)
    with pytest.raises(VersionNotWarm, match="w-2: loading"):
        control.put_route("m", body("2"), 1, ANN)
    with pytest.raises(VersionNotWarm, match=r"version 10 .* w-1: not loaded; w-2: not loaded"):
        control.put_route("m", body("1", canary={"version": "10", "weight": 0}), 1, ANN)
    announce(store, "w-2", v1="ready", v2="ready")
    assert control.put_route("m", body("2"), 1, ANN).stable == "2"


def test_a_shadow_version_must_be_ready_on_the_workers_whatever_the_shadow_process_has(
    store: SqliteStore, control: Control
) -> None:
    seed(control)
    announce(store, "shadow-1", v3="ready")
    announce(store, "w-1", v1="ready", v3="failed")
    with pytest.raises(VersionNotWarm, match="w-1: failed"):
        control.put_route("m", body("1", shadow=[{"version": "3"}]), 1, ANN)
    announce(store, "shadow-1")
    announce(store, "w-1", v1="ready", v3="ready")
    assert control.put_route("m", body("1", shadow=[{"version": "3"}]), 1, ANN).shadows[0].sample_bp == 10_000


def test_rolling_back_removes_the_canary_then_returns_to_the_previous_version(
    store: SqliteStore, control: Control
) -> None:
    seed(control)
    all_ready(store)
    control.put_route("m", body("2", canary={"version": "3", "weight": 5}), 1, ANN)
    assert control.roll_back("m", ANN, "bad").canary is None
    route = control.roll_back("m", ANN, "worse", "r-9")
    assert (route.revision, route.stable, route.reason) == (4, "1", "worse")
    with pytest.raises(NothingToRollBack):
        control.roll_back("m", ANN)
    assert [record.action for record in control.audit()][1:] == ["route.set", "route.rollback", "route.rollback"]


def test_two_who_roll_back_the_same_revision_take_one_step(store: SqliteStore, control: Control) -> None:
    seed(control)
    all_ready(store)
    control.put_route("m", body("2", canary={"version": "3", "weight": 5}), 1, ANN)
    assert control.roll_back("m", ANN, if_match=2).stable == "2"
    with pytest.raises(RevisionStale):
        control.roll_back("m", ANN, if_match=2)
    assert control.route("m").stable == "2"


def test_a_canary_goes_even_when_no_worker_is_warm_but_stable_never_becomes_cold(
    store: SqliteStore, control: Control
) -> None:
    seed(control)
    all_ready(store)
    control.put_route("m", body("2", canary={"version": "3", "weight": 5}), 1, ANN)
    for worker in ("w-1", "w-2"):
        announce(store, worker, v2="ready")
    assert control.roll_back("m", ANN).canary is None
    with pytest.raises(VersionNotWarm, match="w-1: not loaded"):
        control.roll_back("m", ANN)


def test_loading_and_unloading_are_wishes_with_an_audit_record(store: SqliteStore, control: Control) -> None:
    seed(control)
    assert control.load("m", "3", ANN, "needed") == Residency(pinned=("3",))
    assert control.load("m", "2", ANN) == Residency(pinned=("2", "3"))
    assert control.unload("m", "3", ANN) == Residency(pinned=("2",), unloaded=("3",))
    assert control.load("m", "3", ANN) == Residency(pinned=("2", "3"))
    records = control.audit(resource="residency/m")
    assert [record.action for record in records] == ["version.load", "version.load", "version.unload", "version.load"]
    assert (records[0].before, records[0].after) == (None, {"pinned": ["3"], "unloaded": []})
    assert records[0].reason == "needed"


def test_a_version_that_the_route_needs_is_not_unloaded(store: SqliteStore, control: Control) -> None:
    seed(control)
    all_ready(store)
    control.put_route("m", body("2", canary={"version": "3", "weight": 0}), 1, ANN)
    for version, role in {"2": "stable", "3": "canary", "1": "the previous stable version"}.items():
        with pytest.raises(VersionInUse, match=role):
            control.unload("m", version, ANN)


def test_progress_waits_for_every_worker_and_fails_with_the_first(store: SqliteStore, control: Control) -> None:
    assert control.progress("m", "2").state == "loading"
    announce(store, "w-1", v2="ready")
    announce(store, "w-2")
    announce(store, "shadow-1")
    progress = control.progress("m", "2")
    assert (progress.state, progress.why) == ("loading", "w-2: loading, not begun")
    announce(store, "w-2", v2="ready")
    assert control.progress("m", "2").state == "ready"
    announce(store, "shadow-1", v2="refused")
    progress = control.progress("m", "2")
    assert (progress.state, progress.why) == ("failed", "shadow-1: refused")


def test_models_are_listed_with_roles_and_states(store: SqliteStore, control: Control) -> None:
    seed(control)
    announce(store, "w-1", v1="ready")
    colours, m = control.models()
    assert (colours["model"], colours["route"]) == ("colours", None)
    assert [version["version"] for version in m["versions"]] == ["1", "2", "3", "10"]
    assert m["versions"][0] == {
        "version": "1",
        "role": "stable",
        "digest": "dv1",
        "missing": [],
        "workers": {"w-1": {"state": "ready", "why": ""}},
    }


def test_concurrent_rollbacks_and_changes_lose_nothing(store: SqliteStore, control: Control) -> None:
    seed(control)
    all_ready(store)

    def change() -> None:
        for weight in range(10):
            while True:
                revision = control.route("m").revision
                try:
                    control.put_route("m", body("1", canary={"version": "2", "weight": weight}), revision, ANN)
                    break
                except RevisionStale:
                    continue

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert control.route("m").revision == 41
    assert verify(control.audit()) == store.head()
