"""Whether a version has what its tier demands: what counts, what does not, and what is said of it."""

from typing import Any

import pytest

from gateway.governance.approvals import Approval
from gateway.governance.policy import Policy, Tier
from gateway.governance.standing import Candidate, Standing, standing
from gateway.release.stored import ReleaseRecord
from tests.gateway.governance.material import CANDIDATE, NOW_S, POLICY, approval, document, grant, record

PASSED = record()


def stands(
    *approvals: Approval,
    tier: Tier = "high",
    report: ReleaseRecord | None = PASSED,
    candidate: Candidate = CANDIDATE,
    starter: str = "",
    now_s: float = NOW_S,
    **given: Any,
) -> Standing:
    kept = document(*approvals, **given)
    return standing(POLICY, tier, candidate, report, kept, now_s=now_s, starter=starter)


def test_the_minimal_tier_demands_nothing() -> None:
    assert standing(POLICY, "minimal", CANDIDATE, None, None, now_s=NOW_S).met


@pytest.mark.parametrize(
    ("tier", "subjects", "met"),
    [
        ("limited", ("ann",), True),
        ("limited", (), False),
        ("high", ("ann",), False),
        ("high", ("ann", "bob"), True),
    ],
)
def test_a_tier_wants_so_many_subjects(tier: Tier, subjects: tuple[str, ...], met: bool) -> None:
    found = stands(*map(approval, subjects), tier=tier)
    assert (found.met, found.by, found.report_sha256) == (met, subjects, "r" * 64)


def test_what_is_missing_is_said_with_the_command_that_gets_it() -> None:
    found = stands(report=None)
    assert [str(one) for one in found.missing] == [
        "a release report that passed at tier high under the policy: there is none (weir release check fraud 2)",
        "2 more approvals: it has 0 of 2 (weir approval give fraud 2)",
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"outcome": "fail"}, "did not pass", id="failed"),
        pytest.param({"policy_digest": Policy().digest}, "another policy", id="changed policy"),
        pytest.param({"tier": "limited"}, "made at tier limited", id="lower tier"),
    ],
)
def test_a_report_that_does_not_count_is_none_and_takes_the_approvals_on_it_along(
    changes: dict[str, Any], why: str
) -> None:
    found = stands(approval("ann"), approval("bob"), report=record(**changes))
    assert not found.met
    assert found.by == ()
    assert why in found.missing[0].what


def test_a_report_of_a_higher_tier_counts_for_a_lower_one() -> None:
    assert stands(approval("ann"), tier="limited", report=record(tier="high")).met


def test_an_approval_on_an_earlier_report_does_not_count_on_the_present_one() -> None:
    found = stands(approval("ann"), approval("bob", release_report_sha256="e" * 64))
    assert found.by == ("ann",)
    assert "that of bob does not count: it has expired, or was given on another release report" in found.missing[0].what


def test_an_approval_counts_until_the_second_that_it_names() -> None:
    both = approval("ann"), approval("bob", expires_at=NOW_S + 50)
    assert stands(*both, now_s=NOW_S + 49.9).met
    assert stands(*both, now_s=NOW_S + 50).by == ("ann",)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({"report": record(submitted_by="Bob")}, "submitted its release report", id="submitter"),
        pytest.param({"candidate": Candidate("fraud", "2", CANDIDATE.digest, None, " BOB ")}, "author", id="author"),
        pytest.param({"starter": "bob"}, "started it", id="starter"),
    ],
)
def test_nobody_s_approval_of_their_own_counts(given: dict[str, Any], why: str) -> None:
    found = stands(approval("ann"), approval("bob"), **given)
    assert not found.met
    assert found.by == ("ann",)
    assert f"that of bob does not count: {'is its ' if why == 'author' else ''}{why}" in found.missing[0].what


def test_break_glass_stands_in_for_everything_that_is_missing_while_it_lasts() -> None:
    found = stands(report=None, grants=(grant(),))
    assert (found.met, found.break_glass, len(found.missing)) == (True, "oscar", 2)
    assert not stands(report=None, grants=(grant(),), now_s=NOW_S + 100).met


def test_break_glass_is_not_named_where_nothing_is_missing() -> None:
    assert stands(approval("ann"), approval("bob"), grants=(grant(),)).break_glass == ""


def test_the_evidence_says_by_whom_and_on_what() -> None:
    told = stands(approval("ann"), approval("bob")).evidence(CANDIDATE)
    assert told == {
        "version": "2",
        "digest": CANDIDATE.digest,
        "tier": "high",
        "policy_digest": POLICY.digest,
        "approved_by": ["ann", "bob"],
        "release_report_sha256": "r" * 64,
        "break_glass": "",
        "missing": [],
    }
