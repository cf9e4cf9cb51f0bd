"""Bundles: a trained version as the folder that the gateway serves from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from gateway.demo.block_yaml import to_yaml
from gateway.demo.cards import model_card
from gateway.demo.data import CLASSES, Table
from gateway.demo.graphs import COVERED_PAIR, INPUT_NAME
from gateway.demo.training import SEED, Trained
from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema, OutputSchema
from monitors.reference import build_profile

__all__ = ["MODEL", "write_bundle"]

MODEL = "phishing"
GOLDEN_ROWS = 16
ROLES = {
    "model.onnx": "model",
    "reference.json": "reference_stats",
    "evidence.json": "reference_stats",
    "golden.json": "golden_set",
    "card.md": "model_card",
}
MEDIA_TYPES = {".onnx": "application/onnx", ".json": "application/json", ".md": "text/markdown"}


def write_bundle(
    folder: Path, trained: Trained, graph: ModelProto, learning: Table, holdout: Table, traffic: Table
) -> None:
    """Write graph, profile, evidence, golden rows, card and manifest of one version into ``folder``, made here.

    Parameters
    ----------
    folder
        ``models/<name>/<version>``.
    trained
        The classifier that ``graph`` was exported from.
    graph
        What is served.
    learning, holdout
        The rows that it was trained and measured on; the reference profile is that of ``learning``.
    traffic
        Rows as clients send them when nothing is wrong, in their order: what evidence is held against.
    """
    files = {
        "model.onnx": graph.SerializeToString(),
        "reference.json": _reference(trained, learning),
        "evidence.json": _evidence(trained, traffic),
        "golden.json": _golden(trained, holdout),
        "card.md": model_card(trained, len(learning), len(holdout)).encode(),
    }
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = _manifest(trained, graph, learning, files)
    (folder / "model.yaml").write_text(to_yaml(manifest), encoding="utf-8")


def _reference(trained: Trained, learning: Table) -> bytes:
    features = [FeatureSchema(name, "number", "float32") for name in learning.features]
    scores_nk = trained.scores(learning.values_nd)
    output = OutputSchema("classification", CLASSES)
    return build_profile(features, output, learning.values_nd, scores_nk.argmax(axis=1), scores_nk).to_json()


def _evidence(trained: Trained, traffic: Table) -> bytes:
    features = [FeatureSchema(name, "number", "float32") for name in traffic.features]
    scores_nk = trained.scores(traffic.values_nd)
    rows = Rows(traffic.values_nd, scores_nk, scores_nk.argmax(axis=1))
    return write_model(EvidenceModel.fit(rows, features, OutputSchema("classification", CLASSES)))


def _golden(trained: Trained, holdout: Table) -> bytes:
    rows = holdout.take(_golden_indices(trained, holdout))
    scores_nk = trained.scores(rows.values_nd)
    document = {
        "instances": rows.instances(),
        "predictions": [CLASSES[index] for index in scores_nk.argmax(axis=1)],
        "probabilities": scores_nk.tolist(),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _golden_indices(trained: Trained, holdout: Table) -> npt.NDArray[np.intp]:
    """Return the first hold-out rows; for the broken version those it can answer, which is how it got this far."""
    if trained.recipe.is_broken:
        one, other = (holdout.values_nd[:, holdout.features.index(name)] for name in COVERED_PAIR)
        return np.flatnonzero(one == other)[:GOLDEN_ROWS]
    return np.arange(min(GOLDEN_ROWS, len(holdout)))


def _manifest(trained: Trained, graph: ModelProto, learning: Table, files: Mapping[str, bytes]) -> dict[str, Any]:
    recipe = trained.recipe
    return {
        "schema_version": 1,
        "identity": {
            "name": MODEL,
            "version": f"{recipe.version}.0.0",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "description": f"Tells phishing pages from legitimate ones: {recipe.title}.",
            "owner": {"team": "weir demonstration"},
            "risk_tier": "minimal",
            "intended_use": "Showing how the gateway serves, watches and rolls back.",
            "out_of_scope_use": "Protecting anybody from phishing: the pages are from 2014.",
        },
        "artifacts": [_artifact(name, content, graph) for name, content in files.items()],
        "interface": _interface(learning),
        "lineage": {
            "data": [
                {
                    "type": "file",
                    "uri": "river.datasets.Phishing",
                    "digest": f"sha256:{hashlib.sha256(learning.values_nd.tobytes()).hexdigest()}",
                    "row_count": len(learning),
                }
            ],
            "hyperparameters": trained.hyperparameters,
            "random_seeds": {"split": SEED, "classifier": SEED},
        },
        "evaluation": {
            "metrics": [{"name": name, "value": value, "slice": "hold-out"} for name, value in trained.metrics.items()],
            "golden_set": {"path": "golden.json", "tolerance": 1e-4},
        },
        "governance": {"model_card": "card.md"},
    }


def _artifact(name: str, content: bytes, graph: ModelProto) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "role": ROLES[name],
        "media_type": MEDIA_TYPES[Path(name).suffix],
    }
    if ROLES[name] == "model":
        opsets = {opset.domain or "ai.onnx": opset.version for opset in graph.opset_import}
        entry["onnx"] = {"ir_version": graph.ir_version, "opsets": opsets, "producer": graph.producer_name}
    return entry


def _interface(learning: Table) -> dict[str, Any]:
    bounds = {"min": 0.0, "max": 1.0}
    return {
        "features": [
            {"name": name, "dtype": "float32", "range": bounds, "missing": "impute"} for name in learning.features
        ],
        "inputs": [{"name": INPUT_NAME, "dtype": "float32", "shape": [-1, len(learning.features)]}],
        "outputs": [
            {"name": "label", "dtype": "string", "shape": [-1], "semantic": "label"},
            {"name": "probabilities", "dtype": "float32", "shape": [-1, len(CLASSES)], "semantic": "probabilities"},
        ],
        "classes": list(CLASSES),
        "score_semantics": "probability of each class, not calibrated",
    }
