import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.both_ways import Versions, Worker, load_versions


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
