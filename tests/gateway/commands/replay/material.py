"""Material of the tests of replays: iris from a table of two numbers and a word, and tables of it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from gateway.catalog.bundle import BundleLimits
from gateway.catalog.repository import Repository
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from tests import models

COLUMNS = ("petal_length", "petal_width", "sepal")
MANIFEST = """schema_version: 1
interface:
  features:
    - {name: petal_length, missing: flag}
    - {name: petal_width, missing: flag}
    - {name: sepal, categories: [long, medium, short], unseen: SEPAL}
"""


def write_version(root: Path, unseen: str = "flag") -> Path:
    """Write the bundle; return its folder."""
    manifest = MANIFEST.replace("SEPAL", unseen)
    return models.write_bundle(root / "iris" / "1", models.columns_classifier(), **{"model.yaml": manifest})


def load(folder: Path) -> ServableVersion:
    """Load the version in a folder."""
    bundle = Repository(folder.parent.parent, limits=BundleLimits()).read(folder.parent.name, folder.name)
    return load_version(bundle)


@cache
def flowers(n: int, seed: int, longer: float = 0.0) -> tuple[tuple[str, ...], ...]:
    """Return rows as text; ``longer`` is added to every petal."""
    rng = np.random.default_rng(seed)
    length, width = rng.normal(4.0 + longer, 1.0, size=n), rng.normal(1.2, 0.4, size=n)
    sepal = rng.choice(["long", "medium", "short"], n, p=(0.5, 0.3, 0.2))
    return tuple((f"{a:.4f}", f"{b:.4f}", str(word)) for a, b, word in zip(length, width, sepal, strict=True))


def write_table(path: Path, rows: Iterable[Sequence[str]], columns: Sequence[str] = COLUMNS) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path
