"""BentoML: one worker, access log off; with its adaptive batching or without."""

# mypy: disable-error-code="import-not-found, misc, no-any-return, untyped-decorator"
# the framework is installed in the environment of this peer only

from __future__ import annotations

import os
import sys
from pathlib import Path

import bentoml
import numpy as np
from inference import Model

SETTINGS = {"workers": 1, "logging": {"access": {"enabled": False}}, "metrics": {"enabled": False}}


@bentoml.service(name="single", **SETTINGS)
class Single:
    """One run a request."""

    def __init__(self) -> None:
        self.model = Model(os.environ["MODEL_FILE"])

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> dict[str, list[list[float]]]:
        return {"probabilities": self.model.run(instances).tolist()}


@bentoml.service(name="batched", **SETTINGS)
class Batched:
    """Runs of up to 128 requests."""

    def __init__(self) -> None:
        self.model = Model(os.environ["MODEL_FILE"])

    @bentoml.api(batchable=True, max_batch_size=128, max_latency_ms=1000)
    def predict(self, instances: np.ndarray) -> np.ndarray:
        return self.model.run(instances)


def command(port: str, variant: str) -> list[str]:
    """Return BentoML's own command for one of the services above."""
    target = f"bentoml_app:{variant.title()}"
    folder = Path(__file__).parent
    return [sys.executable, "-m", "bentoml", "serve", target, "--port", port, "--working-dir", str(folder)]


if __name__ == "__main__":
    os.environ |= {"MODEL_FILE": sys.argv[2], "BENTOML_DO_NOT_TRACK": "True"}
    os.execv(sys.executable, command(sys.argv[1], sys.argv[3]))
