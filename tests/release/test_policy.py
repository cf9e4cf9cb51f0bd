"""The section of the policy about release gates: strict, with what differs by tier and by model."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import DocumentInvalid
from gateway.governance.policy import Policy, parse_policy
from gateway.release.policy import GATES, METRICS, GateRules, MetricRules, ReleaseRules


def rules_of(section: str) -> ReleaseRules:
    return parse_policy(f"schema_version: 1\nrelease: {section}".encode()).release


def test_models_come_after_tiers_and_both_change_only_what_they_name() -> None:
    rules = rules_of(
        "{calibration: {ece: 0.04, bins: 10}, tiers: {high: {calibration: {ece: 0.02}, require: [golden]}}, "
        "models: {loan: {calibration: {ece: 0.03}, metrics: {roc_auc: {at_least: 0.8}}}}}"
    )
    assert rules.of("fraud", "minimal").calibration.ece == 0.04
    high, loan = rules.of("fraud", "high"), rules.of("loan", "high")
    assert (high.calibration.ece, high.calibration.bins, high.require) == (0.02, 10, ("golden",))
    assert (loan.calibration.ece, loan.calibration.bins, loan.require) == (0.03, 10, ("golden",))
    assert loan.metrics["roc_auc"] == replace(GateRules().metrics["roc_auc"], at_least=0.8)
    assert loan.metrics["accuracy"] == MetricRules(margin=0.01)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        pytest.param("{calibratoin: {}}", "/release/calibratoin", id="an unknown member"),
        pytest.param("{calibration: {ece: 2}}", "/calibration/ece: a number from 0 to 1", id="outside its bounds"),
        pytest.param("{metrics: {acuracy: {}}}", "/metrics/acuracy: one of accuracy", id="an unknown metric"),
        pytest.param("{metrics: {accuracy: {margin: -1}}}", "/metrics/accuracy/margin", id="a negative margin"),
        pytest.param("{metrics: {accuracy: {margin: .nan}}}", "/release", id="no number"),
        pytest.param("{require: [goldn]}", "/release/require/0", id="an unknown gate"),
        pytest.param("{tiers: {huge: {}}}", "/tiers/huge: one of minimal, limited, high", id="an unknown tier"),
        pytest.param("{tiers: {high: {calibration: {ece: x}}}}", "tiers/high: /calibration/ece", id="in a tier"),
        pytest.param("{tiers: {high: 3}}", "tiers/high: members of the rules", id="a tier that is no object"),
        pytest.param("{models: {loan: {tiers: {}}}}", "models/loan: /tiers", id="tiers within a model"),
        pytest.param("{replicates: 5}", "/replicates: a number from 100 to 10000", id="too few replicates"),
        pytest.param("{attribution: {at_most: {age: 7}}}", "/attribution/at_most/age", id="a share above one"),
    ],
)
def test_what_breaks_a_rule_is_named_with_its_place(section: str, says: str) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        rules_of(section)
    assert says in str(refused.value)


def test_rules_change_the_policys_digest_and_defaults_do_not() -> None:
    plain = Policy().digest
    assert parse_policy(b"schema_version: 1\nrelease: {}").digest == plain
    assert parse_policy(b"schema_version: 1\nrelease: {calibration: {ece: 0.04}}").digest != plain


def test_the_page_shows_the_rules_that_hold_without_a_file(repo_root: Path) -> None:
    page = (repo_root / "docs" / "releases.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(schema_version.*?)```", page, re.DOTALL)
    rules = parse_policy(example.encode()).release
    assert replace(rules, tiers={}, models={}) == ReleaseRules()
    assert rules.of("loan", "high").metrics["roc_auc"] == MetricRules(margin=0.01, at_least=0.75)
    assert [gate for gate in GATES if f"| `{gate}` |" not in page] == []
    assert [name for name in METRICS if f"`{name}`" not in page] == []
