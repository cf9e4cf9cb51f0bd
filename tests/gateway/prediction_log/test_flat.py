"""The log as one flat table, written as Parquet and read back."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from gateway.codec.parquet import ParquetReader
from gateway.commands.replay.block import joined
from gateway.commands.replay.log_blocks import LogSource
from gateway.commands.table import TableInvalid
from gateway.prediction_log.flat import is_flat_log, read_flat, write_flat
from gateway.prediction_log.folder import LogFolder
from gateway.prediction_log.lines import LogRecords
from gateway.prediction_log.reading import LogRefused, Selection, read_records
from gateway.prediction_log.writer import LogWriter
from gateway.settings import PredictionLogSettings
from monitors.records import FeatureSchema
from tests.gateway.prediction_log.material import INFO, KEY, NOON, Ground, HandClock, answers, masked

NAME = "predictions-20260131T120000.000000Z.jsonl"


def flat(folder: Path, target: Path) -> Path:
    with target.open("wb") as file:
        write_flat(folder, Selection(), file)
    return target


def logged(path: Path, **settings: Any) -> Ground:
    ground = Ground(path, **settings)
    ground.writer.take(masked("r-0"))
    ground.writer.take(answers("r-1", "r-2", at=NOON + 1.25, values=(np.nan, 4.0, -1.0)))
    ground.writer.take(answers("r-3", at=NOON + 0.000001))
    ground.writer.close()
    return ground


def test_columns_have_types_that_people_want(tmp_path: Path) -> None:
    table = parquet.read_table(flat(logged(tmp_path / "log").path, tmp_path / "out.parquet"))
    types = {field.name: str(field.type) for field in table.schema}
    assert types["time"] == "timestamp[us, tz=UTC]"
    assert (types["feature:width"], types["feature:count"], types["feature:colour"]) == ("double", "int64", "string")
    assert (types["score:bad"], types["flags"], types["duration_s"]) == ("double", "list<element: string>", "double")
    assert table["time"].to_pylist()[-1] == datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)
    assert table["feature:count"].to_pylist() == [None, 4, 4, 3]
    assert table["reason"].to_pylist() == ["error", None, None, None]


def test_records_are_read_back_as_a_replay_needs_them(tmp_path: Path) -> None:
    ground = logged(tmp_path / "log", redact=("width",))
    with ParquetReader(flat(ground.path, tmp_path / "out.parquet")) as file:
        assert is_flat_log(file)
        found = list(read_flat(file))
    written = [record for _, record in read_records(ground.path, Selection())]
    needed = ("kind", "time", "model", "version", "digest", "variant", "label", "flags", "unseen", "features", "scores")
    for record, like in zip(found[1:], written[1:], strict=True):
        assert {name: record[name] for name in needed} == {name: like[name] for name in needed}
    assert (found[0]["kind"], found[0]["features"], found[0]["label"]) == ("failure", {}, None)


def test_versions_that_differ_in_a_feature_stand_in_one_table(tmp_path: Path) -> None:
    other = replace(INFO, version="2", features=(FeatureSchema("width", "category", "string", ("broad", "7")),))
    words = replace(answers("w-1", "w-2"), key=replace(KEY, version="2"), values_nd=np.array([[0.0], [1.0]]))
    records = LogRecords()
    for info in (INFO, other):
        records.learn(info)
    folder = tmp_path / "log"
    writer = LogWriter(LogFolder(folder), records, PredictionLogSettings(path=folder), HandClock())
    numbers = [0.1, 1e-300, 12345678.9]
    for width in numbers:
        writer.take(replace(answers("n", values=(width, 3.0, 1.0)), flags_n=np.zeros(1, np.uint16)))
    writer.take(replace(words, flags_n=np.zeros(2, np.uint16)))
    writer.close()
    path = flat(folder, tmp_path / "out.parquet")
    for info, expected in ((INFO, numbers), (other, [0.0, 1.0])):
        assert joined(list(LogSource(path, info).blocks())).values_nd[:, 0].tolist() == expected


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"redact": ("width",)}, "row 2: the log has no feature 'width': it was redacted", id="redacted"),
        pytest.param({"hash": ("count",)}, "row 2: the log has only hashes of feature 'count'", id="hashed"),
    ],
)
def test_features_that_the_log_does_not_keep_are_named(
    settings: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    ground = Ground(tmp_path / "log", **settings)
    ground.writer.take(masked("r-0"))
    ground.writer.take(replace(answers("r-1"), flags_n=np.zeros(1, np.uint16)))
    ground.writer.close()
    with pytest.raises(TableInvalid, match=complaint):
        list(LogSource(flat(ground.path, tmp_path / "out.parquet"), INFO).blocks())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"time": "noon"}, "request 'r' has the time 'noon'", id="time"),
        pytest.param({"time": 5}, "request 'r' has the time 5", id="a-number-as-time"),
        pytest.param({"row": "first"}, "column 'row'", id="row"),
        pytest.param({"row": 10**30}, "column 'row'", id="huge-row"),
        pytest.param({"flags": 5}, "column 'flags'", id="flags"),
        pytest.param({"scores": {"a": "b"}}, "column 'score:a'", id="scores"),
    ],
)
def test_a_record_that_no_gateway_wrote_is_refused(change: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    record = {"kind": "answer", "time": "2026-01-31T12:00:00Z", "request_id": "r", **change}
    (tmp_path / NAME).write_text(json.dumps(record) + "\n")
    with pytest.raises(LogRefused, match=complaint):
        flat(tmp_path, tmp_path / "out.parquet")


def test_strange_features_and_scores_are_kept_as_text_and_lists(tmp_path: Path) -> None:
    record = {"kind": "answer", "time": "2026-01-31T12:00:00Z", "flags": [], "scores": [0.5, None]}
    lines = [{**record, "features": features} for features in ({"a": [1], "b": 10**400}, {"a": "x", "b": 2}, 5, {})]
    (tmp_path / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    with ParquetReader(flat(tmp_path, tmp_path / "out.parquet")) as file:
        found = list(read_flat(file, ["a"]))
    assert [each["features"] for each in found] == [{"a": "[1]", "b": str(10**400)}, {"a": "x", "b": "2"}, {}, {}]
    assert found[0]["scores"] == [0.5, None]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"time": pa.array([{"a": 1}])}, id="nested-time"),
        pytest.param({"time": pa.array([1e300])}, id="huge-time"),
        pytest.param({"features": pa.array(["{"])}, id="torn-names"),
        pytest.param({"features": pa.array([5])}, id="names-that-are-a-number"),
        pytest.param({"scores": pa.array(["[" * 100_000])}, id="names-without-end"),
        pytest.param({"flags": pa.array([5])}, id="flags"),
        pytest.param({"feature:width": pa.array([{"a": 1}])}, id="nested-feature"),
    ],
)
def test_a_table_that_only_looks_like_a_log_is_refused_in_words(change: dict[str, Any], tmp_path: Path) -> None:
    ground = Ground(tmp_path / "log")
    ground.writer.take(replace(answers("r-1"), flags_n=np.zeros(1, np.uint16)))
    ground.writer.close()
    table = parquet.read_table(flat(ground.path, tmp_path / "out.parquet"))
    columns = {name: table[name] for name in table.column_names} | change
    parquet.write_table(pa.table(columns), tmp_path / "odd.parquet")
    source = LogSource(tmp_path / "odd.parquet", INFO)
    if "flags" in change:
        assert len(joined(list(source.blocks()))) == 1
        return
    with pytest.raises(TableInvalid, match=r"^odd\.parquet"):
        list(source.blocks())


def test_an_empty_log_is_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with ParquetReader(flat(tmp_path / "log", tmp_path / "out.parquet")) as file:
        assert list(read_flat(file)) == []
