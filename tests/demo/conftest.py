from pathlib import Path

import pytest

from gateway.demo.models import prepare_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the demonstration's model, with its versions in it. Not to be written to."""
    return prepare_models(tmp_path_factory.mktemp("demo"), lambda line: None) / "phishing"
