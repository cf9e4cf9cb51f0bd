"""The verbs of baselines against a real gateway's admin routes on a real port."""

from pathlib import Path

import pytest

from gateway.cli import main
from gateway.commands.baseline import LEAST_ROWS
from tests import models
from tests.commands.test_admin import Gateway, gateway
from tests.gateway.commands.replay.material import MANIFEST, flowers, write_table

__all__ = ["gateway"]

WHY = ("--reason", "a normal week")
SHORT = ("--pages-per-week", "5000")


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(("baseline", *arguments))
    return int(end.value.code or 0)


def test_a_week_is_accepted_shown_and_reset(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    folder = tmp_path / "models" / "m" / "1"
    models.write_bundle(folder, models.columns_classifier(), **{"model.yaml": MANIFEST.replace("SEPAL", "flag")})
    table = str(write_table(tmp_path / "week.csv", flowers(7_000, 6)))
    assert status_of("show", "m") == 1
    assert "a baseline for model 'm'" in capsys.readouterr().err
    short = str(write_table(tmp_path / "day.csv", flowers(300, 6)))
    assert status_of("accept", "m", short, "--folder", str(folder), *WHY) == 1
    told = capsys.readouterr().err
    assert f"300 rows; {LEAST_ROWS:,} are needed to fit on some and replay others: take a longer table, or more" in told
    assert status_of("accept", "m", table, "--folder", str(folder), *WHY, "--rows", str(LEAST_ROWS - 1)) == 2
    assert f"{LEAST_ROWS}" in capsys.readouterr().err
    assert status_of("accept", "m", table, "--folder", str(folder), *WHY, *SHORT) == 0
    told = capsys.readouterr().out
    assert all(words in told for words in ("m, baseline, revision 1", "7,000 of week.csv", "a normal week"))
    assert status_of("show", "m") == 0
    assert capsys.readouterr().out == told
    assert "as they are" in told
    assert status_of("accept", "fresh", short, "--folder", str(folder), *WHY) == 1
    assert "is a version of m, not of fresh" in capsys.readouterr().err, "before its rows are looked at"
    for reason in ("", " ", "x" * 501):
        assert status_of("accept", "m", short, "--folder", str(folder), "--reason", reason) == 1
        assert "--reason is 1 to 500 characters that say why these rows are normal" in capsys.readouterr().err
    assert status_of("reset", "m") == 0
    assert "m, baseline, revision 1, taken away" in capsys.readouterr().out
    assert status_of("show", "m") == 1
