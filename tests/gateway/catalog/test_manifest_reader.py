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
from gateway.errors import DocumentInvalid

SHA = "0" * 64
FULL: dict[str, Any] = {
    "schema_version": 1,
    "identity": {"name": "fraud", "version": "1.2.0", "created_at": "2026-01-02", "owner": {"on_call": "pager"}},
    "artifacts": [{"path": "model.onnx", "sha256": SHA, "size": 10, "role": "model", "onnx": {"opsets": {"": 20}}}],
    "interface": {
        "features": [
            {"name": "amount", "dtype": "float32", "range": {"min": 0}, "missing": "impute", "fill": 1.5},
            {"name": "country", "dtype": "string", "categories": ["no", "se"], "unseen": "reject"},
        ],
        "unknown_features": "ignore",
        "outputs": [{"name": "p", "dtype": "float32", "shape": [-1, 2], "semantic": "probabilities"}],
        "classes": ["ok", "fraud"],
        "key_feature": "country",
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
        {"schema_version": 1, "evaluation": {"golden_set": {"path": "g", "tolerance": -1}}},
        "/evaluation/golden_set/tolerance",
        id="negative tolerance",
    ),
]


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


@pytest.mark.parametrize(("document", "pointer"), REJECTED)
def test_reader_and_schema_reject_the_same_and_name_the_place(document: dict[str, Any], pointer: str) -> None:
    assert pointer in faults_of(yaml.safe_dump(document).encode())
    assert not Draft202012Validator(manifest_schema()).is_valid(document)


def test_every_fault_is_named_with_what_was_expected_and_found() -> None:
    faults = faults_of(b"schema_version: 1\nserving: {threads: -2, canary_slice_ms: 0}\n")
    assert faults == {"/serving/threads": ("at least 1", "-2"), "/serving/canary_slice_ms": ("more than 0", "0.0")}


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
    ],
)
def test_contradictions_are_faults(text: str, pointer: str) -> None:
    assert list(faults_of(f"schema_version: 1\n{text}\n".encode())) == [pointer]


def test_the_canonical_form_leaves_out_defaults_however_they_are_spelled() -> None:
    spelled = {"schema_version": 1, "serving": {"threads": None, "providers": []}, "interface": {"features": []}}
    assert canonical_form(read(spelled)) == canonical_form(Manifest(schema_version=1)) == {"schema_version": 1}


def test_the_canonical_form_leaves_out_statements_about_the_digest() -> None:
    form = canonical_form(read(FULL))
    assert "governance" not in form
    assert form["interface"]["features"][0] == {
        "name": "amount", "dtype": "float32", "range": {"min": 0.0}, "missing": "impute", "fill": 1.5,
    }  # fmt: skip
