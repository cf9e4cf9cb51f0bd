"""The folder of models: built once, and again only when something it is made of has changed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import monitors.evidence.document
import monitors.evidence.model
import monitors.reference
from gateway.demo import block_yaml, bundles, cards, data, graphs, training
from gateway.demo.bundles import MODEL, write_bundle
from gateway.demo.data import load_phishing, resample, split
from gateway.demo.graphs import export
from gateway.demo.training import RECIPES, train

__all__ = ["prepare_models"]

REFERENCE_ROWS = 20_000
SOURCES = (
    *(block_yaml, bundles, cards, data, graphs, training),
    *(monitors.reference, monitors.evidence.model, monitors.evidence.document),
)
LIBRARIES = ("numpy", "onnx", "river", "scikit-learn", "skl2onnx")


def prepare_models(folder: Path, say: Callable[[str], None]) -> Path:
    """Return the repository of models below ``folder``, training and packing it unless that has been done.

    Parameters
    ----------
    folder
        The demonstration's own folder; made when missing.
    say
        Takes one line for each version that is built.
    """
    models, stamp = folder / "models", folder / "models.digest"
    digest = _digest()
    if models.is_dir() and stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
        return models
    fresh = folder / "models.new"
    for leftover in (models, fresh):
        shutil.rmtree(leftover, ignore_errors=True)
    _build(fresh / MODEL, say)
    fresh.rename(models)
    stamp.write_text(digest, encoding="ascii")
    return models


def _build(folder: Path, say: Callable[[str], None]) -> None:
    table = load_phishing()
    learning, holdout = split(table)
    traffic = resample(table, REFERENCE_ROWS)
    for recipe in RECIPES:
        trained = train(recipe, learning, holdout)
        write_bundle(folder / recipe.version, trained, export(trained, table.features), learning, holdout, traffic)
        measured = ", ".join(f"{name} {value:.3f}" for name, value in trained.metrics.items())
        say(f"version {recipe.version}, {recipe.title}: {measured}")


def _digest() -> str:
    made_of = hashlib.sha256()
    for module in SOURCES:
        made_of.update(Path(str(module.__file__)).read_bytes())
    made_of.update(" ".join(f"{library}={version(library)}" for library in LIBRARIES).encode())
    return made_of.hexdigest()
