"""Audit records to intervals: on tables, and on what real gateways' code writes into real stores."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.history import History, Interval, history_of, in_force, of_revision
from gateway.audit.reading import read_history
from gateway.audit.stored import AuditSource, StoredRecord
from gateway.codec.documents import encode_document
from gateway.control import Control
from gateway.rollout.document import RolloutDocument, encode_rollout, rollout_key
from gateway.rollout.policy import Move
from gateway.rollout.recorder import RolloutRecorder
from gateway.routing.codec import route_view
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute, Stop
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger, rfc3339, seal
from gateway.state.redis import RedisStore
from gateway.state.redis_audit import RedisAudit
from gateway.state.sqlite import SqliteStore
from gateway.state.sqlite_audit import SqliteAudit
from gateway.state.store import AuditRecord, StateStore, Write
from gateway.types import Actor, VersionStatus, WorkerFacts
from tests.gateway.prediction_log.material import NOON, HandClock
from tests.gateway.rollout.material import rollout, verdict
from tests.redis_server import RedisServer

ANN, LEADER = Actor("ann"), Actor("rollout", role="system", method="internal")
ROUTE = RouteDocument("fraud", 1, "1", "s", reason="first", updated_at=rfc3339(NOON), updated_by="weir")
CANARY = replace(ROUTE, revision=2, canary=CanaryRoute("2", 500), shadows=(ShadowRoute("3", 3_333),))
BACK = replace(ROUTE, revision=3)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOON + seconds, UTC)


def record(
    sequence: int, before: RouteDocument | None, after: RouteDocument | None, second: float, **fields: Any
) -> AuditRecord:
    told: dict[str, Any] = {
        "sequence": sequence,
        "id": str(sequence),
        "time": rfc3339(NOON + second),
        "actor": asdict(ANN),
        "action": "route.set",
        "resource": "route/fraud",
        "before": before and route_view(before),
        "after": after and route_view(after),
        "reason": f"why {sequence}",
        "request_id": "",
        "evidence": {},
        "previous_hash": "",
        "hash": "",
    }
    return seal(AuditRecord(**{**told, **fields}))


def history(*records: AuditRecord) -> History:
    return history_of("fraud", records)


def revisions(found: History) -> list[int | None]:
    return [one.route.revision if one.route else None for one in found.intervals]


def served(found: History, second: float) -> Interval:
    interval = in_force(found, at(second))
    assert interval is not None
    return interval


TABLE = (record(1, None, ROUTE, 0), record(2, ROUTE, CANARY, 10), record(3, CANARY, BACK, 20))


def test_each_change_ends_the_interval_before_it() -> None:
    found = history(*TABLE)
    assert found.notes == ()
    assert [(one.begin, one.end) for one in found.intervals] == [
        (rfc3339(NOON), rfc3339(NOON + 10)),
        (rfc3339(NOON + 10), rfc3339(NOON + 20)),
        (rfc3339(NOON + 20), None),
    ]
    middle = found.intervals[1]
    assert middle.route is not None
    assert (middle.route.canary, middle.route.shadows) == (CANARY.canary, CANARY.shadows)
    assert (middle.by, middle.reason, middle.sequence) == ("ann", "why 2", 2)


@pytest.mark.parametrize(
    ("second", "revision"),
    [
        pytest.param(0, 1, id="first"),
        pytest.param(9.9, 1, id="before"),
        pytest.param(10, 2, id="at"),
        pytest.param(1e6, 3, id="now"),
    ],
)
def test_a_time_finds_what_was_in_force(second: float, revision: int) -> None:
    route = served(history(*TABLE), second).route
    assert route is not None
    assert route.revision == revision


def test_before_the_log_nothing_is_known() -> None:
    assert in_force(history(*TABLE), at(-1)) is None
    assert in_force(history(), at(0)) is None


def test_of_two_changes_at_one_time_the_later_record_counts() -> None:
    found = history(TABLE[0], record(2, ROUTE, CANARY, 10), record(3, CANARY, BACK, 10))
    assert served(found, 10).route == BACK
    assert found.intervals[1].begin == found.intervals[1].end
    assert found.notes == ()


def test_a_clock_set_back_is_told_and_the_order_of_the_log_counts() -> None:
    found = history(TABLE[0], TABLE[1], record(3, CANARY, BACK, 5))
    assert "record 3: its time is before" in found.notes[0]
    assert served(found, 7).route == ROUTE
    assert served(found, 10).route == BACK


def test_a_stop_and_the_route_after_it_are_intervals() -> None:
    stop = replace(CANARY, revision=3, stop=Stop("harm", rfc3339(NOON + 20), "ann", "1", {"label": "no"}))
    found = history(*TABLE[:2], record(3, CANARY, stop, 20), record(4, stop, replace(CANARY, revision=4), 30))
    route = served(found, 25).route
    assert route is not None
    assert route.stop == stop.stop
    assert served(found, 31).route == replace(CANARY, revision=4)


def test_a_deleted_route_serves_nothing_until_there_is_one_again() -> None:
    found = history(TABLE[0], record(2, ROUTE, None, 10), record(3, None, BACK, 20))
    assert revisions(found) == [1, None, 3]
    assert served(found, 15).route is None
    assert found.notes == ()


def test_a_log_that_begins_later_tells_what_its_first_record_replaced() -> None:
    found = history(TABLE[1])
    assert revisions(found) == [1, 2]
    assert (found.intervals[0].sequence, found.intervals[0].begin, found.intervals[0].by) == (0, rfc3339(NOON), "weir")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"after": "version 2"}, "holds no route", id="text"),
        pytest.param({"after": {"stable": "1"}}, "no 'canary'", id="member-missing"),
        pytest.param(
            {"after": {**route_view(CANARY), "canary": {"version": "2", "weight": "all"}}}, "no route", id="weight"
        ),
        pytest.param({"after": {**route_view(CANARY), "stable": 7}}, "/stable", id="type"),
        pytest.param({"after": {**route_view(CANARY), "shadow": None}}, "no route", id="shadow"),
        pytest.param(
            {"after": {**route_view(CANARY), "shadow": [{"version": "3", "sample": 1e999}]}}, "no route", id="inf"
        ),
        pytest.param({"time": "yesterday"}, "no time with a zone", id="time"),
        pytest.param({"time": "2026-01-31T12:00:00"}, "no time with a zone", id="zone"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_so_is_the_gap(fields: dict[str, Any], told: str) -> None:
    unreadable = replace(TABLE[1], **fields)
    found = history(TABLE[0], unreadable, TABLE[2])
    assert revisions(found) == [1, 3]
    assert found.notes[0].startswith("record 2: ")
    assert told in found.notes[0]
    assert "record 3: replaces revision 2, and the records before it lead to 1" in found.notes[1]


def test_a_rollout_that_cannot_be_read_is_named() -> None:
    views: tuple[Any, ...] = (None, {"id": "r"}, {"plan": []}, [])
    for view in views:
        odd = record(2, None, None, 5, action="rollout.canary", resource="rollout/fraud")
        found = history(TABLE[0], replace(odd, before=view, after=view))
        assert "record 2: it holds no rollout" in found.notes[0]


def test_other_models_and_notes_of_rollouts_change_nothing() -> None:
    other = replace(TABLE[1], resource="route/fraudulent")
    lead = replace(TABLE[1], resource="rollout/fraud", action="rollout.lead")
    assert history(TABLE[0], other, lead) == history(TABLE[0])


def test_bytes_that_are_no_record_are_named_unless_they_are_of_another_resource() -> None:
    whole = StoredRecord("1", encode_document(TABLE[0]), TABLE[0].hash, "route/fraud")
    torn = StoredRecord("2", b"{", "", "route/fraud")
    found = read_history("fraud", [whole, torn, replace(torn, place="3", resource=None)])
    assert [note.split(":")[0] for note in found.notes] == ["record 2", "record 3"]
    assert read_history("fraud", [whole, replace(torn, resource="route/other")]).notes == ()


def test_a_version_whose_digest_no_route_tells_has_that_of_its_first_load() -> None:
    views: dict[str, Any] = {"before": None, "after": {"digest": "sha256:ab"}}
    admitted = replace(record(2, None, None, 5, action="version.admit", resource="digest/fraud/9"), **views)
    signed = replace(admitted, action="version.signature", after={"signed_by": "k"})
    other = replace(admitted, resource="digest/fraudulent/9", after={"digest": "sha256:cd"})
    found = history(TABLE[0], admitted, signed, other)
    assert found.intervals[0].digests["9"] == "sha256:ab"
    assert found.signers == {"9": "k"}
    unreadable = history(TABLE[0], replace(signed, after=[]))
    assert "record 2: it names no signed_by of the version" in unreadable.notes[0]


def test_records_of_other_resources_are_not_examined_so_that_a_long_log_is_read_in_a_second() -> None:
    whole = StoredRecord("1", encode_document(TABLE[0]))
    # Examined, each would be a finding: there is no hash in it.
    others = [StoredRecord("2", encode_document({"resource": "route/other"}))]
    assert read_history("fraud", [whole, *others]).notes == ()
    own = StoredRecord("3", encode_document({"resource": "route/fraud"}))
    assert [note.split(":")[0] for note in read_history("fraud", [whole, own]).notes] == ["record 3"]


def test_a_record_filed_under_another_resource_than_it_says_is_read_all_the_same() -> None:
    moved_away = StoredRecord("1", encode_document(TABLE[0]), TABLE[0].hash, "route/other")
    found = read_history("fraud", [moved_away])
    assert revisions(found) == [1]
    assert "is kept under the resource 'route/other'" in found.notes[0]


class _Folder:
    def models(self) -> dict[str, list[str]]:
        return {"fraud": ["1", "2"]}

    def card(self, model: str, version: str) -> str:
        return ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[StateStore, AuditSource]:
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "state.db", clock=HandClock())
        return store, SqliteAudit(tmp_path / "state.db")
    server: RedisServer = request.getfixturevalue("server")
    return RedisStore(server.address, timeout_s=5), RedisAudit(RedisStore(server.address, timeout_s=5))


def moved(store: StateStore, clock: HandClock, before: RolloutDocument, move: Move) -> RolloutDocument:
    clock.now_s += 10
    route = control_of(store, clock).route("fraud")
    recorder = RolloutRecorder(store, Ledger(store, clock), clock)
    return recorder.carry_out(move, before, route, actor=LEADER, verdicts=[verdict("errors", "pass")])


def control_of(store: StateStore, clock: HandClock) -> Control:
    return Control(Ledger(store, clock), store, clock, repository=_Folder(), salt_source=lambda: "s")


def test_the_history_of_a_store_is_that_of_its_routes(stored: tuple[StateStore, AuditSource]) -> None:
    store, source = stored
    clock = HandClock()
    control = control_of(store, clock)
    routes = control.seed_routes({"fraud": ["1"]}, {"fraud": "1"})
    ready = {"fraud": {name: VersionStatus("ready", digest=f"sha256:{name}") for name in ("1", "2")}}
    store.announce("w-1", encode_facts(WorkerFacts("w-1", 1, 0.0, versions=ready)), ttl_s=60)
    draft = rollout(digest="sha256:2", revision=1, state="validating")
    Ledger(store, clock).change(
        [Write(rollout_key("fraud"), 0, encode_rollout(draft))],
        actor=ANN,
        action="rollout.start",
        resource=rollout_key("fraud"),
        before=None,
        after=None,
    )
    at_work = draft
    for move in (
        Move("shadow", "shadow", 0, "loaded"),
        Move("canary", "canary", 0, "shadow is well"),
        Move("holding", "canary", 0, "unclear"),
        Move("canary", "canary", 1, "well"),
        Move("rolling_back", "canary", 1, "errors", against=("errors",)),
        Move("rolled_back", "canary", 1, "gone"),
    ):
        revision = control.route("fraud").revision
        at_work = moved(store, clock, at_work, move)
        if control.route("fraud").revision != revision:
            routes.append(control.route("fraud"))
    clock.now_s += 10
    routes.append(control.stop("fraud", None, None, ANN, "harm"))
    routes.append(control.resume("fraud", ANN, "mended"))
    found = read_history("fraud", source.entries())
    source.close()
    store.close()
    assert found.notes == ()
    assert len(found.intervals) == len(routes) == 7
    for one, route in zip(found.intervals, routes, strict=True):
        assert one.route is not None
        assert (one.route.revision, one.route.stable, one.route.canary) == (route.revision, route.stable, route.canary)
        assert (one.route.shadows, one.route.stop) == (route.shadows, route.stop)
    canary, last = found.intervals[2], found.intervals[-1]
    assert (canary.by, canary.reason, canary.evidence) == (
        "rollout",
        "shadow is well",
        ("errors pass: it is pass",),
    )
    assert canary.digests == {"2": "sha256:2"}
    assert last.digests == {"1": "sha256:1", "2": "sha256:2"}
    assert of_revision(found, canary.route.revision if canary.route else 0) is canary
