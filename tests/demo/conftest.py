from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(demo_models: Path) -> Path:
    """Give the folder of the demonstration's model, with its versions in it. Not to be written to."""
    return demo_models / "phishing"
