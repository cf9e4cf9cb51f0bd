"""What people may ask of approvals: by whom, on what, once for each key, and never for their own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    ApprovalRefused,
    DocumentInvalid,
    IdempotencyKeyReused,
    ModelUnknown,
    ResourceUnknown,
    VersionUnknown,
)
from gateway.governance.approvals import MOST_GRANTS, decode_approvals, encode_approvals
from gateway.governance.guard import Guard
from gateway.governance.operations import ApprovalControl, ApprovalOutcome
from gateway.governance.policy import Policy
from gateway.rollout.document import RolloutDocument, encode_rollout, rollout_key
from gateway.rollout.operations import Ask
from gateway.rollout.plan import Plan
from gateway.state.ledger import Ledger, verify
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Document, Write
from gateway.types import Actor
from tests.gateway.governance.material import CANDIDATE, POLICY, declare, document, grant, record, release
from tests.gateway.rollout.test_driver import HandClock

DAY_S, HOUR_S = 86_400.0, 3_600.0


class OneModel:
    def models(self) -> dict[str, list[str]]:
        return {"fraud": ["1", "2", "3"]}


class NoModels:
    def models(self) -> dict[str, list[str]]:
        return {}


class Desk:
    """A store with version 2, of the high tier and loaded, and its release report."""

    def __init__(self, path: Path, policy: Policy | None = POLICY) -> None:
        self.clock = HandClock()
        self.store = SqliteStore(path, clock=self.clock)
        self.ledger = Ledger(self.store, self.clock)
        guard = Guard(self.store, self.clock, policy)
        self.control = ApprovalControl(self.ledger, self.store, self.clock, guard, repository=OneModel())
        declare(self.store, self.ledger, "2", CANDIDATE.digest, author="alice")
        release(self.store, self.ledger)

    def give(self, subject: str, *, role: str = "approver", **body: Any) -> ApprovalOutcome:
        return self.control.give("fraud", "2", json.dumps(body).encode(), by(subject, role))

    def break_glass(self, subject: str = "oscar", **ask: Any) -> ApprovalOutcome:
        body = b'{"reason": "the old one fails", "ticket": "T-7"}'
        return self.control.break_glass("fraud", "2", body, by(subject, "operator", **ask))

    def review(self, subject: str) -> ApprovalOutcome:
        return self.control.review("fraud", "2", b'{"comment": "it was right"}', by(subject))

    @property
    def view(self) -> dict[str, Any]:
        return self.control.get("fraud", "2")


def by(subject: str, role: str = "approver", **ask: Any) -> Ask:
    return Ask(actor=Actor(subject, role), **ask)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "weir.db")
    yield desk
    desk.store.close()


def test_two_approvers_of_two_names_let_a_high_risk_version_go(desk: Desk) -> None:
    assert desk.give("ann", comment="read the report").view["may_take_traffic"] is False
    assert desk.give("Ann").view["approved_by"] == ["Ann"], "one name in two spellings is one subject"
    found = desk.give("bob").view
    assert (found["may_take_traffic"], found["approved_by"], found["missing"]) == (True, ["Ann", "bob"], [])
    assert found == desk.view


def test_an_approval_expires_by_the_policy_and_can_be_renewed(desk: Desk) -> None:
    desk.give("ann")
    desk.give("bob")
    desk.clock.pass_s(30 * DAY_S)
    assert desk.view["approved_by"] == []
    assert [one["is_expired"] for one in desk.view["approvals"]] == [True, True]
    desk.give("ann")
    assert desk.view["approved_by"] == ["ann"]


@pytest.mark.parametrize(
    ("subject", "why"),
    [("rita", "submitted its release report"), ("ALICE", "is its author"), ("stan", "started it")],
)
def test_nobody_approves_their_own(desk: Desk, subject: str, why: str) -> None:
    running = RolloutDocument(
        id="r", model="fraud", stable="1", candidate="2", plan=Plan(), salt="", reason="", created_by="stan"
    )
    write = Write(rollout_key("fraud"), 0, encode_rollout(running))
    desk.ledger.change([write], actor=Actor("stan"), action="x", resource="x", before=None, after=None)
    with pytest.raises(ApprovalRefused, match=f"{subject} {why}, and nobody approves their own"):
        desk.give(subject)


def test_an_approval_wants_the_report_that_its_tier_demands(desk: Desk) -> None:
    release(desk.store, desk.ledger, record(outcome="fail"))
    with pytest.raises(ApprovalRefused, match="it lacks a release report that passed at tier high"):
        desk.give("ann")


def test_an_approver_may_name_the_digest_that_was_looked_at(desk: Desk) -> None:
    with pytest.raises(ApprovalRefused, match="it is not what you looked at"):
        desk.give("ann", digest="sha256:" + "9" * 64)
    assert desk.give("ann", digest=CANDIDATE.digest).view["approved_by"] == ["ann"]


def test_a_new_report_makes_the_approvals_on_the_old_one_stale(desk: Desk) -> None:
    desk.give("ann")
    release(desk.store, desk.ledger, record(report_sha256="n" * 64))
    assert desk.view["approved_by"] == []


def test_an_approver_withdraws_their_own_and_nobody_else_s(desk: Desk) -> None:
    desk.give("ann")
    with pytest.raises(ResourceUnknown, match="by 'bob'"):
        desk.control.withdraw("fraud", "2", by("bob"))
    assert desk.control.withdraw("fraud", "2", by("ann"), "second thoughts").view["approvals"] == []


def test_a_request_of_one_key_is_carried_out_once(desk: Desk) -> None:
    body, ask = b'{"comment": "fine"}', by("ann", idempotency_key="k")
    first = desk.control.give("fraud", "2", body, ask).view
    desk.clock.pass_s(60.0)
    assert desk.control.give("fraud", "2", body, ask).view == first
    with pytest.raises(IdempotencyKeyReused):
        desk.control.give("fraud", "2", b'{"comment": "another"}', ask)


def test_a_dry_run_changes_nothing_and_says_what_stands_in_the_way(desk: Desk) -> None:
    before = desk.store.head()
    foreseen = desk.control.give("fraud", "2", b"{}", by("ann", dry_run=True))
    assert (foreseen.is_dry_run, foreseen.view["approved_by"]) == (True, ["ann"])
    refused = desk.control.give("fraud", "2", b"{}", by("rita", dry_run=True))
    assert refused.violations == ("rita submitted its release report, and nobody approves their own",)
    assert desk.store.head() == before


def test_break_glass_lasts_four_hours_and_waits_for_another_s_review(desk: Desk) -> None:
    assert desk.break_glass().view["may_take_traffic"] is True
    with pytest.raises(ApprovalRefused, match="a grant by oscar is in force already"):
        desk.break_glass("olga")
    desk.clock.pass_s(4 * HOUR_S)
    assert desk.view["may_take_traffic"] is False
    with pytest.raises(ApprovalRefused, match="nobody reviews their own"):
        desk.review("Oscar")
    (kept,) = desk.review("ann").view["break_glass"]
    assert (kept["reviewed_by"], kept["review"], kept["ticket"]) == ("ann", "it was right", "T-7")
    with pytest.raises(ApprovalRefused, match="no break-glass grant waits"):
        desk.review("ann")


def test_the_glass_is_not_broken_where_nothing_is_missing(desk: Desk) -> None:
    desk.give("ann")
    desk.give("bob")
    with pytest.raises(ApprovalRefused, match="there is nothing to go around"):
        desk.break_glass()


def test_grants_that_nobody_reviews_come_to_an_end(desk: Desk) -> None:
    over = tuple(grant(expires_at=1.0) for _ in range(MOST_GRANTS))
    kept = document(grants=over)
    write = Write("approval/fraud/" + "2" * 64, 0, encode_approvals(kept))
    desk.ledger.change([write], actor=Actor("x"), action="x", resource="x", before=None, after=None)
    with pytest.raises(ApprovalRefused, match="32 grants wait for their review"):
        desk.break_glass()
    desk.review("ann")
    assert len(desk.break_glass().view["break_glass"]) == MOST_GRANTS, "a reviewed one has made room"


def test_every_change_leaves_its_record(desk: Desk) -> None:
    desk.give("ann", comment="fine")
    desk.break_glass()
    desk.review("ann")
    desk.control.withdraw("fraud", "2", by("ann"))
    records = desk.store.audit()
    verify(records)
    told = [(one.action, one.actor["subject"], one.actor["role"], one.reason) for one in records[2:]]
    assert told == [
        ("approval.give", "ann", "approver", "fine"),
        ("approval.break_glass", "oscar", "operator", "the old one fails"),
        ("approval.review", "ann", "approver", "it was right"),
        ("approval.withdraw", "ann", "approver", ""),
    ]
    assert {one.resource for one in records[2:]} == {"approval/fraud/" + "2" * 64}


def test_without_a_policy_there_is_nothing_to_approve(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "weir.db", policy=None)
    assert desk.view["may_take_traffic"] is True
    with pytest.raises(ApprovalRefused, match="no policy is in force"):
        desk.give("ann")
    with pytest.raises(ApprovalRefused, match="no policy is in force"):
        desk.break_glass()
    desk.store.close()


def test_a_grant_is_reviewed_although_policy_and_folder_are_gone(desk: Desk) -> None:
    desk.break_glass()
    guard = Guard(desk.store, desk.clock)
    control = ApprovalControl(desk.ledger, desk.store, desk.clock, guard, repository=NoModels())
    seen = control.review("fraud", "2", b'{"comment": "it was right"}', by("ann")).view
    assert [one["reviewed_by"] for one in seen["break_glass"]] == ["ann"]


def test_a_version_that_was_never_loaded_cannot_be_approved(desk: Desk) -> None:
    with pytest.raises(ApprovalRefused, match="weir load fraud 3"):
        desk.control.give("fraud", "3", b"{}", by("ann"))
    with pytest.raises(VersionUnknown):
        desk.control.get("fraud", "7")
    with pytest.raises(ModelUnknown):
        desk.control.get("loan", "1")


@pytest.mark.parametrize(
    ("verb", "body", "fault"),
    [
        ("give", b'{"comment": "%s"}' % (b"x" * 501), "/comment"),
        ("give", b'{"subject": "bob"}', "/subject"),
        ("break_glass", b'{"reason": "x"}', "/ticket"),
        ("break_glass", b'{"reason": " ", "ticket": "T"}', "/reason"),
        ("review", b"{}", "/comment"),
    ],
)
def test_a_body_that_breaks_its_rules_is_refused(desk: Desk, verb: str, body: bytes, fault: str) -> None:
    with pytest.raises(DocumentInvalid, match=fault):
        getattr(desk.control, verb)("fraud", "2", body, by("ann"))


def test_a_stored_document_of_another_digest_is_not_believed() -> None:
    body = encode_approvals(document())
    assert decode_approvals(Document("approval/fraud/" + "2" * 64, 3, body)).revision == 3
    with pytest.raises(DocumentInvalid, match="the digest of its key"):
        decode_approvals(Document("approval/fraud/" + "9" * 64, 3, body))
