"""The driver on a real store, pumped by hand: what is persisted, who leads, and how a new leader goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DocumentInvalid, ResourceUnknown, RolloutRefused, VersionUnknown
from gateway.governance.guard import FREE, Clearance
from gateway.rollout.document import RolloutDocument, encode_rollout, rollout_key
from gateway.rollout.driver import RolloutDriver, Seen, Steering
from gateway.rollout.operations import Ask, Outcome, RolloutControl
from gateway.rollout.policy import hindrances
from gateway.rollout.recorder import RolloutRecorder
from gateway.rollout.verbs import Verb
from gateway.routing.change import resumed, stopped
from gateway.routing.codec import decode_route, encode_route, route_key
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger, verify
from gateway.state.residency import decode_residency, residency_key
from gateway.state.sqlite import SqliteStore
from gateway.state.store import EpochStale, Write
from gateway.types import Actor, LoadState, VersionStatus, WorkerFacts
from monitors.records import GateName, GateResult, TrialFindings
from tests.gateway.rollout.material import SLOW_S, verdict

ANN = Actor("ann")
PLAN = {"steps": [5, 50], "shadow": None, "dwell_s": 10, "bake_s": 10, "hold_s": 100}


class HandClock:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.wall_s = self.mono_s = 1_000.0

    def unix_s(self) -> float:
        return self.wall_s

    def monotonic_s(self) -> float:
        return self.mono_s

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.mono_s += seconds


class OneModel:
    def models(self) -> dict[str, list[str]]:
        return {"fraud": ["1", "2", "3"]}


class Ground:
    """A store with a route and a worker, an operator, and as many drivers as a test wants."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.store = SqliteStore(path, clock=self.clock)
        self.ledger = Ledger(self.store, self.clock)
        ids = iter("abcdefgh")
        self.control = RolloutControl(
            self.ledger, self.store, self.clock, repository=OneModel(), new_id=lambda: next(ids)
        )
        self.driver = self.leader("one")
        self.steering = Steering()
        self.put_route(RouteDocument("fraud", 0, "1", "s"))
        self.work()

    def leader(self, holder: str) -> RolloutDriver:
        recorder = RolloutRecorder(self.store, self.ledger, self.clock)
        return RolloutDriver(self.store, recorder, self.clock, holder=holder, slow_s=SLOW_S)

    def put_route(self, route: RouteDocument) -> None:
        document = self.store.read(route_key("fraud"))
        self.ledger.change(
            [Write(route_key("fraud"), document.revision if document else 0, encode_route(route))],
            actor=ANN, action="route.set", resource="route/fraud", before=None, after=None,
        )  # fmt: skip

    @property
    def route(self) -> RouteDocument:
        document = self.store.read(route_key("fraud"))
        assert document is not None
        return decode_route(document.body, document.revision)

    @property
    def rollout(self) -> RolloutDocument:
        return self.control.get("fraud")

    def work(self, state: LoadState = "ready", *, applied: bool = True, digest: str = "sha-2") -> None:
        """Let the worker say what it has, and that it applies the present route."""
        versions = {"1": VersionStatus("ready", "sha-1"), "2": VersionStatus(state, digest)}
        revision = self.route.revision if applied else self.route.revision - 1
        facts = WorkerFacts("w1", 1, 0.0, {"fraud": versions}, {"fraud": revision})
        self.store.announce("w1", encode_facts(facts), ttl_s=1e6)

    def start(self, version: str = "2", *, ask: Ask | None = None, **body: Any) -> Outcome:
        given = {"model": "fraud", "version": version, "reason": "retrained", "plan": PLAN, **body}
        return self.control.start(json.dumps(given).encode(), ask or Ask(actor=ANN))

    def act(self, verb: Verb, reason: str = "", **ask: Any) -> Outcome:
        return self.control.act("fraud", verb, reason, Ask(actor=ANN, **ask))

    def tick(self, *results: GateResult, driver: RolloutDriver | None = None, **seen: Any) -> RolloutDocument:
        """Give the driver findings with these results on whatever trial it last asked for, and one tick."""
        found = None
        if results and self.steering.specs:
            gates: tuple[GateName, ...] = ("errors", "split")
            verdicts = tuple(verdict(gate, result) for gate, result in zip(gates, results, strict=False))
            found = TrialFindings(spec=self.steering.specs[0], verdicts=verdicts, taken=1)
        self.steering = (driver or self.driver).tick({"fraud": Seen(findings=found, **seen)})
        return self.rollout

    def to_first_step(self) -> None:
        self.start()
        for _ in range(3):
            self.tick()
        assert (self.rollout.state, self.rollout.step) == ("canary", 0)
        self.work()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path / "weir.db")
    yield ground
    ground.store.close()


def test_a_rollout_goes_from_its_start_to_its_end_and_every_move_is_in_the_audit_chain(ground: Ground) -> None:
    ground.to_first_step()
    assert (ground.route.canary, ground.route.stable) == (CanaryRoute("2", 500), "1")
    for expected in (("canary", 5_000), ("baking", 0), ("completed", 0)):
        ground.clock.pass_s(11)
        ground.work()
        rollout = ground.tick("pass", "pass")
        canary = ground.route.canary
        assert (rollout.state, canary.weight_bp if canary else 0) == expected
    assert (ground.route.stable, ground.route.previous_stable) == ("2", "1")
    records = ground.store.audit(resource="rollout/fraud", limit=100)
    assert [record.action.removeprefix("rollout.") for record in records] == [
        "start", "lead", "validating", "canary", "canary", "baking", "completed",
    ]  # fmt: skip
    assert records[-1].evidence["verdicts"][0]["gate"] == "errors"
    verify(ground.store.audit(limit=1_000))
    assert ground.steering.specs == ()
    assert decode_residency(ground.store.read(residency_key("fraud"))).pinned == ()


def test_evidence_against_the_candidate_takes_it_back_and_puts_it_in_quarantine(ground: Ground) -> None:
    ground.to_first_step()
    rollout = ground.tick("abort")
    assert (rollout.state, ground.route.canary, ground.route.stable) == ("rolling_back", None, "1")
    ground.work(applied=False)
    assert ground.tick().state == "rolling_back"
    ground.work()
    rollout = ground.tick()
    assert (rollout.state, rollout.cause) == ("rolled_back", "errors: it is abort")
    with pytest.raises(RolloutRefused, match="quarantine") as caught:
        ground.start()
    assert len(caught.value.violations) == 2
    assert ground.start(ask=Ask(actor=ANN, dry_run=True)).violations == caught.value.violations
    with pytest.raises(RolloutRefused, match="rests for 600 s"):
        ground.start("3")
    ground.clock.pass_s(601)
    assert ground.start("3").rollout.candidate == "3"


def test_after_three_automatic_rollbacks_in_a_day_automation_is_frozen_until_an_operator_overrides(
    ground: Ground,
) -> None:
    for attempt in range(3):
        ground.start(override=attempt == 0)
        for _ in range(3):
            ground.tick()
        ground.work()
        ground.tick("abort")
        ground.work()
        ground.tick()
        ground.clock.pass_s(4_000)
        document = ground.store.read("rollout-standing/fraud")
        assert document is not None
        kept = json.loads(document.body)
        ground.ledger.change(
            [Write(document.key, document.revision, json.dumps({**kept, "quarantined": {}}).encode())],
            actor=ANN, action="test", resource="standing", before=None, after=None,
        )  # fmt: skip
    with pytest.raises(RolloutRefused, match="automation is frozen"):
        ground.start("3")
    assert ground.start("3", override=True).rollout.state == "draft"


def test_a_digest_in_quarantine_is_known_under_any_name(ground: Ground) -> None:
    ground.to_first_step()
    ground.tick("abort")
    ground.work()
    ground.tick()
    ground.clock.pass_s(601)
    ground.start("3")
    versions = {"1": VersionStatus("ready", "sha-1"), "3": VersionStatus("ready", "sha-2")}
    facts = WorkerFacts("w1", 1, 0.0, {"fraud": versions}, {"fraud": ground.route.revision})
    ground.store.announce("w1", encode_facts(facts), ttl_s=1e6)
    for _ in range(3):
        rollout = ground.tick()
    assert rollout.state == "failed"
    assert "errors" in rollout.cause


def test_a_new_leader_goes_on_where_the_old_one_stopped_with_evidence_of_its_own(ground: Ground) -> None:
    ground.to_first_step()
    ground.clock.pass_s(4)
    second = ground.leader("two")
    assert ground.tick("pass", driver=second).leader == "one"
    assert not ground.steering.is_leader
    ground.clock.pass_s(6)
    ground.work()
    rollout = ground.tick("abort", driver=second)
    assert (rollout.leader, rollout.restarts, rollout.state) == ("two", 1, "canary")
    assert ground.steering.specs[0].restarts == 1
    rollout = ground.tick("pass", "pass", driver=second)
    assert (rollout.state, rollout.step) == ("canary", 1)


def test_a_leader_that_was_replaced_while_it_slept_changes_nothing(ground: Ground) -> None:
    ground.to_first_step()
    first, steering = ground.driver, ground.steering
    ground.clock.wall_s += 6  # the lease ends by the store's clock; the sleeper's own has not moved
    second = ground.leader("two")
    second.tick({})
    before = ground.rollout
    found = TrialFindings(spec=steering.specs[0], verdicts=(verdict("errors", "abort"),), taken=1)
    first.tick({"fraud": Seen(findings=found)})
    assert ground.rollout == before
    assert not first.tick({}).is_leader


def test_an_epoch_that_is_over_is_refused_by_the_store_itself(ground: Ground) -> None:
    ground.to_first_step()
    ground.clock.wall_s += 6
    ground.leader("two").tick({})
    with pytest.raises(EpochStale):
        ground.ledger.change(
            [Write("x", 0, b"{}")], actor=ANN, action="x", resource="x", before=None, after=None, epoch=1
        )


def test_a_clock_that_jumps_neither_advances_nor_hurts(ground: Ground) -> None:
    ground.to_first_step()
    ground.tick("pass")
    ground.clock.wall_s += 1e5
    assert ground.tick("pass", "pass").step == 0
    ground.clock.wall_s -= 2e5
    ground.work()
    assert ground.tick("pass", "pass").step == 0
    ground.clock.mono_s += 11
    assert ground.tick("pass", "pass").step == 1


def test_a_route_that_an_operator_changed_ends_the_rollout_and_stays(ground: Ground) -> None:
    ground.to_first_step()
    ground.put_route(replace(ground.route, canary=None, reason="mine now", updated_by="ann"))
    ground.work()
    rollout = ground.tick("abort")
    assert (rollout.state, rollout.cause) == ("superseded", "the route was changed by ann: mine now")
    assert ground.route.canary is None


def test_an_operator_aborts_without_any_leader(ground: Ground) -> None:
    ground.to_first_step()
    outcome = ground.act("abort", "numbers look odd")
    assert (outcome.rollout.state, ground.route.canary) == ("rolling_back", None)
    assert ground.route.reason == "rollout a: numbers look odd"
    with pytest.raises(RolloutRefused, match="nothing to abort"):
        ground.act("abort")
    ground.work()
    assert ground.tick().state == "rolled_back"
    ground.clock.pass_s(1)
    with pytest.raises(RolloutRefused, match="quarantine"):
        ground.start()
    assert ground.start("3").rollout.state == "draft"


def test_an_abort_before_after_and_without_a_rollout_changes_no_traffic(ground: Ground) -> None:
    before = ground.route
    with pytest.raises(ResourceUnknown):
        ground.act("abort")
    assert ground.route == before
    ground.to_first_step()
    for _ in range(3):
        ground.clock.pass_s(11)
        ground.work()
        ground.tick("pass", "pass")
    assert ground.rollout.state == "completed"
    completed = ground.route
    with pytest.raises(RolloutRefused, match="nothing to abort"):
        ground.act("abort")
    assert ground.route == completed


def test_pause_holds_everything_but_going_back(ground: Ground) -> None:
    ground.to_first_step()
    ground.act("pause")
    ground.clock.pass_s(1_000)
    ground.work()
    assert ground.tick("pass", "pass").state == "paused"
    with pytest.raises(RolloutRefused, match="paused already"):
        ground.act("pause")
    ground.act("resume")
    assert ground.tick("pass", "pass").step == 1
    ground.act("pause")
    assert ground.tick("abort").state == "rolling_back"


def test_promote_takes_one_step_without_waiting_for_evidence(ground: Ground) -> None:
    ground.start()
    with pytest.raises(RolloutRefused, match="not validated"):
        ground.act("promote")
    for _ in range(3):
        ground.tick()
    foreseen = ground.act("promote", dry_run=True)
    assert (foreseen.rollout.step, foreseen.is_dry_run, ground.rollout.step) == (1, True, 0)
    assert ground.act("promote", "go").rollout.step == 1
    assert ground.route.canary == CanaryRoute("2", 5_000)
    assert ground.act("promote").rollout.state == "baking"
    assert ground.route.stable == "2"
    assert ground.act("promote").rollout.state == "completed"


def test_time_in_which_the_model_was_stopped_does_not_count(ground: Ground) -> None:
    ground.to_first_step()
    ground.clock.pass_s(6)
    ground.put_route(stopped(ground.route, None, None, now="", actor="ann", reason="harm"))
    ground.work()
    assert ground.tick("pass", "pass").state == "holding"
    ground.clock.pass_s(50)
    ground.put_route(resumed(ground.route, now_s=ground.clock.wall_s, now="", actor="ann", reason=""))
    ground.work()
    assert ground.tick("pass", "pass").state == "canary"
    ground.clock.pass_s(9)
    ground.work()
    assert ground.tick("pass", "pass").step == 0
    ground.clock.pass_s(1)
    ground.work()
    assert ground.tick("pass", "pass").step == 1


def test_the_same_request_twice_is_carried_out_once(ground: Ground) -> None:
    first = ground.start(ask=Ask(actor=ANN, idempotency_key="k1"))
    again = ground.start(ask=Ask(actor=ANN, idempotency_key="k1"))
    assert again.rollout.id == first.rollout.id
    for _ in range(3):
        ground.tick()
    ground.act("promote", idempotency_key="k2")
    assert ground.act("promote", idempotency_key="k2").rollout.step == 1
    assert ground.start(ask=Ask(actor=ANN, idempotency_key="k1")).rollout.id == first.rollout.id


def test_a_rollout_that_makes_no_sense_is_refused_with_every_reason(ground: Ground) -> None:
    with pytest.raises(VersionUnknown):
        ground.start("9")
    with pytest.raises(RolloutRefused, match="stable already"):
        ground.start("1")
    ground.put_route(replace(ground.route, canary=CanaryRoute("3", 100)))
    with pytest.raises(RolloutRefused, match="has version 3 as its canary"):
        ground.start()


def test_a_candidate_that_does_not_load_fails_the_rollout(ground: Ground) -> None:
    ground.work("failed")
    ground.start()
    for _ in range(3):
        rollout = ground.tick()
    assert (rollout.state, ground.route.canary) == ("failed", None)


def test_without_rollouts_nobody_takes_a_lease(ground: Ground) -> None:
    assert not ground.driver.tick({}).is_leader
    assert ground.store.lease("rollouts", "somebody", 5) is not None


def test_a_route_that_cannot_be_read_stops_its_rollout_alone(ground: Ground) -> None:
    ground.to_first_step()
    document = ground.store.read(route_key("fraud"))
    assert document is not None
    ground.ledger.change(
        [Write(document.key, document.revision, b"[]")],
        actor=ANN, action="test", resource="route/fraud", before=None, after=None,
    )  # fmt: skip
    assert ground.tick("abort").state == "canary"
    assert ground.steering.is_leader


class FragileGuard:
    """A guard that demands nothing, or fails in a way that nobody thought of."""

    def __init__(self) -> None:
        self.fails, self._calls = False, count(1)

    def look(self, *_: Any, **__: Any) -> Clearance:
        if self.fails:
            raise RuntimeError(f"failure {next(self._calls)}")
        return FREE


def put_beside(ground: Ground, model: str) -> None:
    """Begin a rollout of another model."""
    rollout, route = ground.rollout, RouteDocument(model, 0, "1", "s")
    other = replace(rollout, id="other", model=model, state="draft", stage="validating", leader="", revision=0)
    ground.ledger.change(
        [Write(route_key(model), 0, encode_route(route)), Write(rollout_key(model), 0, encode_rollout(other))],
        actor=ANN, action="test", resource=model, before=None, after=None,
    )  # fmt: skip


def errors_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("step", [-1, 2, 10**9])
def test_a_step_that_the_plan_does_not_have_is_refused_with_its_place_and_the_others_go_on(
    ground: Ground, caplog: pytest.LogCaptureFixture, step: int
) -> None:
    ground.to_first_step()
    put_beside(ground, "loan")
    document = ground.store.read("rollout/fraud")
    assert document is not None
    assert len(ground.rollout.plan.steps) == 2
    edited = json.dumps(json.loads(document.body) | {"step": step}).encode()
    write = Write("rollout/fraud", document.revision, edited)
    ground.ledger.change([write], actor=ANN, action="x", resource="rollout/fraud", before=None, after={})
    with pytest.raises(DocumentInvalid, match=rf"rollout/fraud: /step.*one of the plan's 2, 0 to 1.*{step}"):
        ground.control.get("fraud")
    for _ in range(3):
        ground.steering = ground.driver.tick({})
    assert errors_of(caplog)[0] == "rollout/fraud cannot be read and is left alone"
    assert ground.control.get("loan").leader == "one"
    assert ground.route.canary == CanaryRoute("2", 500)


def test_a_rollout_whose_steering_fails_is_held_until_its_deadline_and_the_others_go_on(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    ground.to_first_step()
    put_beside(ground, "loan")
    told = list[str]()
    for _ in range(4):
        ground.steering = ground.driver.tick({"fraud": Seen(stale_s="long")})  # type: ignore[arg-type]  # what fails
        told += ground.steering.failures
    assert told == ["fraud"]
    assert ground.rollout.state == "holding"
    assert ground.rollout.cause.startswith("steering it failed, which the log of the watch shows: TypeError: ")
    assert hindrances(ground.steering.situations["fraud"]) == [ground.rollout.cause]
    assert errors_of(caplog) == ["steering rollout a of fraud fails, and it is held"]
    assert ground.control.get("loan").state == "validating"
    assert {spec.model for spec in ground.steering.specs} == {"fraud"}
    assert ground.tick("pass", "pass").state == "holding"
    records = len(ground.store.audit(limit=1_000))
    assert ground.tick("pass", "pass").state == "holding"
    assert len(ground.store.audit(limit=1_000)) == records
    ground.clock.pass_s(101)
    assert ground.tick("pass", "pass").state == "rolling_back"


def test_a_pause_forgives_a_failure_of_the_steering(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    guard = FragileGuard()
    recorder = RolloutRecorder(ground.store, ground.ledger, ground.clock)
    ground.driver = RolloutDriver(
        ground.store, recorder, ground.clock, holder="one", slow_s=SLOW_S,
        guard=guard,  # type: ignore[arg-type]  # it has the one method that is called
    )  # fmt: skip
    ground.to_first_step()
    guard.fails = True
    for _ in range(3):
        rollout = ground.tick("pass", "pass")
    assert (rollout.state, ground.route.canary) == ("holding", CanaryRoute("2", 500))
    assert rollout.cause.endswith("RuntimeError: failure 1")
    assert len(errors_of(caplog)) == 1
    guard.fails = False
    ground.act("pause")
    ground.tick()
    ground.act("resume")
    ground.work()
    ground.clock.pass_s(11)
    for _ in range(2):
        rollout = ground.tick("pass", "pass")
    assert (rollout.state, rollout.step) == ("canary", 1)
