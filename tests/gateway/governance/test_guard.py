"""The guard: who gets more live traffic needs what its tier demands, and nothing that lowers it ever does."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog.folders import ModelFolders
from gateway.control import Control
from gateway.errors import DocumentInvalid, GovernanceUnmet, NothingToRollBack, RevisionStale, RolloutRefused
from gateway.governance.approvals import ApprovalDocument, encode_approvals
from gateway.governance.first import declaring, first_clearance
from gateway.governance.guard import Guard
from gateway.governance.policy import Policy
from gateway.governance.traffic import raised
from gateway.rollout.driver import RolloutDriver, Seen
from gateway.rollout.operations import Ask
from gateway.rollout.recorder import RolloutRecorder
from gateway.routing.codec import encode_route, route_key
from gateway.routing.document import FULL_BP, CanaryRoute, RouteDocument, ShadowRoute
from gateway.seeding import seed_routes
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import AuditRecord, StateStore, Write
from gateway.types import Actor, VersionStatus, WorkerFacts
from monitors.records import TrialFindings
from tests.gateway.governance.material import CANDIDATE, POLICY, approval, declare, document, grant, record, release
from tests.gateway.rollout.material import SLOW_S, verdict
from tests.gateway.rollout.test_driver import HandClock

OSCAR = Actor("oscar", "operator")
PLAN = {"steps": [5, 10, 50], "shadow": None, "dwell_s": 10, "bake_s": 10, "hold_s": 100}
DIGESTS = {version: f"sha256:{version * 64}" for version in "1234"}


class Folder:
    def models(self) -> dict[str, list[str]]:
        return {"fraud": ["1", "2", "3", "4"]}

    def card(self, model: str, version: str) -> str:
        return ""


class House:
    """A gateway's control service and driver over one store; version 1 serves, every version is ready."""

    def __init__(self, path: Path, policy: Policy | None = POLICY) -> None:
        self.clock = HandClock()
        self.store = SqliteStore(path, clock=self.clock)
        self.ledger = Ledger(self.store, self.clock)
        self.control = Control(self.ledger, self.store, self.clock, repository=Folder(), policy=policy)
        guard = Guard(self.store, self.clock, policy)
        recorder = RolloutRecorder(self.store, self.ledger, self.clock)
        self.driver = RolloutDriver(self.store, recorder, self.clock, holder="one", slow_s=SLOW_S, guard=guard)
        self.specs: Any = ()
        self.put(route_key("fraud"), encode_route(RouteDocument("fraud", 0, "1", "s")))
        self.work()

    def put(self, key: str, body: bytes) -> None:
        known = self.store.read(key)
        write = Write(key, known.revision if known else 0, body)
        self.ledger.change([write], actor=OSCAR, action="test.set", resource=key, before=None, after=None)

    def work(self) -> None:
        """Let the worker say that it has everything ready and applies the present route."""
        statuses = {version: VersionStatus("ready", digest) for version, digest in DIGESTS.items()}
        known = self.store.read(route_key("fraud"))
        facts = WorkerFacts("w1", 1, 0.0, {"fraud": statuses}, {"fraud": known.revision if known else 0})
        self.store.announce("w1", encode_facts(facts), ttl_s=1e9)

    def clear(self, *subjects: str) -> None:
        """Give version 2 its report and these approvals."""
        declare(self.store, self.ledger, "2", DIGESTS["2"])
        release(self.store, self.ledger, record(digest=DIGESTS["2"]))
        self.approve(*subjects)

    def approve(self, *subjects: str) -> None:
        kept = document(*[approval(one, expires_at=self.clock.unix_s() + 1e6) for one in subjects])
        self.put("approval/fraud/" + "2" * 64, encode_approvals(kept))

    def route(self, stable: str, canary: tuple[str, float] | None = None, *, actor: Actor = OSCAR) -> RouteDocument:
        body: dict[str, Any] = {"stable": stable, "reason": "why"}
        if canary:
            body["canary"] = {"version": canary[0], "weight": canary[1]}
        return self.control.put_route("fraud", json.dumps(body).encode(), self.control.route("fraud").revision, actor)

    def start(self, actor: Actor = OSCAR, **ask: Any) -> Any:
        body = {"model": "fraud", "version": "2", "reason": "retrained", "plan": PLAN}
        return self.control.rollouts.start(json.dumps(body).encode(), Ask(actor=actor, **ask))

    def act(self, verb: Any, actor: Actor = OSCAR, **ask: Any) -> Any:
        return self.control.rollouts.act("fraud", verb, "", Ask(actor=actor, **ask))

    def tick(self, seconds: float = 0.0) -> Any:
        """Let time pass while every gate passes, and the driver look once."""
        self.clock.pass_s(seconds)
        self.work()
        passed = tuple(verdict(gate, "pass") for gate in ("errors", "split"))
        found = TrialFindings(spec=self.specs[0], verdicts=passed, taken=1) if self.specs else None
        self.specs = self.driver.tick({"fraud": Seen(findings=found)}).specs
        return self.rollout

    @property
    def rollout(self) -> Any:
        return self.control.rollouts.get("fraud")

    @property
    def newest(self) -> AuditRecord:
        return self.store.audit(self.store.head().sequence - 1)[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "weir.db")
    yield house
    house.store.close()


@st.composite
def routes(draw: st.DrawFn) -> RouteDocument:
    stable, canary, previous = draw(st.permutations("1234"))[:3]
    return RouteDocument(
        "fraud",
        1,
        stable,
        "salt",
        canary=CanaryRoute(canary, draw(st.integers(0, FULL_BP))) if draw(st.booleans()) else None,
        shadows=(ShadowRoute("4", 100),) if stable != "4" and draw(st.booleans()) else (),
        previous_stable=previous if draw(st.booleans()) else None,
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(routes(), routes())
def test_a_version_is_raised_exactly_if_it_has_more_than_before_and_did_not_just_get_it_back(
    before: RouteDocument, after: RouteDocument
) -> None:
    def share(route: RouteDocument, version: str) -> int:
        weight = route.canary.weight_bp if route.canary and route.canary.version == version else 0
        return weight + (route.stable_bp if route.stable == version else 0)

    stays = before.stable if before.stable == after.stable else None
    more = {version for version in "1234" if share(after, version) > share(before, version)}
    assert set(raised(before, after)) == more - {stays}


STANDINGS = (
    document(),
    document(approval("ann")),
    document(approval("ann"), approval("bob", expires_at=1.0)),
    document(grants=(grant(expires_at=1.0),)),
)


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house") / "weir.db")
    yield house
    house.store.close()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(routes(), st.sampled_from(STANDINGS), st.sampled_from(["rollback", "stop", "resume", "lower", "shadow"]))
def test_what_takes_traffic_away_never_needs_an_approval(
    common: House, route: RouteDocument, kept: ApprovalDocument, verb: str
) -> None:
    house = common
    house.put(route_key("fraud"), encode_route(route))
    house.work()
    declare(house.store, house.ledger, "2", CANDIDATE.digest)
    house.put("approval/fraud/" + "2" * 64, encode_approvals(kept))
    try:
        if verb == "rollback":
            house.control.roll_back("fraud", OSCAR)
        elif verb in ("stop", "resume"):
            house.control.stop("fraud", None, None, OSCAR)
            house.control.stop("fraud", "3", None, OSCAR)
            house.control.resume("fraud", OSCAR)
        elif verb == "lower" and route.canary:
            house.route(route.stable, (route.canary.version, route.canary.weight_bp // 2 / 100))
        else:
            house.route(route.stable)
    except NothingToRollBack:
        assert route.canary is None


def test_more_live_traffic_needs_what_the_tier_demands(house: House) -> None:
    house.clear("ann")
    for stable, canary in (("1", ("2", 1.0)), ("2", None)):
        with pytest.raises(GovernanceUnmet) as refused:
            house.route(stable, canary)
        (lack,) = refused.value.missing
        assert lack == ("1 more approval: it has 1 of 2, by ann", "weir approval give fraud 2")
    house.approve("ann", "bob")
    assert house.route("1", ("2", 10.0)).canary == CanaryRoute("2", 1_000)


def test_a_guarded_write_tells_in_its_record_what_it_rests_on(house: House) -> None:
    house.clear("ann", "bob")
    house.route("2")
    assert house.newest.evidence["governance"] == [
        {
            "version": "2",
            "digest": DIGESTS["2"],
            "tier": "high",
            "policy_digest": POLICY.digest,
            "approved_by": ["ann", "bob"],
            "release_report_sha256": "r" * 64,
            "break_glass": "",
            "missing": [],
        }
    ]


@pytest.mark.parametrize(
    ("against", "told"),
    [
        pytest.param({"against": "1", "against_digest": DIGESTS["1"]}, None, id="the stable one"),
        pytest.param({}, "compares it with no version, and version 1 (", id="none"),
        pytest.param(
            {"against": "1", "against_digest": "sha256:before"},
            f"compares it with version 1 (sha256:before), and version 1 ({DIGESTS['1']}) is stable now",
            id="another under the same name",
        ),
    ],
)
def test_a_report_that_compares_with_another_version_than_the_stable_one_is_named_and_counts(
    house: House, against: dict[str, str], told: str | None
) -> None:
    declare(house.store, house.ledger, "1", DIGESTS["1"])
    declare(house.store, house.ledger, "2", DIGESTS["2"])
    release(house.store, house.ledger, record(digest=DIGESTS["2"], **against))
    house.approve("ann", "bob")
    house.route("1", ("2", 10.0))
    (evidence,) = house.newest.evidence["governance"]
    assert evidence["release_report_sha256"] == "r" * 64
    assert "remark" not in evidence if told is None else told in evidence["remark"]


def test_who_sets_the_route_does_not_count_among_its_approvers(house: House) -> None:
    house.clear("ann", "bob")
    with pytest.raises(GovernanceUnmet, match="that of bob does not count: started it"):
        house.route("2", actor=Actor("bob", "admin"))


def test_a_version_cannot_lower_its_own_tier(house: House) -> None:
    policy = Policy()
    control = Control(house.ledger, house.store, house.clock, repository=Folder(), policy=policy)
    declare(house.store, house.ledger, "1", DIGESTS["1"], risk_tier="high")
    declare(house.store, house.ledger, "2", DIGESTS["2"], risk_tier="minimal")
    with pytest.raises(GovernanceUnmet, match="of tier high"):
        control.put_route("fraud", b'{"stable": "2", "reason": "x"}', 1, OSCAR)
    declare(house.store, house.ledger, "1", DIGESTS["1"], risk_tier="minimal")
    assert control.put_route("fraud", b'{"stable": "2", "reason": "x"}', 1, OSCAR).stable == "2"


def test_a_version_that_nobody_has_loaded_is_refused_with_the_command_to_load_it(house: House) -> None:
    with pytest.raises(GovernanceUnmet, match="weir load fraud 3"):
        house.route("3")


def test_other_content_under_the_same_name_has_no_approval(house: House) -> None:
    house.clear("ann", "bob")
    declare(house.store, house.ledger, "2", "sha256:" + "f" * 64)
    with pytest.raises(GovernanceUnmet, match="it has 0 of 2"):
        house.route("2")


class Meddler:
    """A store in which somebody withdraws an approval between the look and the write, once."""

    def __init__(self, house: House) -> None:
        self._house, self._left = house, 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._house.store, name)

    def commit(self, writes: Any, record: AuditRecord, epoch: int | None = None) -> None:
        if self._left and any(write.key == route_key("fraud") for write in writes):
            self._left = 0
            self._house.approve("ann")
            head = self._house.store.head()
            record = AuditRecord(**{**_members(record), "sequence": head.sequence + 1, "previous_hash": head.hash})
        self._house.store.commit(writes, record, epoch)


def _members(record: AuditRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in AuditRecord.__slots__}


def test_an_approval_withdrawn_between_look_and_write_does_not_slip_through(house: House) -> None:
    house.clear("ann", "bob")
    store: StateStore = Meddler(house)
    control = Control(Ledger(store, house.clock), store, house.clock, repository=Folder(), policy=POLICY)
    with pytest.raises(GovernanceUnmet, match="it has 1 of 2"):
        control.put_route("fraud", b'{"stable": "2", "reason": "x"}', 1, OSCAR)
    assert house.control.route("fraud").stable == "1"


def test_a_route_that_is_stale_itself_is_told_at_once(house: House) -> None:
    house.clear("ann", "bob")
    with pytest.raises(RevisionStale, match="route/fraud is at revision 1, not 7"):
        house.control.put_route("fraud", b'{"stable": "2", "reason": "x"}', 7, OSCAR)


def test_a_rollout_is_started_only_with_what_the_tier_demands(house: House) -> None:
    house.clear("ann")
    foreseen = house.start(dry_run=True)
    assert foreseen.violations == ("1 more approval: it has 1 of 2, by ann (weir approval give fraud 2)",)
    with pytest.raises(GovernanceUnmet, match="1 more approval"):
        house.start()
    house.approve("ann", "bob")
    with pytest.raises(GovernanceUnmet, match="that of ann does not count: started it"):
        house.start(Actor("ann", "admin"))
    house.start()
    assert house.newest.evidence["governance"][0]["approved_by"] == ["ann", "bob"]


def test_another_reason_against_a_rollout_is_told_together_with_what_is_missing(house: House) -> None:
    house.clear("ann")
    house.put(route_key("fraud"), encode_route(RouteDocument("fraud", 0, "1", "s", CanaryRoute("3", 5))))
    with pytest.raises(RolloutRefused, match=r"has version 3 as its canary.*1 more approval"):
        house.start()


def to_first_step(house: House) -> None:
    house.clear("ann", "bob")
    house.start()
    for _ in range(4):
        house.tick()
    assert (house.rollout.state, house.rollout.weight_bp) == ("canary", 500)


def test_the_driver_holds_a_canary_whose_approval_was_withdrawn_and_goes_on_when_it_is_back(house: House) -> None:
    to_first_step(house)
    house.approve("ann")
    held = house.tick()
    assert (held.state, held.cause) == (
        "holding",
        "1 more approval: it has 1 of 2, by ann (weir approval give fraud 2)",
    )
    with pytest.raises(GovernanceUnmet):
        house.act("promote")
    with pytest.raises(GovernanceUnmet):
        house.control.rollouts.override("fraud", b'{"gate": "errors", "reason": "x"}', None, Ask(actor=OSCAR))
    house.approve("ann", "carl")
    assert house.tick().state == "canary"


def test_a_rollback_and_an_abort_do_not_ask_for_approvals(house: House) -> None:
    to_first_step(house)
    house.approve()
    house.tick()
    assert house.act("abort").rollout.state == "rolling_back"
    assert house.control.route("fraud").canary is None


def test_a_canary_of_the_high_tier_stays_at_the_cap_until_a_human_goes_on(house: House) -> None:
    to_first_step(house)
    assert house.tick(11.0).weight_bp == 1_000
    for _ in range(3):
        held = house.tick(200.0)
    assert (held.state, held.weight_bp) == ("holding", 1_000), "and it waits longer than a hold may last"
    assert held.cause == "its tier keeps a canary at a share of 0.1 until somebody goes on: weir rollout resume fraud"
    assert house.act("resume").rollout.is_past_cap
    house.tick(11.0)
    assert (house.rollout.state, house.rollout.weight_bp) == ("canary", 5_000)


def test_a_version_of_the_high_tier_is_made_stable_by_a_human(house: House) -> None:
    to_first_step(house)
    house.act("promote")
    house.act("promote")
    assert (house.rollout.weight_bp, house.rollout.is_past_cap) == (5_000, True)
    house.tick()
    for _ in range(3):
        held = house.tick(20.0)
    assert (held.state, held.cause) == (
        "holding",
        "people make a version of its tier stable: weir rollout promote fraud",
    )
    house.act("promote")
    assert house.newest.evidence["governance"][0]["approved_by"] == ["ann", "bob"]
    assert house.control.route("fraud").stable == "2"
    house.approve()
    for _ in range(3):
        house.tick(20.0)
    assert house.rollout.state == "completed", "what is stable already needs nothing more"


def test_a_pause_that_is_resumed_does_not_lift_the_cap(house: House) -> None:
    to_first_step(house)
    house.tick(11.0)
    house.act("pause")
    assert not house.act("resume").rollout.is_past_cap


def test_a_rollout_and_a_route_stored_before_there_were_tiers_are_read(house: House) -> None:
    to_first_step(house)
    stored = house.store.read("rollout/fraud")
    assert stored is not None
    old = json.loads(stored.body)
    del old["is_past_cap"]
    house.put("rollout/fraud", json.dumps(old).encode())
    assert house.rollout.is_past_cap is False
    assert house.tick().state == "canary"


def test_without_a_policy_nothing_is_demanded_and_nothing_more_is_recorded(tmp_path: Path) -> None:
    house = House(tmp_path / "weir.db", policy=None)
    declare(house.store, house.ledger, "2", DIGESTS["2"], risk_tier="high")
    house.route("1", ("2", 50.0))
    assert house.newest.evidence == {"digests": {"1": DIGESTS["1"], "2": DIGESTS["2"]}}
    house.route("1")
    house.start()
    assert house.newest.evidence == {}
    for _ in range(3):
        house.tick()
    assert house.rollout.state == "canary"
    house.store.close()


def bundles(folder: Path, **tiers: str) -> ModelFolders:
    """Return folders of one version a model, with manifests that declare these tiers."""
    for name, tier in tiers.items():
        place = folder / name / "2"
        place.mkdir(parents=True)
        (place / "model.onnx").touch()
        (place / "model.yaml").write_text(f"schema_version: 1\nidentity: {{risk_tier: {tier}}}\n")
    return ModelFolders(folder)


def test_a_model_gets_its_first_route_only_with_what_its_tier_demands(
    house: House, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    guard = Guard(house.store, house.clock, POLICY)
    folders = bundles(tmp_path / "models", loan="minimal", risky="limited", fraud="minimal")

    def seeded() -> list[str]:
        clearance = partial(first_clearance, guard, folders)
        return seed_routes(house.ledger, house.store, house.clock, folders.models(), {}, clearance=clearance)

    gone = Write(route_key("fraud"), 1, None)
    house.ledger.change([gone], actor=OSCAR, action="x", resource="x", before=None, after=None)
    assert seeded() == ["loan"]
    assert "fraud gets no route: version 2 may not take all traffic yet, see weir approval list fraud 2" in caplog.text
    house.clear("ann", "bob")
    assert seeded() == ["fraud"]
    assert house.newest.evidence["governance"][0]["approved_by"] == ["ann", "bob"]


def test_a_document_that_cannot_be_read_keeps_its_own_version_from_traffic_and_nothing_else(house: House) -> None:
    house.clear("ann", "bob")
    declare(house.store, house.ledger, "3", DIGESTS["3"])
    house.put("approval/fraud/" + "2" * 64, b"{}")
    versions = {one["version"]: one["missing"] for one in house.control.models()[0]["versions"]}
    assert "a stored document that can be read: approval/fraud/2222" in versions["2"][0]
    assert "weir release check fraud 3" in versions["3"][0]
    guard = Guard(house.store, house.clock, POLICY)
    assert not first_clearance(guard, ModelFolders(Path("nowhere")), "fraud", "2").is_met
    with pytest.raises(DocumentInvalid, match="approval/fraud"):
        house.route("2")


def test_models_that_declare_a_tier_are_named(tmp_path: Path) -> None:
    folders = bundles(tmp_path, loan="high", fraud="~", odd="[1]", broken="'")
    assert list(declaring(folders, folders.models())) == ["loan"]
