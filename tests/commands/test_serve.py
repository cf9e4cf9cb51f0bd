"""Flags of ``weir serve`` become settings."""

from pathlib import Path

import pytest

from gateway.cli import main
from gateway.commands.serve import with_flags
from gateway.errors import DocumentInvalid
from gateway.settings import RoutingSettings, Settings


def test_flags_override_settings() -> None:
    base = Settings(workers=3, routing=RoutingSettings(stable={"a": "1", "b": "1"}))
    settings = with_flags(base, {"port": 9000, "models": Path("m"), "host": None}, {"b": "2"}, 0.5)
    assert (settings.port, settings.models, settings.host, settings.workers) == (9000, Path("m"), "127.0.0.1", 3)
    assert settings.routing.stable == {"a": "1", "b": "2"}
    assert settings.monitor.tick_s == 0.5


def test_flags_are_checked_as_settings_are() -> None:
    with pytest.raises(DocumentInvalid, match="/port: expected a number from 0 to 65535"):
        with_flags(Settings(), {"port": 70_000}, {}, None)
    with pytest.raises(DocumentInvalid, match="/log_level: expected one of"):
        with_flags(Settings(), {"log_level": "loud"}, {}, None)


def test_a_wrong_setting_is_told_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_WORKERS", "none")
    with pytest.raises(SystemExit) as exited:
        main(["serve"])
    assert exited.value.code == 1
    assert capsys.readouterr().err.splitlines() == [
        "weir: the settings: not valid",
        "  /workers: expected an integer, found 'none'",
    ]


def test_a_choice_must_name_model_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["serve", "--stable", "fraud"])
    assert exited.value.code == 2
    assert "MODEL=VERSION" in capsys.readouterr().err
