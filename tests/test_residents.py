"""Gauges of the loaded versions: what each took and what it runs on, and nothing once it has gone."""

from dataclasses import replace
from pathlib import Path

from gateway.metrics.shared import SharedCounters
from gateway.residents import Residents
from tests import models
from tests.serving import counted, servable_of


def test_loaded_versions_show_their_memory_and_their_provider(tmp_path: Path) -> None:
    version = replace(servable_of(tmp_path / "1", models.echo_model()), memory_bytes=4_096)
    residents = Residents(SharedCounters.create(tmp_path, "w", role="worker"))
    residents.show({("m", "1"): version, ("m", "2"): version})
    residents.show({("m", "2"): version})
    assert counted(tmp_path, "weir_model_memory_bytes", version="1") == 0
    assert counted(tmp_path, "weir_model_memory_bytes", version="2") == 4_096
    assert counted(tmp_path, "weir_model_sessions", version="1", provider="cpu") == 0
    assert counted(tmp_path, "weir_model_sessions", version="2", provider="cpu") == 1
