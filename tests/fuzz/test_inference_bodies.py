"""What a decoder takes, json and numpy read as the same numbers, and the contract allows; and it costs no more memory
than the body's own length times a constant.
"""

import json
import math
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract import Feature
from gateway.errors import RequestInvalid
from gateway.http.problems import problem_bytes
from gateway.settings import LimitSettings
from gateway.types import TensorSpec
from tests.codec.contracts import Codec, TensorCodec
from tests.fuzz.json_texts import array, members, scalars, values

FEATURES = (
    Feature("a", "float32", minimum=-5, maximum=5, out_of_range="reject"),
    Feature("b", "int16"),
    Feature("c", "float64"),
)
NAMES = [feature.name for feature in FEATURES]
MATRIX, COLUMNS = Codec(*FEATURES), Codec(*FEATURES, layout="columns")
IMAGE = TensorCodec(TensorSpec("X", "float32", (-1, 2)))
LONG = Codec(*FEATURES, limits=LimitSettings())
LONG_IMAGE = TensorCodec(TensorSpec("X", "float32", (-1, 2)))
LONG_WORDS = TensorCodec(TensorSpec("X", "string", (-1,)))
MANY = settings(max_examples=120, deadline=None, derandomize=True)

FINE = st.integers(-4, 4).map(str)
CELLS = FINE | FINE | FINE | scalars
NAMED = st.tuples(CELLS, CELLS, CELLS).map(lambda row: f'{{"a":{row[0]},"b":{row[1]},"c":{row[2]}}}')
LISTED = st.lists(CELLS, min_size=3, max_size=3).map(array)
ROWS = st.lists(NAMED | NAMED | LISTED | members(NAMES, CELLS), min_size=1, max_size=3).map(array)
SPLIT = st.builds(
    lambda columns, rows: f'{{"columns":{json.dumps(columns)},"data":{array(rows)}}}',
    st.permutations(NAMES) | st.lists(st.sampled_from(NAMES), max_size=4),
    st.lists(LISTED, max_size=3),
)
BY_COLUMN = st.builds(
    lambda column, names: "{" + ",".join(f'"{name}":{array(column)}' for name in names) + "}",
    st.lists(CELLS, min_size=1, max_size=3),
    st.permutations(NAMES),
)
SHAPES = ["[{n},3]"] * 6 + ["[3,{n}]", "[{n},3.0]", "[{n},-3]", "[{n}]", "[1{n},3]", "[{n},3,1]", "[]"]
Rows = list[list[Any]]


@given(rows=ROWS, more=st.sampled_from(["", "", ',"model":"m"', ',"model":null', ',"instances":[]', ',"x":1']))
@MANY
def test_rows_of_a_plain_body_are_those_that_json_has(rows: str, more: str) -> None:
    body = f'{{"instances":{rows}{more}}}'
    for codec in (MATRIX, COLUMNS):
        compare(codec, codec.plain.decode, body, lambda document: table(document["instances"]))


@given(text=values(["instances", "model", *NAMES, "inputs", "columns", "data"]))
@MANY
def test_any_json_is_what_json_says_or_refused(text: str) -> None:
    compare(MATRIX, MATRIX.plain.decode, text, lambda document: table(document["instances"]))
    compare(MATRIX, MATRIX.mlflow.decode, text, scoring_table)


@given(
    member=st.one_of(
        st.tuples(st.just("dataframe_split"), SPLIT),
        st.tuples(st.just("inputs"), BY_COLUMN | ROWS),
        st.tuples(st.sampled_from(["dataframe_records", "instances"]), ROWS),
    )
)
@MANY
def test_a_scoring_request_is_the_table_that_json_has(member: tuple[str, str]) -> None:
    body = f'{{"{member[0]}":{member[1]}}}'
    for codec in (MATRIX, COLUMNS):
        compare(codec, codec.mlflow.decode, body, scoring_table)


@given(
    rows=st.integers(1, 3),
    shape=st.sampled_from(SHAPES),
    cells=st.lists(CELLS, min_size=9, max_size=9),
    is_nested=st.booleans(),
    datatype=st.sampled_from(["FP32"] * 6 + ["FP64", "INT16", "fp32", ""]),
)
@MANY
def test_a_tensor_holds_the_numbers_that_json_has(
    rows: int, shape: str, cells: list[str], is_nested: bool, datatype: str
) -> None:
    given_rows = [array(cells[3 * i : 3 * i + 3]) for i in range(rows)]
    data = array(given_rows) if is_nested else array(cells[: 3 * rows])
    text = shape.replace("{n}", str(rows))
    body = f'{{"inputs":[{{"name":"X","shape":{text},"datatype":"{datatype}","data":{data}}}]}}'
    compare(MATRIX, MATRIX.v2.decode, body, tensor_table)


def compare(codec: Codec, decode: Callable[[bytes], Any], text: str, expected: Callable[[Any], Rows]) -> None:
    """Decode; where that is done, hold the rows to an independent reading, cell by cell."""
    body = text.encode("utf-8", "surrogatepass")
    try:
        decoded = decode(body)
    except RequestInvalid as error:
        status, _, told = problem_bytes(error)
        assert status in (400, 413, 422)
        json.loads(told)
        return
    rows = expected(json.loads(body))
    assert decoded.n == len(rows) >= 1
    for row in rows:
        check_contract(*row, is_tensor=expected is tensor_table)
    if codec is MATRIX:
        np.testing.assert_array_equal(decoded.feeds["X"], np.array(rows, np.float64).astype(np.float32))
    else:
        for feature, column in zip(FEATURES, zip(*rows, strict=True), strict=True):
            expected_n = np.array(column, np.float64).astype(feature.dtype)
            np.testing.assert_array_equal(decoded.feeds[feature.name].reshape(-1), expected_n)


def check_contract(a: Any, b: Any, c: Any, *, is_tensor: bool) -> None:
    """Hold a row to the contract; in a tensor all of its values have the type of the graph's input."""
    assert all(type(value) in (int, float) and math.isfinite(value) for value in (a, b, c))
    assert -5 <= a <= 5
    assert is_tensor or (b == int(b) and -(2**15) <= b < 2**15)


def table(rows: list[Any]) -> Rows:
    for row in rows:
        assert set(row) == set(NAMES) if isinstance(row, dict) else len(row) == 3
    return [[row[name] for name in NAMES] if isinstance(row, dict) else row for row in rows]


def scoring_table(document: dict[str, Any]) -> Rows:
    ((name, value),) = document.items()
    if name == "dataframe_split":
        assert sorted(value["columns"]) == NAMES
        return table([dict(zip(value["columns"], row, strict=True)) for row in value["data"]])
    if isinstance(value, dict):
        assert sorted(value) == NAMES
        return table([list(row) for row in zip(*(value[column] for column in NAMES), strict=True)])
    return table(value)


def tensor_table(document: dict[str, Any]) -> Rows:
    (tensor,) = document["inputs"]
    data = tensor["data"]
    flat = [cell for row in data for cell in row] if isinstance(data[0], list) else data
    assert tensor["datatype"] == "FP32"
    n, width = tensor["shape"]
    assert (width, len(flat)) == (3, 3 * n)
    return [flat[3 * i : 3 * i + 3] for i in range(n)]


SIZE = 300_000
HUGE = b'{"inputs":[{"name":"X","shape":%b,"datatype":"%b","parameters":{"binary_data_size":%d}}]}'


def behind(json_text: bytes, raw: bytes = b"") -> tuple[bytes, int]:
    return json_text + raw, len(json_text)


@pytest.mark.parametrize(
    ("decode", "arguments"),
    [
        pytest.param(LONG.plain.decode, (b'{"instances":' + b"[" * SIZE,), id="open brackets"),
        pytest.param(LONG.plain.decode, (b'{"instances":[' + b"[]," * SIZE + b"[]]}",), id="many empty rows"),
        pytest.param(LONG.plain.decode, (b'{"instances":[' + b"{}," * SIZE + b"{}]}",), id="many empty objects"),
        pytest.param(LONG.plain.decode, (b'{"instances":[[' + b"1," * SIZE + b"1]]}",), id="a long row"),
        pytest.param(LONG.plain.decode, (b'{"instances":[[1,1,1' + b"0" * SIZE + b"]]}",), id="a long number"),
        pytest.param(LONG.plain.decode, (b'{"instances":[' + b"1," * SIZE + b"1]}",), id="numbers for rows"),
        pytest.param(LONG.plain.decode, (b'{"' + b"\\u00e9" * SIZE + b'":1}',), id="a long name"),
        pytest.param(LONG.plain.decode, (b'{"instances":[{' + b'"x":1,' * SIZE + b'"x":1}]}',), id="many unknown"),
        pytest.param(LONG.mlflow.decode, (b'{"inputs":{"a":[' + b"1," * SIZE + b"1]}}",), id="a long column"),
        pytest.param(
            LONG.mlflow.decode, (b'{"dataframe_split":{"columns":[],"data":[' + b"[]," * SIZE + b"[]]}}",), id="split"
        ),
        pytest.param(LONG.v2.decode, (b'{"inputs":[' + b"{}," * SIZE + b"{}]}",), id="many tensors"),
        pytest.param(LONG.v2.decode, (b'{"inputs":[],"outputs":[' + b'{"name":"y"},' * SIZE + b"{}]}",), id="outputs"),
        pytest.param(LONG_IMAGE.v2.decode, behind(HUGE % (b"[9223372036854775807,2]", b"FP32", 0)), id="a huge shape"),
        pytest.param(LONG_IMAGE.v2.decode, behind(HUGE % (b"[0,2]", b"FP32", 0)), id="no rows"),
        pytest.param(
            LONG_IMAGE.v2.decode, behind(HUGE % (b"[1,2]", b"FP32", 2**62)), id="a huge size"
        ),
        pytest.param(
            LONG_WORDS.v2.decode, behind(HUGE % (b"[4611686018427387904]", b"BYTES", 8), b"\0" * 8), id="many strings"
        ),
        pytest.param(
            LONG_WORDS.v2.decode, behind(HUGE % (b"[1]", b"BYTES", 8), b"\xff" * 8), id="a long string"
        ),
        pytest.param(LONG_WORDS.v2.decode, behind(HUGE % (b"[" + b"1," * SIZE + b"1]", b"BYTES", 0)), id="deep"),
    ],
)  # fmt: skip
def test_a_hostile_body_takes_no_more_memory_than_its_length_times_a_constant(
    decode: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    tracemalloc.start()
    try:
        with suppress(RequestInvalid):
            decode(*arguments)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100_000 + 60 * len(arguments[0])
