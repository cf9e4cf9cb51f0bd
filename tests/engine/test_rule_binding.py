"""Rules of a manifest that fit the graph, and those that do not: refused with where, why and what to do."""

from pathlib import Path

import pytest

from gateway.engine.loading import load_version
from gateway.errors import VersionRefused
from gateway.rules import Range, Relation, Rule
from tests import models
from tests.serving import bundle_of, servable_of

FEATURES = """
  features:
    - {name: petal_length, dtype: float32}
    - {name: petal_width, dtype: float32, missing: flag}
    - {name: sepal, dtype: string}
"""


def test_rules_become_part_of_the_contract(tmp_path: Path) -> None:
    manifest = """
interface:
  rules:
    - {name: in-order, action: reject, relation: {left: x0, operator: <=, right: [x1, x2], tolerance: 0.5}}
    - {name: small, range: {feature: x2, max: 10}}
"""
    relation = Relation(left="x0", operator="<=", right=("x1", "x2"), tolerance=0.5)
    assert servable_of(tmp_path, models.multi_output(), manifest=manifest).contract.rules == (
        Rule(name="in-order", action="reject", relation=relation),
        Rule(name="small", range=Range(feature="x2", max=10.0)),
    )


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        pytest.param(
            "range: {feature: width, min: 0}",
            "'width' is no feature; name one of 'petal_length', 'petal_width', 'sepal'",
            id="unknown",
        ),
        pytest.param(
            "relation: {left: petal_width, operator: <, right: sepal}",
            "'sepal' is a string; relation is about numbers, use categories",
            id="string",
        ),
        pytest.param(
            "missing: {features: [petal_length, petal_width], at_most: 1}",
            "it never breaks, since 'petal_length' may not be missing at all; set missing: impute or flag for them, "
            "or leave the rule out",
            id="never",
        ),
        pytest.param(
            "categories: {feature: petal_width, one_of: [wide]}",
            "'petal_width' is float32; one_of needs numbers",
            id="numbers",
        ),
        pytest.param(
            "categories: {feature: sepal, one_of: [1]}", "'sepal' is string; one_of needs strings", id="strings"
        ),
    ],
)
def test_a_rule_that_does_not_fit_refuses_the_version(tmp_path: Path, rule: str, why: str) -> None:
    good = "{name: good, range: {feature: petal_width, max: 9}}"
    manifest = f"interface:\n  rules: [{good}, {{name: bad, {rule}}}]{FEATURES}"
    with pytest.raises(VersionRefused) as caught:
        servable_of(tmp_path, models.columns_classifier(), manifest=manifest)
    assert caught.value.why == f"interface.rules[1] 'bad': {why}"


def test_tensors_without_features_have_no_rules(tmp_path: Path) -> None:
    manifest = "interface: {rules: [{name: r, range: {feature: image, max: 1}}]}"
    with pytest.raises(VersionRefused, match="without named features"):
        servable_of(tmp_path, models.image_model(), manifest=manifest)


def test_golden_rows_are_not_held_to_rules(tmp_path: Path) -> None:
    """Their times are as old as they are, and a rule of the version may be younger."""
    manifest = """
interface: {rules: [{name: fresh, action: reject, freshness: {feature: x, max_age_s: 60}}]}
evaluation: {golden_set: {path: golden.json}}
"""
    files = {"golden.json": '{"instances": [[1.5]], "predictions": [1.5]}'}
    bundle = bundle_of(tmp_path, models.echo_model(), manifest=manifest, files=files)
    assert [rule.name for rule in load_version(bundle).contract.rules] == ["fresh"]
