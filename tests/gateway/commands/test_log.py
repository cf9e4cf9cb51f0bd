"""`weir log` on a folder that a writer has left."""

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from gateway.cli import main
from gateway.prediction_log.reading import LONGEST_LINE_BYTES
from tests.gateway.prediction_log.material import NOON, Ground, answers, masked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ground = Ground(tmp_path / "log")
    ground.writer.take(masked("r-1", at=NOON))
    ground.writer.take(answers("r-1", "r-2", at=NOON + 1.0))
    ground.writer.close()
    return ground.path


def status_of(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code


def test_show_tells_who_failed_and_who_answered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("log", "show", "r-1", "--path", str(folder)) == 0
    shown = capsys.readouterr().out
    for word in ("request r-1", "m/2", "masked: error", "m/1", "fallback", "colour", "green", "route revision 7"):
        assert word in shown


def test_show_prints_the_records_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("log", "show", "r-1", "--json", "--path", str(folder)) == 0
    records = json.loads(capsys.readouterr().out)["records"]
    assert [(record["kind"], record["status"]) for record in records] == [("failure", "masked"), ("answer", "ok")]


def test_a_request_that_is_not_there_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("log", "show", "nobody", "--path", str(folder)) == 1
    assert "no record of request 'nobody'" in capsys.readouterr().err


def test_the_folder_is_that_of_the_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("log", "show", "r-2") == 1
    assert "no prediction log is configured" in capsys.readouterr().err
    monkeypatch.setenv("WEIR_PREDICTION_LOG__PATH", str(folder))
    assert status_of("log", "show", "r-2") == 0
    monkeypatch.setenv("WEIR_PREDICTION_LOG__PATH", str(folder / "none"))
    assert status_of("log", "show", "r-2") == 1


def test_lines_are_exported_as_they_stand(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    assert status_of("log", "export", "--model", "m", "--path", str(folder), "--out", str(out)) == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["request_id"] for record in records] == ["r-1", "r-1", "r-2"]
    assert capsys.readouterr() == ("", "")
    assert status_of("log", "export", "--path", str(folder), "--out", str(out)) == 1
    assert (
        capsys.readouterr().err
        == f"weir: {out} exists and is not overwritten: give another name, or move it away first\n"
    )
    assert [json.loads(line) for line in out.read_text().splitlines()] == records


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("--model", "n"), "no record of the model n: look at --model,", id="another model"),
        pytest.param(("--to", "2026-01-31"), "no record before 2026-01-31T00:00:00.000000Z: look at", id="before all"),
    ],
)
def test_an_export_of_nothing_says_so_beside_it(
    arguments: tuple[str, ...], told: str, ending: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out.{ending}"
    assert status_of("log", "export", *arguments, "--path", str(folder), "--out", str(out)) == 0
    said = capsys.readouterr()
    assert (said.out, out.exists()) == ("", True)
    assert f"weir: the log in {folder} has {told}" in said.err


def test_an_empty_log_has_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("log", "export", "--path", str(tmp_path)) == 0
    assert capsys.readouterr().err == f"weir: the log in {tmp_path} has no record\n"


def test_a_time_chooses_what_is_exported(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ("--from", "2026-01-31T12:00:00", "--to", "2026-01-31T13:00:01+01:00")
    assert status_of("log", "export", *arguments, "--path", str(folder), "--out", str(out)) == 0
    assert [json.loads(line)["kind"] for line in out.read_text().splitlines()] == ["failure"]
    assert status_of("log", "export", "--from", "yesterday", "--path", str(folder)) == 2


def test_a_table_names_features_and_scores(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert status_of("log", "export", "--format", "csv", "--path", str(folder), "--out", str(out)) == 0
    failure, answer, _ = csv.DictReader(io.StringIO(out.read_text()))
    assert (answer["feature:colour"], answer["feature:count"], answer["score:bad"]) == ("green", "3", "0.75")
    assert (answer["flags"], answer["reason"]) == ("fallback", "")
    assert (failure["kind"], failure["reason"], failure["feature:colour"]) == ("failure", "error", "")


def test_the_ending_of_the_file_says_the_format(folder: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet", "a.txt"):
        assert status_of("log", "export", "--path", str(folder), "--out", str(tmp_path / name)) == 0
    assert (tmp_path / "a.csv").read_text().startswith("time,kind,request_id")
    assert json.loads((tmp_path / "a.txt").read_text().splitlines()[0])["kind"] == "failure"
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table["request_id"].to_pylist() == ["r-1", "r-1", "r-2"]
    assert (tmp_path / "a.parquet").stat().st_mode & 0o777 == 0o600


def test_parquet_is_not_for_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("log", "export", "--format", "parquet", "--path", str(folder)) == 1
    assert "give a file as --out" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [pytest.param(("show", "r-1"), id="show"), pytest.param(("export",), id="export")])
def test_a_line_without_an_end_is_a_problem_with_its_place(
    verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "predictions-20260131T120000.000000Z.jsonl"
    (tmp_path / name).write_bytes(b'{"request_id":"r-1"' + b" " * LONGEST_LINE_BYTES + b"\n")
    out = ("--out", str(tmp_path / "out.parquet")) if verb == ("export",) else ()
    assert status_of("log", *verb, "--path", str(tmp_path), *out) == 1
    assert not (tmp_path / "out.parquet").exists()
    told = capsys.readouterr().err
    assert told.startswith(f"weir: {name}, ")
    assert "take the file out of the folder" in told
