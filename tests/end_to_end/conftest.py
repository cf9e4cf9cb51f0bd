from pathlib import Path

import pytest

from gateway.demo.models import prepare_models


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the demonstration's folder of models: ``phishing`` in versions 1 to 4. Not to be written to."""
    return prepare_models(tmp_path_factory.mktemp("demo"), lambda line: None)
