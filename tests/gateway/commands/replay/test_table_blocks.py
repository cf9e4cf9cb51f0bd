from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gateway.codec.rows import encode_table
from gateway.commands.replay.block import Block, joined
from gateway.commands.replay.table_blocks import read_table_blocks
from gateway.commands.table import TableInvalid, read_table
from gateway.engine.version import ServableVersion
from tests.gateway.commands.replay.material import COLUMNS, flowers, load, write_table, write_version

TIMES = ("1970-01-01T00:01", "1970-01-01T02:00:00+02:00")


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> ServableVersion:
    return load(write_version(tmp_path_factory.mktemp("models")))


def blocks(path: Path, version: ServableVersion, time_column: str = "") -> list[Block]:
    return list(read_table_blocks(path, version, time_column))


def test_rows_are_those_that_the_careful_reader_gives(tmp_path: Path, version: ServableVersion) -> None:
    special = [("", "0.5", "short"), ("3", "", "tiny"), (" 4.5 ", "1e-3", "long")]
    path = write_table(tmp_path / "rows.csv", [*flowers(4200, 1), *special])
    found = blocks(path, version)
    assert [len(block.rows) for block in found] == [4096, 107]
    read = encode_table(version.contract, read_table(path, version.contract).rows, ranks=version.ranks)
    rows = joined(found)
    assert read.values_nd is not None
    assert np.array_equal(rows.values_nd, read.values_nd, equal_nan=True)
    assert rows.values_nd[-2, 2] == -1.0
    assert rows.scores_nk is not None
    assert rows.scores_nk.shape == (4203, 3)
    assert rows.labels_n is not None
    assert np.array_equal(rows.labels_n, rows.scores_nk.argmax(axis=1))


def test_times_are_iso_or_unix_seconds(tmp_path: Path, version: ServableVersion) -> None:
    rows = [(*row, time) for row, time in zip(flowers(2, 1), TIMES, strict=True)]
    path = write_table(tmp_path / "iso.csv", rows, (*COLUMNS, "at"))
    assert [block.times_n.tolist() for block in blocks(path, version, "at") if block.times_n is not None] == [
        [60.0, 0.0]
    ]
    path = write_table(tmp_path / "unix.csv", [(*row, "12.5") for row in flowers(2, 1)], (*COLUMNS, "at"))
    assert [block.times_n.tolist() for block in blocks(path, version, "at") if block.times_n is not None] == [
        [12.5] * 2
    ]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        pytest.param([("x", "1", "short")], "line 2, column 'petal_length': expected a number (float32)", id="text"),
        pytest.param([("1", "1", "short"), ("1", "nan", "short")], "line 3, column 'petal_width': expected", id="nan"),
        pytest.param([("1", "1e300", "short")], "line 2, column 'petal_width': expected a number", id="too-large"),
        pytest.param([("1", "1")], "line 2: expected 3 cells, found 2", id="short-line"),
        pytest.param([], "has no rows", id="empty"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(
    rows: Sequence[Sequence[str]], complaint: str, tmp_path: Path, version: ServableVersion
) -> None:
    path = write_table(tmp_path / "rows.csv", rows)
    with pytest.raises(TableInvalid) as refused:
        blocks(path, version)
    assert complaint in str(refused.value)


def test_a_category_that_the_contract_rejects_is_named(tmp_path: Path) -> None:
    strict = load(write_version(tmp_path / "models", unseen="reject"))
    path = write_table(tmp_path / "rows.csv", [*flowers(3, 1), ("1", "1", "tiny")])
    with pytest.raises(TableInvalid, match=r"line 5, column 'sepal': expected one of .*'tiny'"):
        blocks(path, strict)


def test_columns_that_are_not_there_are_named(tmp_path: Path, version: ServableVersion) -> None:
    path = write_table(tmp_path / "rows.csv", [("1", "2")], ("petal_length", "sepal"))
    with pytest.raises(TableInvalid, match=r"no column for \['petal_width'\]; it has"):
        blocks(path, version)
    path = write_table(tmp_path / "rows.csv", flowers(2, 1))
    with pytest.raises(TableInvalid, match="no column 'when'"):
        blocks(path, version, "when")


def test_a_log_that_was_exported_as_csv_is_told_apart(tmp_path: Path, version: ServableVersion) -> None:
    path = write_table(tmp_path / "log.csv", [("1", "a")], ("feature:petal_length", "label"))
    with pytest.raises(TableInvalid, match="this is one exported as CSV"):
        blocks(path, version)


def test_a_time_that_is_none_is_named(tmp_path: Path, version: ServableVersion) -> None:
    path = write_table(tmp_path / "rows.csv", [(*flowers(1, 1)[0], "noon")], (*COLUMNS, "at"))
    with pytest.raises(TableInvalid, match=r"line 2, column 'at': expected a time .* found 'noon'"):
        blocks(path, version, "at")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, version: ServableVersion) -> None:
    (tmp_path / "rows.csv").write_bytes(b"petal_length,petal_width,sepal\n1,2,\xff\n")
    with pytest.raises(TableInvalid, match="not UTF-8"):
        blocks(tmp_path / "rows.csv", version)
