"""``weir monitor replay`` through the command line."""

import json
from pathlib import Path

import pytest

from gateway.cli import main
from tests import models
from tests.gateway.commands.replay.material import COLUMNS, MANIFEST, flowers, load, write_table, write_version

TEN_THOUSAND = ("--rows-between-false-pages", "10000")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ground")
    write_version(root / "models")
    write_table(root / "normal.csv", flowers(6000, 1))
    write_table(root / "live.csv", flowers(2000, 2) + flowers(1000, 3, 1.0))
    return root


def replay(ground: Path, *arguments: str) -> int:
    model = str(ground / "models" / "iris" / "1")
    with pytest.raises(SystemExit) as end:
        main(("monitor", "replay", *arguments, "--model", model, "--reference", str(ground / "normal.csv")))
    return int(end.value.code or 0)


def test_a_change_is_told_with_its_row_and_what_moved(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    picture = tmp_path / "replay.svg"
    assert replay(ground, str(ground / "live.csv"), *TEN_THOUSAND, "--picture", str(picture)) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    for words in ("iris version 1", "page: inputs", "petal_length: median", "3,000 rows", "10,000 rows between"):
        assert words in shown
    assert picture.read_text().startswith("<svg")


def test_json_says_what_the_table_says(ground: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(ground, str(ground / "live.csv"), *TEN_THOUSAND, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    pages = [incident for incident in document["incidents"] if incident["level"] == "page"]
    assert 2010 <= pages[0]["row"] <= 2100
    assert (document["rows"], document["summaries"], document["calibration"]) == (3000, 300, "profile")
    assert document["budget"]["false_pages_allowed"] == pytest.approx(0.3)


def test_drivers_come_by_the_importance_that_the_manifest_gives(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = MANIFEST.replace("SEPAL", "flag")
    wide = tuple((a, f"{float(b) + 0.4:.4f}", c) for a, b, c in flowers(600, 3, 1.0))
    write_table(tmp_path / "wide.csv", flowers(600, 2) + wide)
    firsts, contracts = [], []
    for importance in ("", ", importance: 0.01"):
        told = manifest.replace("{name: petal_length,", f"{{name: petal_length{importance},")
        folder = models.write_bundle(
            tmp_path / importance[-1:] / "iris" / "1", models.columns_classifier(), **{"model.yaml": told}
        )
        contracts.append(load(folder).contract)
        command = (
            "monitor",
            "replay",
            str(tmp_path / "wide.csv"),
            "--model",
            str(folder),
            "--json",
            "--tick-rows",
            "200",
            *TEN_THOUSAND,
        )
        with pytest.raises(SystemExit):
            main((*command, "--reference", str(ground / "normal.csv")))
        pages = [each for each in json.loads(capsys.readouterr().out)["incidents"] if each["level"] == "page"]
        petals = [[d["name"] for d in page["drivers"] if d["name"] in COLUMNS] for page in pages]
        firsts.append(next(named for named in petals if len(named) > 1))
    assert firsts == [["petal_length", "petal_width"], ["petal_width", "petal_length"]]
    assert contracts[0] == contracts[1], "rows decoded for one version can run on the other"


def test_a_budget_of_weeks_counts_seconds_of_the_given_traffic(
    ground: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(ground, str(ground / "live.csv"), "--rows-per-second", "50", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["summaries"], document["budget"]["tick_rows"]) == (60, 50)
    assert document["budget"]["false_pages_allowed"] == pytest.approx(60 / 604_800)


def test_times_of_a_table_make_its_ticks(ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = flowers(2000, 2) + flowers(1000, 3, 1.0)
    timed = [(*row, str(1_769_860_800 + i / 20)) for i, row in enumerate(rows)]
    table = write_table(tmp_path / "timed.csv", timed, (*COLUMNS, "at"))
    assert replay(ground, str(table), "--time-column", "at", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["begin"] == "2026-01-31T12:00:00.000000Z"
    assert document["summaries"] == 150
    assert document["incidents"][0]["time"].startswith("2026-01-31T12:01:4")


def test_rows_that_are_out_of_order_are_told(ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = [1_769_860_800 + i / 20 for i in range(2_000)]
    times[500] = times[600] = times[400]
    timed = [(*row, str(at)) for row, at in zip(flowers(2_000, 2), times, strict=True)]
    table = write_table(tmp_path / "timed.csv", timed, (*COLUMNS, "at"))
    assert replay(ground, str(table), "--time-column", "at") == 0
    assert "2 rows older than one before: counted as of its time; sort by time" in capsys.readouterr().out


def test_a_category_of_two_lines_takes_no_line_of_its_own(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = MANIFEST.replace("SEPAL", "flag").replace("short]", '"a\\nlength: page"]')
    folder = models.write_bundle(tmp_path / "m" / "iris" / "1", models.columns_classifier(), **{"model.yaml": told})
    live = write_table(tmp_path / "live.csv", [(*row[:2], "a\nlength: page") for row in flowers(1000, 3)])
    normal = str(ground / "normal.csv")
    with pytest.raises(SystemExit):
        main(("monitor", "replay", str(live), *TEN_THOUSAND, "--model", str(folder), "--reference", normal))
    assert "100 % are a\\nlength: page" in capsys.readouterr().out


def test_a_single_thing_is_told_as_one(ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(tmp_path / "one.csv", flowers(1, 2))
    assert replay(ground, str(table), "--rows-per-second", "50") == 0
    shown = capsys.readouterr().out
    assert "1 row in 0 summaries" in shown
    assert "1 false page a week" in shown


def test_a_log_has_its_own_times(ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.jsonl").touch()
    assert replay(ground, str(tmp_path / "log.jsonl"), "--time-column", "at") == 1
    assert "is a prediction log, which has its own times: leave out --time-column" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param((), "pages per week need time", id="no-time"),
        pytest.param(("--tick-seconds", "5"), "--tick-seconds needs time", id="seconds-without-time"),
        pytest.param((*TEN_THOUSAND, "--pages-per-week", "2"), "not both", id="two-budgets"),
        pytest.param(("--rows-per-second", "-1"), "positive rate", id="negative-rate"),
        pytest.param(("--rows-between-false-pages", "0"), "positive", id="no-budget"),
        pytest.param((*TEN_THOUSAND, "--tick-rows", "0"), "--tick-rows is positive, not 0", id="no-rows"),
        pytest.param(
            ("--time-column", "at", "--tick-seconds", "0"), "--tick-seconds is positive, not 0", id="no-seconds"
        ),
        pytest.param((*TEN_THOUSAND, "--picture", "/nowhere/a.svg"), "/nowhere does not exist", id="no-folder"),
    ],
)
def test_flags_that_make_no_sense_are_told(
    arguments: tuple[str, ...], complaint: str, ground: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(ground, str(ground / "live.csv"), *arguments) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "complaint"), [("none.csv", "there is no file"), ("rows.xlsx", "a table is read as plain CSV or .parquet")]
)
def test_files_that_cannot_be_read_are_told(
    name: str, complaint: str, ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    assert replay(ground, str(tmp_path / name), *TEN_THOUSAND) == 1
    assert complaint in capsys.readouterr().err


def test_a_folder_that_is_no_version_is_told(ground: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(("monitor", "replay", str(ground / "live.csv"), *TEN_THOUSAND, "--model", str(ground / "models")))
    assert "holds no model.onnx: give the folder of a version" in capsys.readouterr().err


def test_without_a_reference_it_says_what_is_needed(ground: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(ground / "models" / "iris" / "1")
    with pytest.raises(SystemExit):
        main(("monitor", "replay", str(ground / "live.csv"), *TEN_THOUSAND, "--model", model))
    assert "no evidence.json: run weir profile, or give a table or log" in capsys.readouterr().err


def test_the_evidence_of_the_bundle_is_the_reference(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_version(tmp_path / "models")
    with pytest.raises(SystemExit):
        main(("profile", str(tmp_path / "models"), "iris", "1", "--table", str(ground / "normal.csv")))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(("monitor", "replay", str(ground / "live.csv"), *TEN_THOUSAND, "--model", str(folder), "--json"))
    document = json.loads(capsys.readouterr().out)
    assert document["incidents"]
    assert replay(ground, str(ground / "live.csv"), *TEN_THOUSAND, "--json") == 0
    assert json.loads(capsys.readouterr().out) == document
