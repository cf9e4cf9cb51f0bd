"""CSV tables by a contract: conversion, and errors that name line and column."""

from pathlib import Path

import pytest

from gateway.commands.table import LONGEST_LINE, Table, TableInvalid, read_table
from gateway.contract import Contract, Feature, OutputBinding

FEATURES = (
    Feature("age", "int64", minimum=0, maximum=150, out_of_range="reject"),
    Feature("income", "float32", missing="flag"),
    Feature("member", "bool", missing="impute", fill=False),
    Feature("country", "string", categories=("no", "se"), unseen="reject"),
)
HEADER = "age,income,member,country\n"


def read(tmp_path: Path, text: str | bytes) -> Table:
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, Contract("columns", FEATURES, OutputBinding()))


def test_cells_become_values_of_their_dtypes(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER + "30,1.5,true,no\n40.0,1e3,0,se\n")
    assert table.rows == [
        {"age": 30, "income": 1.5, "member": True, "country": "no"},
        {"age": 40, "income": 1000.0, "member": False, "country": "se"},
    ]


def test_an_empty_cell_is_missing(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER + "30,,,no\n").rows == [{"age": 30, "income": None, "member": None, "country": "no"}]


def test_columns_come_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    table = read(tmp_path, "label,country,member,income,age\n1,no,1,2,3\n")
    assert table.rows == [{"age": 3, "income": 2.0, "member": True, "country": "no"}]
    assert table.ignored == ("label",)


def test_the_column_of_labels_is_read_as_text_beside_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("label,country,member,income,age,id\n1.0,no,1,2,3,a\n,no,1,2,3,b\n")
    table = read_table(path, Contract("columns", FEATURES, OutputBinding()), label="label")
    assert (table.labels, table.ignored) == (("1.0", ""), ("id",))


@pytest.mark.parametrize(
    ("label", "message"), [("truth", "no column 'truth' for the labels"), ("age", "'age' of the labels is a feature")]
)
def test_a_column_that_cannot_hold_labels_is_refused(tmp_path: Path, label: str, message: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + "30,1,true,no\n")
    with pytest.raises(TableInvalid, match=message):
        read_table(path, Contract("columns", FEATURES, OutputBinding()), label=label)


def test_a_byte_order_mark_and_quotes_and_windows_lines_are_understood(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbfage,income,member,country,note\r\n30,1,1,no,"two\r\nlines, quoted"\r\n\r\n31,1,1,no,x\r\n'
    assert [row["age"] for row in read(tmp_path, text).rows] == [30, 31]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("x,1,1,no", "column 'age': expected a number (int64), found 'x'", id="text for a number"),
        pytest.param("1.5,1,1,no", "column 'age': expected a number (int64), found '1.5'", id="part of an integer"),
        pytest.param("1e400,1,1,no", "column 'age': expected a number (int64), found '1e400'", id="infinite integer"),
        pytest.param("1,nan,1,no", "column 'income': expected a number (float32), found 'nan'", id="nan"),
        pytest.param("1,1e39,1,no", "column 'income': expected a number (float32), found '1e39'", id="too big"),
        pytest.param("1,1,yes,no", "column 'member': expected true or false, found 'yes'", id="no boolean"),
        pytest.param("1,1,1,dk", "column 'country': expected one of ['no', 'se'], found 'dk'", id="unseen"),
        pytest.param("151,1,1,no", "column 'age': expected 0 to 150, found '151'", id="out of range"),
        pytest.param(",1,1,no", "found nothing; missing values are rejected", id="missing"),
        pytest.param("1,1,1", "expected 4 cells, found 3", id="short line"),
        pytest.param('1,1,1,"no', "unexpected end of data", id="open quote"),
    ],
)
def test_a_broken_cell_is_named_by_line_and_column(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(TableInvalid) as caught:
        read(tmp_path, f"{HEADER}30,1,1,no\n{line}\n")
    assert str(caught.value).startswith("rows.csv, line 3")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "has no column for ['age', 'income', 'member', 'country']", id="empty"),
        pytest.param("age,income,member\n", "has no column for ['country']", id="column missing"),
        pytest.param("age,age,income,member,country\n", "names ['age'] twice", id="column twice"),
        pytest.param(HEADER, "has no rows", id="no rows"),
        pytest.param(b"\xff\xfe", "is not UTF-8 text", id="another encoding"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(TableInvalid) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableInvalid, match=r"none\.csv: No such file"):
        read_table(tmp_path / "none.csv", Contract("columns", FEATURES, OutputBinding()))


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(TableInvalid, match="a line of more than 16,777,216 characters"):
        read(tmp_path, HEADER + "," * (LONGEST_LINE + 1))


def test_a_quote_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableInvalid, match="field larger than field limit"):
        read(tmp_path, HEADER + '"' + "30,1.5,true,no\n" * 20_000)
