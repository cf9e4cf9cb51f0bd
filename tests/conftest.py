"""Fixtures that tests of every package use."""

import fcntl
import gc
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.order import mixed

settings.register_profile("weir", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("weir")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in an order that keeps several processes busy until the end; one alone keeps to the usual one."""
    if hasattr(config, "workerinput"):
        items[:] = mixed(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what collecting makes, which stays until the end and is a million objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Give the folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets, whoever runs the tests, and however often."""
    with TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Give the demonstration's folder of models: ``phishing`` in versions 1 to 4. Not to be written to.

    It is made by the first process of a run that asks for it, and the others wait.
    """
    from gateway.demo.models import prepare_models  # here: scikit-learn takes longer to import than most files to run

    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if hasattr(request.config, "workerinput") else mine) / "demo"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return prepare_models(folder, lambda line: None)
