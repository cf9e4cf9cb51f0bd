import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.engine.version import ServableVersion
from tests import models
from tests.http.both_ways import Versions, Worker, load_versions
from tests.http.front import Front
from tests.serving import THREADED, servable_of


@pytest.fixture(scope="session")
def versions_both_ways(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Give what the workers of ``both_ways`` serve."""
    return load_versions(tmp_path_factory.mktemp("models"))


@pytest.fixture(params=["fast", "asgi"])
def worker(
    request: pytest.FixtureRequest, tmp_path: Path, versions_both_ways: Versions, caplog: pytest.LogCaptureFixture
) -> Iterator[Worker]:
    """Give a worker with the fast path, and one without; see afterwards that no error was logged."""
    worker = Worker(request.param, tmp_path / "w", versions_both_ways)
    yield worker
    worker.close()
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@pytest.fixture(scope="session")
def front_versions(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], ServableVersion]:
    """Give what the application of ``front`` serves."""
    folder = tmp_path_factory.mktemp("front")
    return {
        ("m", "1"): servable_of(folder / "1", models.failing_model()),
        ("m", "2"): servable_of(folder / "2", models.failing_model()),
        ("iris", "1"): servable_of(folder / "iris" / "1", models.zipmap_classifier(), serving=THREADED),
    }


@pytest.fixture
def front(tmp_path: Path, front_versions: dict[tuple[str, str], ServableVersion]) -> Iterator[Front]:
    """Give the application over ASGI."""
    front = Front(tmp_path, front_versions)
    yield front
    front.close()
