import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from gateway.catalog.manifest import Manifest
from gateway.catalog.manifest_reader import read_manifest
from gateway.demo.data import CLASSES, load_phishing
from gateway.demo.graphs import COVERED_PAIR, INPUT_NAME
from gateway.demo.incident import GUILTY, Transform, fetcher_down, fetcher_stuck
from gateway.demo.models import prepare_models
from gateway.settings import MonitorSettings
from monitors.outputs import confidences, entropy_nats
from monitors.reference import ReferenceProfile, from_json

VERSIONS = ("1", "2", "3", "4")


def manifest_of(version: Path) -> Manifest:
    return read_manifest((version / "model.yaml").read_bytes(), model="phishing", source="model.yaml")


def session_of(version: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(version / "model.onnx", options)


def scores(version: Path, values_nd: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    _, scores_nk = session_of(version).run(None, {INPUT_NAME: values_nd.astype(np.float32)})
    return np.asarray(scores_nk, np.float64)


@pytest.mark.parametrize("name", VERSIONS)
def test_the_manifest_is_valid_and_names_the_bytes_beside_it(models: Path, name: str) -> None:
    version = models / name
    manifest = manifest_of(version)
    found = {artifact.path: artifact.sha256 for artifact in manifest.artifacts}
    files = [path for path in version.iterdir() if path.name != "model.yaml"]
    assert found == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert [feature.name for feature in manifest.interface.features] == list(load_phishing().features)
    assert {feature.missing for feature in manifest.interface.features} == {"impute"}
    assert manifest.interface.classes == CLASSES


@pytest.mark.parametrize("name", VERSIONS)
def test_the_graph_gives_the_golden_answers(models: Path, name: str) -> None:
    golden = json.loads((models / name / "golden.json").read_bytes())
    values_nd = np.array([list(row.values()) for row in golden["instances"]], np.float32)
    labels_n, scores_nk = session_of(models / name).run(None, {INPUT_NAME: values_nd})
    assert list(labels_n) == golden["predictions"]
    np.testing.assert_allclose(scores_nk, golden["probabilities"], atol=1e-5)
    assert set(golden["predictions"]) == set(CLASSES)


def test_the_broken_version_raises_on_nearly_every_live_request(models: Path) -> None:
    table = load_phishing()
    one, other = (table.values_nd[:, table.features.index(name)] for name in COVERED_PAIR)
    assert (one != other).mean() > 0.7
    with pytest.raises(Exception, match="out of data bounds"):
        scores(models / "4", table.values_nd[one != other][:1])


def test_the_second_version_is_worth_a_canary(models: Path) -> None:
    measured = [{m.name: m.value for m in manifest_of(models / name).evaluation.metrics} for name in ("1", "2")]
    assert measured[1]["accuracy"] > measured[0]["accuracy"] > 0.85


@pytest.mark.parametrize("name", ["1", "2", "3"])
@pytest.mark.parametrize("transform", [fetcher_down, fetcher_stuck])
def test_the_incident_collapses_confidence_beyond_the_page_threshold(
    models: Path, name: str, transform: Transform
) -> None:
    profile = from_json((models / name / "reference.json").read_bytes())
    assert collapse_index(models / name, profile, transform) > MonitorSettings().collapse_page


@pytest.mark.parametrize("name", ["1", "2", "3"])
def test_normal_traffic_is_far_from_the_warning_threshold(models: Path, name: str) -> None:
    profile = from_json((models / name / "reference.json").read_bytes())
    assert abs(collapse_index(models / name, profile, dict)) < 0.1 < MonitorSettings().collapse_warn


def collapse_index(version: Path, profile: ReferenceProfile, transform: Transform) -> float:
    """Return 1 - I / I_ref over all rows as the gateway would impute them."""
    table = load_phishing()
    fills = {name: profile.median_or_mode(name) for name in GUILTY}
    rows = [{**fills, **{k: v for k, v in transform(row).items() if v is not None}} for row in table.instances()]
    scores_nk = scores(version, np.array([[row[name] for name in table.features] for row in rows]))
    information = entropy_nats(scores_nk.mean(axis=0)) - float(confidences(scores_nk).entropy_n.mean())
    assert profile.output.confidence is not None
    return 1.0 - information / profile.output.confidence.information_nats


def test_a_second_start_reuses_what_is_there_unless_the_code_is_another(tmp_path: Path, models: Path) -> None:
    folder = shutil.copytree(models.parent.parent, tmp_path / "demo")
    said: list[str] = []
    assert prepare_models(folder, said.append) == folder / "models"
    assert said == []
    (folder / "models.digest").write_text("of other code")
    prepare_models(folder, said.append)
    assert [line.split(",")[0] for line in said] == [f"version {name}" for name in VERSIONS]
