"""The governance policy is read strictly, has one digest, and no version can lower its own tier."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.errors import DocumentInvalid
from gateway.governance.policy import (
    TIERS,
    Policy,
    TierRules,
    Tiers,
    decode_policy,
    encode_policy,
    parse_policy,
    read_policy,
)

LEAST = "schema_version: 1\n"


def faults_of(text: str) -> list[str]:
    """Return the faults that a policy is refused for."""
    with pytest.raises(DocumentInvalid) as caught:
        parse_policy(text.encode())
    return [str(fault) for fault in caught.value.faults]


def test_the_shortest_policy_holds_the_defaults() -> None:
    assert parse_policy(LEAST.encode()) == Policy()


def test_the_example_of_the_documentation_says_the_defaults_and_a_floor(repo_root: Path) -> None:
    page = (repo_root / "docs/governance.md").read_text()
    (example,) = re.findall(r"```yaml\n(schema_version.*?)```", page, re.DOTALL)
    assert parse_policy(example.encode()) == Policy(models={"loan": "high"})


def test_what_is_left_out_of_a_tier_is_that_tier_s_own_default() -> None:
    policy = parse_policy((LEAST + "tiers: {high: {approvals: 3}}").encode())
    assert policy.tiers.high == TierRules(
        release_report="required", approvals=3, unsigned="refuse", canary_cap=0.1, auto_promote=False
    )
    assert policy.tiers.limited == Tiers().limited


def test_two_texts_that_mean_the_same_have_the_same_digest() -> None:
    longer = yaml.safe_dump({"approval_days": 30, "tiers": {"high": {"approvals": 2}}, "schema_version": 1})
    assert parse_policy(longer.encode()).digest == Policy().digest
    assert re.fullmatch("[0-9a-f]{64}", Policy().digest)


@pytest.mark.parametrize(
    "line",
    ["approval_days: 29", "models: {loan: high}", "undeclared: limited", "tiers: {high: {canary_cap: 0.05}}"],
)
def test_what_changes_the_meaning_changes_the_digest(line: str) -> None:
    assert parse_policy((LEAST + line).encode()).digest != Policy().digest


def test_a_policy_travels_as_json() -> None:
    policy = parse_policy((LEAST + "models: {loan: high}\ntiers: {minimal: {unsigned: warn}}").encode())
    assert decode_policy(encode_policy(policy)) == policy


@pytest.mark.parametrize(
    ("floor", "declared", "tier"),
    [
        pytest.param(None, (None,), "limited", id="what nothing declares is undeclared"),
        pytest.param(None, (), "limited", id="nothing is known of it"),
        pytest.param("high", ("minimal",), "high", id="the floor holds"),
        pytest.param("minimal", ("high",), "high", id="a floor is no ceiling"),
        pytest.param(None, ("minimal", "high"), "high", id="the stable version holds up its successor"),
        pytest.param(None, ("minimal", "minimal"), "minimal", id="both say minimal"),
        pytest.param(None, ("minimal", None), "limited", id="the stable version declares nothing"),
    ],
)
def test_the_tier_is_the_highest_of_floor_version_and_stable(floor: Any, declared: Any, tier: str) -> None:
    policy = Policy(undeclared="limited", models={} if floor is None else {"loan": floor})
    assert policy.tier_of("loan", *declared) == tier


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", "/schema_version: expected 1, found nothing", id="empty"),
        pytest.param("[1]", "/schema_version: expected 1, found nothing", id="a list"),
        pytest.param("schema_version: 2", "/schema_version: expected one of 1, found 2", id="of another schema"),
        pytest.param(LEAST + "aprovals: 3", "/aprovals: expected one of schema_version, undeclared", id="misspelt"),
        pytest.param(LEAST + "models: {'a b': high}", "/models/a b: expected the name of a model", id="no name"),
        pytest.param(LEAST + "models: {a: highest}", "/models/a: expected one of 'minimal'", id="no tier"),
        pytest.param(LEAST + "models: {a: high, a: minimal}", "key 'a' stands twice", id="doubled"),
        pytest.param(LEAST + "tiers: {highest: {}}", "/tiers/highest: expected one of minimal", id="unknown tier"),
        pytest.param(LEAST + "tiers: {high: 2}", "/tiers/high: expected an object", id="a number for a tier"),
        pytest.param(LEAST + "tiers: {high: {approvals: -1}}", "an integer from 0 to 16, found -1", id="negative"),
        pytest.param(LEAST + "tiers: {high: {approvals: true}}", "expected an integer, found true", id="a truth value"),
        pytest.param(LEAST + "tiers: {high: {canary_cap: 0}}", "more than 0, at most 1, or null", id="no canary"),
        pytest.param(LEAST + "tiers: {high: {approvals: 0}}", "as strict as that of the tier limited", id="inverted"),
        pytest.param(LEAST + "tiers: {high: {unsigned: allow}}", "/tiers/high/unsigned: expected at", id="laxer"),
        pytest.param(LEAST + "approval_days: 0", "/approval_days: expected more than 0, at most 3660", id="no days"),
        pytest.param(LEAST + "approval_days: .inf", "/approval_days: expected a number", id="not a number"),
        pytest.param(LEAST + "break_glass_hours: 1e9", "more than 0, at most 168", id="for ever"),
        pytest.param(LEAST + "release: {accuracy: 0.9}", "/release/accuracy", id="unknown gate"),
    ],
)
def test_a_policy_that_breaks_a_rule_is_refused_and_says_where(text: str, fault: str) -> None:
    assert fault in "; ".join(faults_of(text))


def test_every_fault_is_named() -> None:
    assert len(faults_of(LEAST + "approval_days: 0\nbreak_glass_hours: 0\ntiers: {high: {approvals: 99}}")) == 3


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="No such file"):
        read_policy(tmp_path / "policy.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(DocumentInvalid, match="at most 1048576 bytes"):
        read_policy(tmp_path / "large.yaml")


def test_the_tiers_are_ordered_by_what_they_demand() -> None:
    assert TIERS == ("minimal", "limited", "high")
