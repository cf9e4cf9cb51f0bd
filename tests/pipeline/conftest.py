"""The ground that every test of the pipeline stands on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import models
from tests.pipeline.ground import Ground


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    ground.load("1", models.elementwise("Identity"))
    yield ground
    ground.close()
