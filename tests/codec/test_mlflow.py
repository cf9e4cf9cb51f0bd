"""The scoring protocol of MLflow: four ways to say the same rows, and faults where they stand in each."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract import Feature
from gateway.errors import BodyMalformed, BodyTooLarge, InputRejected, RequestInvalid
from gateway.types import TensorSpec
from tests.codec.contracts import Codec, TensorCodec

MATRIX = Codec(Feature("a", "float32"), Feature("b/c", "float32", missing="impute", fill=7.0))
COLUMNS = Codec(Feature("size", "string"), Feature("w", "float64"), layout="columns")
ROWS = [[1.0, 2.0], [3.0, 4.0]]


def decode(codec: Codec | TensorCodec, **members: Any) -> Any:
    return codec.mlflow.decode(json.dumps(members).encode())


def faults(codec: Codec | TensorCodec, **members: Any) -> list[tuple[str, str]]:
    with pytest.raises(RequestInvalid) as caught:
        decode(codec, **members)
    assert isinstance(caught.value, InputRejected | BodyMalformed)
    return [(fault.pointer, fault.kind) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"dataframe_split": {"columns": ["a", "b/c"], "data": ROWS}}, id="split"),
        pytest.param({"dataframe_split": {"columns": ["a", "b/c"], "data": ROWS, "index": [7, 8]}}, id="with index"),
        pytest.param({"dataframe_split": {"columns": ["b/c", "a"], "data": [[2, 1], [4, 3]]}}, id="in another order"),
        pytest.param({"dataframe_records": [{"a": 1, "b/c": 2}, {"b/c": 4, "a": 3}]}, id="records"),
        pytest.param({"instances": ROWS}, id="instances"),
        pytest.param({"inputs": ROWS}, id="inputs by row"),
        pytest.param({"inputs": {"b/c": [2, 4], "a": [1, 3]}}, id="inputs by column"),
    ],
)
def test_every_way_says_the_same_rows(members: dict[str, Any]) -> None:
    decoded = decode(MATRIX, **members)
    assert (decoded.n, decoded.feeds["X"].tolist()) == (2, ROWS)


def test_a_column_that_is_left_out_is_missing() -> None:
    assert decode(MATRIX, dataframe_split={"columns": ["a"], "data": [[1]]}).feeds["X"].tolist() == [[1, 7]]
    assert faults(MATRIX, inputs={"b/c": [1]}) == [("/inputs/a/0", "missing")]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            {"dataframe_split": {"columns": ["a", "b/c"], "data": [[1, 2], ["x", 2]]}},
            [("/dataframe_split/data/1/0", "wrong_type")],
            id="split",
        ),
        pytest.param(
            {"dataframe_split": {"columns": ["b/c", "a", "d"], "data": [[1, "x", 3]]}},
            [("/dataframe_split/data/0/1", "wrong_type"), ("/dataframe_split/data/0/2", "unknown")],
            id="another order",
        ),
        pytest.param(
            {"dataframe_split": {"columns": ["a", "b/c"], "data": [[1, 2], [3]]}},
            [("/dataframe_split/data/1", "shape")],
            id="a short row",
        ),
        pytest.param(
            {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}},
            [("/dataframe_split/columns", "shape")],
            id="a name twice",
        ),
        pytest.param(
            {"dataframe_records": [{"a": 1, "b/c": "x"}]}, [("/dataframe_records/0/b~1c", "wrong_type")], id="records"
        ),
        pytest.param({"instances": [[1, 2], [1]]}, [("/instances/1", "shape")], id="instances"),
        pytest.param({"inputs": [["x", 2]]}, [("/inputs/0/0", "wrong_type")], id="inputs by row"),
        pytest.param({"inputs": {"a": [1, None], "b/c": [1, 2]}}, [("/inputs/a/1", "missing")], id="inputs by column"),
        pytest.param({"inputs": 3}, [("/inputs", "wrong_type")], id="no rows"),
    ],
)
def test_faults_are_told_where_they_stand(members: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(MATRIX, **members) == expected


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, "exactly one of dataframe_split, dataframe_records, instances, inputs; found 0"),
        ({"instances": ROWS, "inputs": ROWS}, "found 2"),
        ({"instances": ROWS, "params": {}}, "unknown field `params`"),
        ({"dataframe_split": {"data": ROWS}}, "missing required field `columns`"),
        ({"dataframe_split": {"columns": ["a", "b/c"], "data": []}}, "empty"),
        ({"inputs": {"a": [1], "b/c": [1, 2]}}, r"same length, found \[1, 2\]"),
        ({"inputs": {"a": 1, "b/c": 2}}, "not a scoring request"),
        ({"inputs": {}}, "empty"),
    ],
)
def test_what_is_no_scoring_request_is_refused(members: dict[str, Any], text: str) -> None:
    with pytest.raises(BodyMalformed, match=text):
        decode(MATRIX, **members)


def test_the_batch_is_not_above_the_limit() -> None:
    for members in ({"inputs": {"a": [1] * 51}}, {"dataframe_split": {"columns": ["a"], "data": [[1]] * 51}}):
        with pytest.raises(BodyTooLarge, match="at most 50 rows"):
            decode(MATRIX, **members)


def test_strings_and_numbers_stand_side_by_side() -> None:
    decoded = decode(COLUMNS, dataframe_split={"columns": ["w", "size"], "data": [[1.5, "s"]]})
    assert {name: feed.ravel().tolist() for name, feed in decoded.feeds.items()} == {"size": ["s"], "w": [1.5]}


def test_a_model_of_tensors_takes_them_as_rows() -> None:
    codec = TensorCodec(TensorSpec("t", "float32", (-1, 2)))
    assert decode(codec, inputs=ROWS).feeds["t"].tolist() == ROWS
    with pytest.raises(BodyMalformed):
        decode(codec, inputs={"t": ROWS})


VALUES = st.recursive(
    st.none() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=2) | st.sampled_from(["a", "b/c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c", "columns"]), inner),
    max_leaves=10,
)


@given(
    members=st.dictionaries(
        st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"]),
        VALUES
        | st.fixed_dictionaries(
            {"columns": st.lists(st.sampled_from(["a", "b/c", "d"]), max_size=3), "data": st.lists(st.lists(VALUES))}
        ),
        max_size=2,
    )
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_anything_is_refused_or_decoded(members: dict[str, Any]) -> None:
    for codec in (MATRIX, COLUMNS):
        with suppress(RequestInvalid):
            assert decode(codec, **members).n >= 1


@given(raw=st.binary(max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(RequestInvalid):
        MATRIX.mlflow.decode(raw)


@pytest.mark.parametrize("name", ["dataframe_split", "instances", "inputs"])
def test_deep_nesting_is_refused_and_never_crashes(name: str) -> None:
    with pytest.raises(BodyTooLarge, match="levels of nesting"):
        MATRIX.mlflow.decode(b'{"' + name.encode() + b'": ' + b"[" * 100_000)
