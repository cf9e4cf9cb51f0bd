"""Parquet tables and exported logs through the replay: what a CSV table of the same rows says, or what is wrong."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from gateway.codec.parquet import ParquetReader
from gateway.commands.problem import ProblemReported
from gateway.commands.replay.block import Block, joined
from gateway.commands.replay.plan import Plan, Wishes
from gateway.commands.replay.report import replay_document
from gateway.commands.replay.run import replay
from gateway.commands.replay.source import blocks_of
from gateway.commands.table import TableInvalid
from gateway.engine.version import ServableVersion
from gateway.prediction_log.export import write_lines
from gateway.prediction_log.flat import write_flat
from gateway.prediction_log.folder import LogFolder
from gateway.prediction_log.lines import LogRecords
from gateway.prediction_log.reading import Selection
from gateway.prediction_log.writer import LogWriter
from gateway.settings import PredictionLogSettings
from monitors.evidence.model import EvidenceModel
from monitors.records import Observation, StreamKey
from tests.gateway.commands.replay.material import COLUMNS, flowers, load, write_table, write_version
from tests.gateway.prediction_log.material import NOON, HandClock

ROWS = (
    *flowers(3000, 2),
    ("", "0.5", "short"),
    ("3", "", "tiny"),
    *flowers(1500, 3, 1.0),
)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> ServableVersion:
    return load(write_version(tmp_path_factory.mktemp("models")))


def columns_of(rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    length, width, sepal = zip(*rows, strict=True)
    numbers = [[float(text) if text else None for text in column] for column in (length, width)]
    return {"petal_length": numbers[0], "petal_width": numbers[1], "sepal": [word or None for word in sepal]}


def write_parquet(path: Path, columns: Mapping[str, Any], **options: Any) -> Path:
    parquet.write_table(pa.table(dict(columns)), path, **options)
    return path


def rows_in(path: Path, version: ServableVersion, time_column: str = "") -> list[Block]:
    return list(blocks_of(path, version, "stable", time_column))


def times() -> np.ndarray:
    return np.round(NOON + np.arange(len(ROWS)) / 20, 6)


def write_log(folder: Path, block: Block, version: ServableVersion) -> Path:
    info, n = version.info, len(block.rows)
    records = LogRecords()
    records.learn(info)
    writer = LogWriter(LogFolder(folder), records, PredictionLogSettings(path=folder), HandClock())
    assert block.rows.scores_nk is not None
    assert block.rows.labels_n is not None
    writer.take(
        Observation(
            key=StreamKey(info.model, info.version, info.digest, "stable"),
            worker="w-1",
            route_revision=1,
            sampled_ratio=1.0,
            request_ids=tuple(f"r-{i}" for i in range(n)),
            answered_at_n=times(),
            key_hashes_n=np.zeros(n, np.uint64),
            values_nd=block.rows.values_nd,
            labels_n=block.rows.labels_n.astype(np.int32),
            scores_nk=block.rows.scores_nk,
            durations_n=np.zeros(n, np.float32),
            flags_n=np.zeros(n, np.uint16),
        )
    )
    writer.close()
    return folder


@pytest.fixture(scope="module")
def same_rows(tmp_path_factory: pytest.TempPathFactory, version: ServableVersion) -> dict[str, list[Block]]:
    """The same rows from every kind of file."""
    root = tmp_path_factory.mktemp("files")
    timed = [(*row, repr(float(at))) for row, at in zip(ROWS, times(), strict=True)]
    table = {**columns_of(ROWS), "at": pa.array((times() * 1e6).round().astype(np.int64), pa.timestamp("us"))}
    small = {**table, "sepal": pa.array(table["sepal"]).dictionary_encode(), "more": [{"a": 1}] * len(ROWS)}
    found = {
        "csv": rows_in(write_table(root / "rows.csv", timed, (*COLUMNS, "at")), version, "at"),
        "parquet": rows_in(write_parquet(root / "rows.parquet", table), version, "at"),
        "parquet in small groups": rows_in(write_parquet(root / "a.parquet", small, row_group_size=700), version, "at"),
    }
    log = write_log(root / "log", Block(joined(found["csv"])), version)
    with (root / "log.jsonl").open("wb") as lines, (root / "log.parquet").open("wb") as flat:
        write_lines(log, Selection(), lines)
        write_flat(log, Selection(), flat)
    return found | {name: rows_in(root / name, version) for name in ("log", "log.jsonl", "log.parquet")}


def test_every_kind_of_file_pages_at_the_same_rows(
    same_rows: dict[str, list[Block]], tmp_path: Path, version: ServableVersion
) -> None:
    normal = joined(rows_in(write_table(tmp_path / "normal.csv", flowers(6000, 1)), version))
    model = EvidenceModel.fit(normal, version.info.features, version.info.output)
    plan = Plan.of(Wishes(pages_per_week=100.0), has_times=True)
    told = {
        name: replay_document(replay(same_rows[name], model, plan, draws=False), plan, {})
        for name in ("csv", "parquet", "log.jsonl", "log.parquet")
    }
    assert told["csv"]["pages"] > 0
    assert 3000 < next(each["row"] for each in told["csv"]["incidents"] if each["level"] == "page") < 3200
    for name, document in told.items():
        assert document == told["csv"], name


def test_every_kind_of_file_gives_the_same_rows_in_blocks_of_one_size(same_rows: dict[str, list[Block]]) -> None:
    expected = same_rows.pop("csv")
    for name, blocks in same_rows.items():
        for block, like in zip(blocks, expected, strict=True):
            assert np.array_equal(block.rows.values_nd, like.rows.values_nd, equal_nan=True), name
            scores, expected_scores = block.rows.answers()[0], like.rows.answers()[0]
            assert np.array_equal(scores, expected_scores, equal_nan=True), name
            assert block.times_n is not None
            assert like.times_n is not None
            assert np.array_equal(block.times_n, like.times_n), name


@pytest.mark.parametrize(
    "length",
    [
        pytest.param(pa.array([3.0, float("nan"), 5.0]), id="nan-is-missing"),
        pytest.param(pa.array([3, None, 5], pa.int8()), id="whole-numbers"),
        pytest.param(pa.array([3.0, None, 5.0], pa.float16()), id="half-floats"),
        pytest.param(pa.array([3, None, 5], pa.uint64()).dictionary_encode(), id="categories-of-numbers"),
    ],
)
def test_numbers_of_any_type_are_the_same_numbers(length: Any, tmp_path: Path, version: ServableVersion) -> None:
    table = {
        "petal_length": length,
        "petal_width": pa.nulls(3),
        "sepal": pa.array(["long", "short", "é"], pa.large_string()),
    }
    (block,) = rows_in(write_parquet(tmp_path / "rows.parquet", table), version)
    nan = float("nan")
    expected = [[3.0, nan, 0.0], [nan, nan, 2.0], [5.0, nan, -1.0]]
    assert np.array_equal(block.rows.values_nd, expected, equal_nan=True)


@pytest.mark.parametrize(
    "at",
    [
        pytest.param([60.0, 7200.0], id="seconds"),
        pytest.param(["1970-01-01T00:01", "1970-01-01T04:00:00+02:00"], id="texts"),
        pytest.param(pa.array([60, 7200], pa.timestamp("s", tz="Europe/Berlin")), id="with-a-zone"),
        pytest.param(pa.array([60 * 10**9, 7200 * 10**9], pa.timestamp("ns")), id="nanoseconds"),
        pytest.param([datetime(1970, 1, 1, 0, 1), datetime(1970, 1, 1, 2)], id="microseconds"),
    ],
)
def test_times_are_timestamps_texts_or_unix_seconds(at: Any, tmp_path: Path, version: ServableVersion) -> None:
    (block,) = rows_in(write_parquet(tmp_path / "a.parquet", {**columns_of(ROWS[:2]), "at": at}), version, "at")
    assert block.times_n is not None
    assert block.times_n.tolist() == [60.0, 7200.0]


def odd(name: str, values: Any, complaint: str, id_: str) -> Any:
    return pytest.param({name: values}, complaint, id=id_)


WIDTH, HUGE = "petal_width", "x" * (64 * 1024 + 1)


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        odd(WIDTH, ["1", "2"], "is of type string, and the feature is float32: cast it to a number", "text"),
        odd(WIDTH, pa.array([1, 2], pa.decimal128(5, 2)), "is of type decimal128(5, 2), and the feature", "decimal"),
        odd(
            WIDTH, pa.array([0, 1], pa.timestamp("ms")), "timestamp[ms], and the feature is float32: give what", "time"
        ),
        odd(WIDTH, [[1.0], [2.0]], "is of type list<element: double>", "list"),
        odd(WIDTH, [{"a": 1.0}] * 2, "cast it to a number or leave it out", "struct"),
        odd(WIDTH, [1.0, float("inf")], "row 2, column 'petal_width': expected a number (float32), found inf", "inf"),
        odd(WIDTH, [1e300, 1.0], "row 1, column 'petal_width': expected a number (float32), found 1e+300", "large"),
        odd("sepal", [1, 2], "'sepal' is of type int64, and the feature is string: cast it to text", "number"),
        odd("sepal", [b"a", b"b"], "'sepal' is of type binary", "bytes"),
        odd("sepal", ["long", HUGE], "'sepal' has a text of more than 65,536 characters", "huge-text"),
        odd("at", [1.0, None], "row 2, column 'at': expected a time such as", "no-time"),
        odd("at", [1.0, None], "found nothing", "what-is-found-for-a-time"),
        odd("at", [1769860800000] * 2, "these may be milliseconds: divide them by 1,000", "milliseconds"),
        odd("at", ["noon", "x" * 999], "row 1, column 'at': expected a time such as", "no-such-time"),
        odd("at", [True, False], "is of type bool, and a time is needed: cast it to a timestamp", "bool-for-time"),
    ],
)
def test_a_column_that_does_not_fit_is_named_with_what_to_do(
    column: dict[str, Any], complaint: str, tmp_path: Path, version: ServableVersion
) -> None:
    path = write_parquet(tmp_path / "rows.parquet", {**columns_of(ROWS[:2]), "at": [1.0, 2.0], **column})
    with pytest.raises(TableInvalid) as refused:
        rows_in(path, version, "at")
    assert str(refused.value).startswith("rows.parquet, ")
    assert complaint in str(refused.value)
    assert len(str(refused.value)) < 300


def test_a_value_that_the_contract_rejects_is_named_with_its_row(tmp_path: Path) -> None:
    strict = load(write_version(tmp_path / "models", unseen="reject"))
    rows = [*flowers(5000, 1), ("1", "1", "tiny")]
    path = write_parquet(tmp_path / "rows.parquet", columns_of(rows))
    with pytest.raises(TableInvalid, match=r"rows\.parquet, row 5001, column 'sepal': expected one of .*'tiny'"):
        rows_in(path, strict)


def test_columns_that_are_not_there_or_there_twice_are_named(tmp_path: Path, version: ServableVersion) -> None:
    columns = columns_of(ROWS[:2])
    less = write_parquet(tmp_path / "less.parquet", {name: columns[name] for name in COLUMNS[:2]})
    with pytest.raises(TableInvalid, match=r"less\.parquet: its schema has no column for \['sepal'\]; it has"):
        rows_in(less, version)
    with pytest.raises(TableInvalid, match=r"its schema has no column 'when'; it has"):
        rows_in(write_parquet(tmp_path / "rows.parquet", columns), version, "when")
    twice = pa.table([*map(pa.array, columns.values()), pa.array([1, 2])], names=[*columns, "sepal"])
    parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(TableInvalid, match=r"twice\.parquet: its schema names \['sepal'\] twice"):
        rows_in(tmp_path / "twice.parquet", version)


def damaged(path: Path, how: str) -> Path:
    text = write_parquet(path, columns_of(ROWS), write_page_checksum=True).read_bytes()
    middle = len(text) // 3
    path.write_bytes(
        {
            "empty": b"",
            "magic only": b"PAR1",
            "another kind": b"a,b\n1,2\n" * 100,
            "cut short": text[:middle],
            "a damaged page": text[:40] + bytes(200) + text[240:],
        }[how]
    )
    return path


@pytest.mark.parametrize("how", ["empty", "magic only", "another kind", "cut short", "a damaged page"])
def test_a_file_that_is_not_whole_is_refused_by_its_name(how: str, tmp_path: Path, version: ServableVersion) -> None:
    with pytest.raises(
        (TableInvalid, ProblemReported), match=r"^rows\.parquet.* cannot be read as Parquet: "
    ) as refused:
        rows_in(damaged(tmp_path / "rows.parquet", how), version)
    assert "\n" not in str(refused.value)


def test_a_table_without_rows_and_a_folder_are_refused(tmp_path: Path, version: ServableVersion) -> None:
    empty = {name: pa.array([], pa.string() if name == "sepal" else pa.float64()) for name in COLUMNS}
    with pytest.raises(TableInvalid, match=r"rows\.parquet has no rows"):
        rows_in(write_parquet(tmp_path / "rows.parquet", empty), version)
    (tmp_path / "dir.parquet").mkdir()
    with pytest.raises(ProblemReported, match=r"dir\.parquet is a folder: give one Parquet file"):
        rows_in(tmp_path / "dir.parquet", version)
    with pytest.raises(ProblemReported, match="there is no file"):
        rows_in(tmp_path / "none.parquet", version)


def test_a_text_that_a_file_holds_once_is_not_copied_for_each_row(tmp_path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(np.zeros(9000, np.int32), ["x" * 60_000])
    path = write_parquet(tmp_path / "rows.parquet", {"sepal": words})
    with ParquetReader(path) as file:
        batches = [batch["sepal"] for batch in file.batches(["sepal"])]
    assert [len(values) for values in batches] == [4096, 4096, 808]
    assert {len(set(map(id, values))) for values in batches} == {1}
