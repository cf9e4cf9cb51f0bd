"""``model.yaml``: what is accepted, how faults are named, and that the JSON Schema says the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.catalog.manifest import Manifest
from gateway.catalog.manifest_reader import canonical_form, read_manifest
from gateway.catalog.schema import manifest_schema, schema_text
from gateway.codec.configuration import RANGES
from gateway.errors import DocumentInvalid

SHA = "0" * 64
FULL: dict[str, Any] = {
    "schema_version": 1,
    "identity": {"name": "fraud", "version": "1.2.0", "created_at": "2026-01-02", "owner": {"on_call": "pager"}},
    "artifacts": [{"path": "model.onnx", "sha256": SHA, "size": 10, "role": "model", "onnx": {"opsets": {"": 20}}}],
    "interface": {
        "features": [
            {
                "name": "amount",
                "dtype": "float32",
                "range": {"min": 0},
                "missing": "impute",
                "fill": 1.5,
                "importance": 2,
            },
            {"name": "country", "dtype": "string", "categories": ["no", "se"], "unseen": "reject"},
        ],
        "unknown_features": "ignore",
        "outputs": [{"name": "p", "dtype": "float32", "shape": [-1, 2], "semantic": "probabilities"}],
        "classes": ["ok", "fraud"],
        "key_feature": "country",
        "rules": [
            {"name": "r1", "relation": {"left": ["a", "b"], "operator": "==", "right": "c", "tolerance": 0.1}},
            {"name": "r2", "action": "reject", "freshness": {"feature": "t", "max_age_s": 60, "unit": "ms"}},
            {"name": "r3", "missing": {"features": ["a", "b"], "at_most": 1}},
            {"name": "r4", "range": {"feature": "a", "min": 0}, "description": "d"},
            {"name": "r5", "categories": {"feature": "country", "one_of": ["no", "se"]}},
        ],
        "decision_thresholds": {"fraud": 0.8},
        "limits": {"latency_ms": 20},
    },
    "lineage": {
        "code": {"commit": "abc"},
        "data": [{"type": "dvc", "time_range": ["a", "b"]}],
        "random_seeds": {"np": 7},
    },
    "evaluation": {"metrics": [{"name": "auc", "value": 0.9, "ci": [0.8, 1]}], "golden_set": {"path": "golden.json"}},
    "serving": {
        "threads": 1,
        "canary_slice_ms": 50,
        "providers": ["cpu"],
        "log_policy": {"sample": 0.1},
    },
    "governance": {"approvals": [{"subject": "a", "role": "b", "digest": f"sha256:{SHA}", "time": "t"}]},
}

ACCEPTED = [pytest.param({"schema_version": 1}, id="smallest"), pytest.param(FULL, id="full")]
REJECTED = [
    pytest.param({}, "/schema_version", id="no schema version"),
    pytest.param({"schema_version": 2}, "/schema_version", id="other schema version"),
    pytest.param({"schema_version": 1, "nmae": "x"}, "/nmae", id="unknown field"),
    pytest.param({"schema_version": 1, "serving": {"thread": 1}}, "/serving/thread", id="unknown nested field"),
    pytest.param({"schema_version": 1, "serving": {"threads": "1"}}, "/serving/threads", id="wrong type"),
    pytest.param({"schema_version": 1, "serving": {"threads": 0}}, "/serving/threads", id="no thread"),
    pytest.param({"schema_version": 1, "serving": {"max_batch_rows": -1}}, "/serving/max_batch_rows", id="negative"),
    pytest.param({"schema_version": 1, "serving": {"max_batch_rows": 2**20 + 1}}, "/serving/max_batch_rows", id="many"),
    pytest.param({"schema_version": 1, "serving": None}, "/serving", id="null section"),
    pytest.param(
        {"schema_version": 1, "serving": {"log_policy": {"sample": 1.5}}}, "/serving/log_policy/sample", id="share"
    ),
    pytest.param(
        {"schema_version": 1, "artifacts": [{"path": "a", "sha256": "A" * 64}]},
        "/artifacts/0/sha256",
        id="hash in capitals",
    ),
    pytest.param({"schema_version": 1, "artifacts": [{"path": "a"}]}, "/artifacts/0/sha256", id="no hash"),
    pytest.param(
        {"schema_version": 1, "artifacts": [{"path": "", "sha256": SHA}]}, "/artifacts/0/path", id="empty path"
    ),
    pytest.param(
        {"schema_version": 1, "interface": {"features": [{"name": "a", "dtype": "float"}]}},
        "/interface/features/0/dtype",
        id="unknown dtype",
    ),
    pytest.param(
        {"schema_version": 1, "interface": {"features": [{"name": "a", "missing": "drop"}]}},
        "/interface/features/0/missing",
        id="unknown policy",
    ),
    pytest.param(
        {"schema_version": 1, "interface": {"features": [{"name": "a", "importance": -0.5}]}},
        "/interface/features/0/importance",
        id="negative importance",
    ),
    pytest.param(
        {"schema_version": 1, "interface": {"features": [{"name": "a", "importance": "high"}]}},
        "/interface/features/0/importance",
        id="importance in words",
    ),
    pytest.param(
        {"schema_version": 1, "interface": {"features": [{"name": "a", "importance": True}]}},
        "/interface/features/0/importance",
        id="importance yes",
    ),
    pytest.param(
        {"schema_version": 1, "interface": {"features": [{"name": "a", "importance": None}]}},
        "/interface/features/0/importance",
        id="null importance",
    ),
    pytest.param(
        {"schema_version": 1, "evaluation": {"golden_set": {"path": "g", "tolerance": -1}}},
        "/evaluation/golden_set/tolerance",
        id="negative tolerance",
    ),
]


RULES = [
    pytest.param("range: {feature: a, max: 1}, actoin: reject", "/actoin", "one of name, action,", id="unknown member"),
    pytest.param("range: {feature: a, max: 1}, action: drop", "/action", "one of 'reject', 'flag'", id="action"),
    pytest.param("range: {feature: a, max: 1}, name: a b", "/name", "text that matches", id="name"),
    pytest.param("description: none", "", "exactly one of relation, freshness, missing, range, categories", id="none"),
    pytest.param(
        "range: {feature: a, max: 1}, missing: {features: [a], at_most: 0}", "", "not missing and range", id="two kinds"
    ),
    pytest.param("range: {feature: a}", "/range", "min, max or both", id="no limit"),
    pytest.param("range: {feature: a, min: 2, max: 1}", "/range", "min at most max, not 2 to 1", id="empty range"),
    pytest.param(
        "range: {feature: a, min: 16777217, max: 16777216}", "/range", "not 16777217 to 16777216", id="just empty"
    ),
    pytest.param("range: {max: 1}", "/range/feature", "a string", id="no feature"),
    pytest.param("missing: {features: [a, b], at_most: 2}", "/missing", "at_most below 2", id="never missing"),
    pytest.param("missing: {features: [a, a], at_most: 1}", "/missing", "features named once", id="missing twice"),
    pytest.param("missing: {features: [a], at_most: -1}", "/missing/at_most", "at least 0", id="fewer than none"),
    pytest.param(
        "freshness: {feature: a, max_age_s: 0}", "/freshness/max_age_s", "more than 0", id="no age",
    ),
    pytest.param(
        "freshness: {feature: a, max_age_s: 1, unit: h}", "/freshness/unit", "one of 's', 'ms', 'us', 'ns'", id="unit"
    ),
    pytest.param("categories: {feature: a, one_of: []}", "/categories", "at least one value", id="no category"),
    pytest.param(
        "categories: {feature: a, one_of: [x, 1]}", "/categories/one_of", "a list", id="mixed categories"
    ),
    pytest.param(
        "relation: {left: a, operator: '>', right: b}", "/relation/operator", "one of '<', '<=', '=='", id="operator"
    ),
    pytest.param("relation: {left: a, operator: <, right: [a]}", "/relation", "two sides that differ", id="same sides"),
    pytest.param("relation: {left: [], operator: <, right: a}", "/relation", "a feature or several", id="no side"),
    pytest.param(
        "relation: {left: a, operator: ==, right: b, tolerance: -1}", "/relation/tolerance", "at least 0", id="negative"
    ),
]  # fmt: skip


def read(document: Any) -> Manifest:
    return read_manifest(yaml.safe_dump(document).encode(), model="fraud", source="fraud/1/model.yaml")


def faults_of(data: bytes) -> dict[str, tuple[str, str]]:
    with pytest.raises(DocumentInvalid) as caught:
        read_manifest(data, model="fraud", source="fraud/1/model.yaml")
    assert caught.value.source == "fraud/1/model.yaml"
    return {fault.pointer: (fault.expected, fault.found) for fault in caught.value.faults}


def test_the_committed_schema_is_up_to_date(repo_root: Path) -> None:
    assert (repo_root / "gateway/catalog/model.schema.json").read_text() == schema_text()


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("document", ACCEPTED)
def test_reader_and_schema_accept_the_same(document: dict[str, Any]) -> None:
    assert read(document).schema_version == 1
    assert Draft202012Validator(manifest_schema()).is_valid(document)


@pytest.mark.parametrize("name", ["max_batch_rows", "batch_latency_ms", "canary_slice_ms"])
def test_what_the_settings_have_under_the_same_name_is_bounded_alike(name: str) -> None:
    least, most = RANGES[f"serving/{name}"]
    for bound in (least, most):
        assert getattr(read({"schema_version": 1, "serving": {name: bound}}).serving, name) == bound
    for beyond in (least - 1, most + 1):
        document = {"schema_version": 1, "serving": {name: beyond}}
        assert f"/serving/{name}" in faults_of(yaml.safe_dump(document).encode())
        assert not Draft202012Validator(manifest_schema()).is_valid(document)
    declared = manifest_schema()["$defs"]["Serving"]["properties"][name]
    assert (declared["minimum"], declared["maximum"]) == (least, most)


@pytest.mark.parametrize(("document", "pointer"), REJECTED)
def test_reader_and_schema_reject_the_same_and_name_the_place(document: dict[str, Any], pointer: str) -> None:
    assert pointer in faults_of(yaml.safe_dump(document).encode())
    assert not Draft202012Validator(manifest_schema()).is_valid(document)


def test_every_fault_is_named_with_what_was_expected_and_found() -> None:
    faults = faults_of(b"schema_version: 1\nserving: {threads: -2, canary_slice_ms: 0}\n")
    assert faults == {"/serving/threads": ("at least 1", "-2"), "/serving/canary_slice_ms": ("at least 1", "0.0")}


def test_a_feature_without_importance_has_one_and_leaves_the_digest_as_it_was() -> None:
    said, silent = (
        read({"schema_version": 1, "interface": {"features": [f]}})
        for f in ({"name": "a", "importance": 1}, {"name": "a"})
    )
    assert silent.interface.features[0].importance == 1.0
    assert canonical_form(said) == canonical_form(silent)


def test_a_doubled_key_is_refused() -> None:
    assert "twice" in faults_of(b"schema_version: 1\nserving: {threads: 1, threads: 2}\n")[""][1]


def test_a_norwegian_category_stays_a_string() -> None:
    text = b"schema_version: 1\ninterface: {features: [{name: country, categories: [no, se]}]}\n"
    assert read_manifest(text, model="fraud", source="m").interface.features[0].categories == ("no", "se")


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        pytest.param("identity: {name: other}", "/identity/name", id="another model's name"),
        pytest.param("interface: {features: [{name: a}, {name: a}]}", "/interface/features/1/name", id="feature twice"),
        pytest.param(
            "interface: {features: [{name: a, range: {min: 2, max: 1}}]}",
            "/interface/features/0/range",
            id="empty range",
        ),
        pytest.param("interface: {features: [{name: a}], key_feature: b}", "/interface/key_feature", id="key feature"),
        pytest.param("interface: {decision_thresholds: {a: 1e999}}", "", id="infinite number"),
        pytest.param(
            "interface: {features: [{name: a, importance: .inf}]}",
            "/interface/features/0/importance",
            id="infinite importance",
        ),
        pytest.param(
            "interface: {features: [{name: a, importance: .nan}]}",
            "/interface/features/0/importance",
            id="importance that is no number",
        ),
    ],
)
def test_contradictions_are_faults(text: str, pointer: str) -> None:
    assert list(faults_of(f"schema_version: 1\n{text}\n".encode())) == [pointer]


@pytest.mark.parametrize(("rule", "at", "expected"), RULES)
def test_a_wrong_rule_is_refused_with_its_place_and_what_it_should_be(rule: str, at: str, expected: str) -> None:
    name = "" if "name:" in rule else "name: r, "
    text = f"schema_version: 1\ninterface: {{rules: [{{{name}{rule}}}]}}\n"
    faults = faults_of(text.encode())
    assert list(faults) == [f"/interface/rules/0{at}"]
    assert expected in faults[f"/interface/rules/0{at}"][0]


def test_rules_of_one_name_are_refused() -> None:
    rule = "{name: r, range: {feature: a, max: 1}}"
    assert list(faults_of(f"schema_version: 1\ninterface: {{rules: [{rule}, {rule}]}}".encode())) == [
        "/interface/rules/1/name"
    ]


def test_the_canonical_form_leaves_out_defaults_however_they_are_spelled() -> None:
    spelled = {"schema_version": 1, "serving": {"threads": None, "providers": []}, "interface": {"features": []}}
    assert canonical_form(read(spelled)) == canonical_form(Manifest(schema_version=1)) == {"schema_version": 1}


def test_the_canonical_form_leaves_out_statements_about_the_digest() -> None:
    form = canonical_form(read(FULL))
    assert "governance" not in form
    assert form["interface"]["features"][0] == {
        "name": "amount", "dtype": "float32", "range": {"min": 0.0}, "missing": "impute", "fill": 1.5,
        "importance": 2.0,
    }  # fmt: skip
