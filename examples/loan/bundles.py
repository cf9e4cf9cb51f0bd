"""The bundle of a candidate: graph, manifest with its whole lineage, golden rows and model card."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from examples.loan.data import CATEGORIES, LABELS, NUMBERS, read_rows
from examples.loan.stages import Stage, digest_of
from examples.loan.training import MOST_TURNS, SEED

__all__ = ["package"]

CARD = """# Loan decisions

Proposes whether an application is granted. A clerk decides.

- Learned from {rows} decisions that River's Agrawal generator made up: no person was involved.
- Accuracy {accuracy:.3f}, area under the ROC curve {roc_auc:.3f}, on applications that it had not seen.
"""
FILLS = {"salary": 85_000.0, "commission": 0.0, "age": 50.0, "hvalue": 400_000.0, "hyears": 15.0, "loan": 250_000.0}


def package(
    out: Path, features: Stage, trained: Stage, *, number: str, commit: str, flaw: str, strength: float
) -> None:
    """Write the files of version ``number`` into ``out``, with a flaw of its papers, or none."""
    shutil.copy(trained / "model.onnx", out / "model.onnx")
    golden = json.loads((trained / "golden.json").read_text())
    if flaw == "untested":
        golden["predictions"] = golden["predictions"][::-1]
        golden["predictions"][0] = LABELS[golden["predictions"][0] == LABELS[0]]
    (out / "golden.json").write_text(json.dumps(golden))
    metrics = json.loads((trained / "metrics.json").read_text())
    rows = sum(1 for _ in read_rows(features / "learn.csv"))
    (out / "card.md").write_text(CARD.format(rows=rows, **metrics))
    manifest = _manifest(features, metrics, number, commit, strength)
    _flawed(manifest, flaw)
    (out / "model.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))


def _manifest(features: Stage, metrics: dict[str, float], number: str, commit: str, strength: float) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "identity": {
            "name": "loan",
            "version": number,
            "description": "Proposes whether a loan application is granted.",
            "owner": {"team": "lending", "contact": "lending@example.com"},
            "risk_tier": "limited",
            "intended_use": "A proposal to a clerk who decides.",
            "out_of_scope_use": "Decisions without a person.",
            "license": "Apache-2.0",
        },
        "interface": {
            "features": [*map(_number, NUMBERS), *map(_category, CATEGORIES)],
            "outputs": [{"name": name, "semantic": name} for name in ("label", "probabilities")],
        },
        "lineage": {
            "code": {"repo": "examples/loan", "commit": commit, "dirty": False},
            "data": [{"type": "file", "uri": "learn.csv", "digest": f"sha256:{digest_of(features / 'learn.csv')}"}],
            "features": {"definition_version": "1"},
            "hyperparameters": {"C": strength, "max_iter": MOST_TURNS},
            "random_seeds": {"training": SEED},
            "dependency_lock_digest": f"scikit-learn {version('scikit-learn')}, skl2onnx {version('skl2onnx')}",
        },
        "evaluation": {
            "metrics": [{"name": name, "value": value, "slice": "holdout"} for name, value in metrics.items()],
            "golden_set": {"path": "golden.json"},
        },
    }


def _number(name: str) -> dict[str, Any]:
    low, high = NUMBERS[name]
    return {"name": name, "range": {"min": low, "max": high}, "missing": "impute", "fill": FILLS[name]}


def _category(name: str) -> dict[str, Any]:
    return {"name": name, "dtype": "string", "categories": CATEGORIES[name]}


def _flawed(manifest: dict[str, Any], flaw: str) -> None:
    """Spoil the manifest in one way."""
    by_name = {feature["name"]: feature for feature in manifest["interface"]["features"]}
    match flaw:
        case "misfit":
            manifest["interface"]["features"].append({"name": "shoe_size", "missing": "impute", "fill": 42.0})
        case "demanding":
            by_name["salary"] |= {"missing": "reject", "fill": None}
        case "slow":
            manifest["interface"]["limits"] = {"latency_ms": 1e-6}
        case "gullible":
            by_name["salary"]["fill"] = by_name["commission"]["fill"] = 1e9
        case "dirty":
            manifest["lineage"]["code"]["dirty"] = True
        case "unexplained":
            del manifest["identity"]["out_of_scope_use"]
