import json
from pathlib import Path

import numpy as np
import pytest

from gateway.catalog.bundle import read_bundle
from gateway.demo.graphs import INPUT_NAME
from gateway.demo.incident import GUILTY
from gateway.engine.binding import Hint
from gateway.engine.loading import load_version
from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion


def hints_of(reference: bytes) -> dict[str, Hint]:
    return {feature["name"]: Hint(feature["fill"]) for feature in json.loads(reference)["features"]}


def load(models: Path, name: str) -> ServableVersion:
    return load_version(read_bundle(models / name, model="phishing", version=name), hints_of=hints_of)


@pytest.mark.parametrize("name", ["1", "2", "3", "4"])
def test_the_gateway_takes_every_bundle(models: Path, name: str) -> None:
    version = load(models, name)
    fills = {feature.name: feature.fill for feature in version.contract.features}
    assert {name: fills[name] for name in GUILTY} == dict.fromkeys(GUILTY, 1.0) | {"is_popular": 0.5}
    assert version.info.output.classes == ("legitimate", "phishing")


def test_the_broken_version_passes_every_check_and_then_raises(models: Path) -> None:
    version = load(models, "4")
    row_nd = np.zeros((1, 9), np.float32)
    row_nd[0, [feature.name for feature in version.contract.features].index("is_popular")] = 1.0
    with pytest.raises(RunFailed, match="out of data bounds"):
        version.run({INPUT_NAME: row_nd}, 1)
