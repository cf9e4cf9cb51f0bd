"""Material of the evidence's tests: a small model with numbers, a category and a classifier's answers."""

import numpy as np

from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema, OutputSchema

FEATURES = (
    FeatureSchema("age", "number", "float64"),
    FeatureSchema("pay", "number", "float32"),
    FeatureSchema("colour", "category", "string", ("red", "green", "blue")),
)
OUTPUT = OutputSchema("classification", ("good", "bad"))


def rows(rng: np.random.Generator, n: int, *, shift: float = 0.0, missing: float = 0.0) -> Rows:
    """Return rows and answers; ``shift`` moves the first feature, ``missing`` is a share of its values."""
    age = rng.normal(shift, 1.0, size=n)
    pay = 0.8 * age + 0.6 * rng.normal(size=n)
    bad = 1.0 / (1.0 + np.exp(-2.0 * pay))
    age[rng.random(n) < missing] = np.nan
    return Rows(np.column_stack([age, pay, rng.choice(3, size=n, p=(0.6, 0.3, 0.1))]), np.column_stack([1 - bad, bad]))


def model(n: int = 10_000) -> EvidenceModel:
    """Return a model fitted on unchanged rows."""
    return EvidenceModel.fit(rows(np.random.default_rng(1), n), FEATURES, OUTPUT)
