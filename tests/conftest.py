"""Fixtures that tests of every package use."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("weir", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("weir")


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Give the folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent
