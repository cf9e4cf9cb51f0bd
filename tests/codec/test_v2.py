"""The Open Inference Protocol with JSON tensors: what fits, and what is refused."""

from typing import Any

import pytest

from gateway.codec.v2 import DATATYPES, datatype_of
from gateway.contract import Feature
from gateway.errors import BodyMalformed, BodyTooLarge
from gateway.types import TensorSpec
from tests.codec.contracts import Codec, TensorCodec, infer, tensor

MATRIX = Codec(Feature("a", "float32"), Feature("b", "float32"))
COLUMNS = Codec(Feature("size", "string"), Feature("w", "float32"), layout="columns")
ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def refusal(codec: Codec | TensorCodec, raw: bytes) -> str:
    with pytest.raises(BodyMalformed) as caught:
        codec.v2.decode(raw)
    return str(caught.value)


@pytest.mark.parametrize("data", [ROWS, [1, 2, 3, 4, 5, 6]], ids=["nested", "flat"])
def test_data_may_be_nested_or_flat(data: Any) -> None:
    decoded = MATRIX.v2.decode(infer(tensor("X", "FP32", [3, 2], data)))
    assert (decoded.n, decoded.feeds["X"].dtype.name, decoded.feeds["X"].tolist()) == (3, "float32", ROWS)
    assert decoded.values_nd is not None
    assert decoded.values_nd.tolist() == ROWS


@pytest.mark.parametrize(
    ("dtype", "datatype", "data"),
    [
        ("bool", "BOOL", [True, False]),
        ("int64", "INT64", [2**63 - 1, -(2**63)]),
        ("uint8", "UINT8", [0, 255]),
        ("uint64", "UINT64", [2**64 - 1, 0]),
        ("float16", "FP16", [0.5, 1.0]),
        ("float64", "FP64", [1e300, 0.1]),
        ("string", "BYTES", ["", "ä\u0000"]),
    ],
)
def test_every_datatype_is_read(dtype: str, datatype: str, data: list[Any]) -> None:
    codec = TensorCodec(TensorSpec("t", dtype, (-1, -1)))
    decoded = codec.v2.decode(infer(tensor("t", datatype, [1, 2], data)))
    assert decoded.feeds["t"].tolist() == [data]
    assert decoded.feeds["t"].dtype.name == ("object" if dtype == "string" else dtype)


@pytest.mark.parametrize("rank", [1, 2])
def test_columns_come_as_an_input_each(rank: int) -> None:
    codec = Codec(
        Feature("size", "string", categories=("s", "l")), Feature("w", "float32"), layout="columns", rank=rank
    )
    shape = [2, 1][:rank]
    decoded = codec.v2.decode(infer(tensor("w", "FP32", shape, [1, 2]), tensor("size", "BYTES", shape, ["l", "x"])))
    assert {name: feed.shape for name, feed in decoded.feeds.items()} == {"size": tuple(shape), "w": tuple(shape)}
    assert decoded.values_nd is not None
    assert decoded.values_nd.tolist() == [[1, 1], [-1, 2]]
    assert decoded.faults == ((0, "unseen", 1),)


@pytest.mark.parametrize(
    ("request_tensor", "text"),
    [
        pytest.param(tensor("X", "FP64", [1, 2], [1, 2]), "has datatype FP32, found 'FP64'", id="datatype"),
        pytest.param(tensor("X", "fp32", [1, 2], [1, 2]), "found 'fp32'", id="lower case"),
        pytest.param(tensor("X", "FP32", [1, 3], [1, 2, 3]), r"has shape \[-1, 2\], found \[1, 3\]", id="width"),
        pytest.param(tensor("X", "FP32", [2], [1, 2]), "has shape", id="rank"),
        pytest.param(tensor("X", "FP32", [-1, 2], [1, 2]), "has shape", id="negative"),
        pytest.param(tensor("X", "FP32", [-1, -2], [1, 2]), "has shape", id="two negative"),
        pytest.param(tensor("X", "FP32", [2, 2], [1, 2]), r"2 values for shape \[2, 2\]", id="too few"),
        pytest.param(tensor("X", "FP32", [1, 2], [[1, 2], [3, 4]]), "4 values for shape", id="too many"),
        pytest.param(tensor("X", "FP32", [2, 2], [[1, 2], [3]]), "data does not fit", id="ragged"),
        pytest.param(tensor("X", "FP32", [1, 2], ["1", "2"]), "data does not fit", id="strings for numbers"),
        pytest.param(tensor("X", "FP32", [1, 2], [True, False]), "data does not fit", id="booleans for numbers"),
        pytest.param(tensor("X", "FP32", [1, 2], [None, 1]), "data does not fit", id="null"),
        pytest.param(tensor("X", "FP32", [1, 2], None), "data does not fit", id="no data"),
        pytest.param(tensor("X", "FP32", [1, 2], {"0": 1}), "data does not fit", id="an object"),
        pytest.param(tensor("X", "FP32", [1, 2], [1e300, 1]), "data does not fit", id="too large"),
        pytest.param(tensor("X", "FP32", [1, 2], [[[1, 2]]]), "data does not fit", id="too deep"),
        pytest.param(tensor("Y", "FP32", [1, 2], [1, 2]), r"unknown inputs \['Y'\]; this model has \['X'\]", id="name"),
        pytest.param(
            {"name": "X", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
            "needs the header Inference-Header-Content-Length",
            id="raw without its header",
        ),
        pytest.param(
            {"name": "X", "datatype": "FP32", "shape": [1, 2]}, "neither 'data' nor 'binary_data_size'", id="nothing"
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(request_tensor: dict[str, Any], text: str) -> None:
    with pytest.raises(BodyMalformed, match=text):
        MATRIX.v2.decode(infer(request_tensor))


@pytest.mark.parametrize(
    ("datatype", "dtype", "data"),
    [
        ("INT8", "int8", [128]),
        ("UINT8", "uint8", [-1]),
        ("INT64", "int64", [2**63]),
        ("INT64", "int64", [1.5]),
        ("INT64", "int64", ["1"]),
        ("BOOL", "bool", [1]),
        ("BYTES", "string", [1]),
        ("FP16", "float16", [1e5]),
    ],
)
def test_values_outside_their_datatype_are_refused(datatype: str, dtype: str, data: list[Any]) -> None:
    codec = TensorCodec(TensorSpec("t", dtype, (-1,)))
    assert "data does not fit" in refusal(codec, infer(tensor("t", datatype, [1], data)))


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"1e999"])
def test_numbers_that_are_none_are_refused(literal: bytes) -> None:
    raw = infer(tensor("X", "FP32", [1, 2], [0.125, 1])).replace(b"0.125", literal)
    refusal(MATRIX, raw)


def test_inputs_must_be_complete_once_each_and_of_one_length() -> None:
    size, w = tensor("size", "BYTES", [1, 1], ["s"]), tensor("w", "FP32", [1, 1], [1])
    assert COLUMNS.v2.decode(infer(w, size)).n == 1
    assert refusal(COLUMNS, infer(w)) == "missing inputs ['size']"
    assert refusal(COLUMNS, infer(w, w, size)) == "an input is given twice"
    two = tensor("w", "FP32", [2, 1], [1, 2])
    assert "same first dimension, found [1, 2]" in refusal(COLUMNS, infer(size, two))


def test_the_batch_is_not_empty_and_not_above_the_limit() -> None:
    assert "empty" in refusal(MATRIX, infer(tensor("X", "FP32", [0, 2], [])))
    with pytest.raises(BodyTooLarge, match="at most 50 rows"):
        MATRIX.v2.decode(infer(tensor("X", "FP32", [51, 2], [0] * 102)))
    with pytest.raises(BodyTooLarge, match="at most 50 rows"):
        MATRIX.v2.decode(infer(tensor("X", "FP32", [10**18, 2], [1, 2])))


def test_a_scalar_input_is_one_row() -> None:
    codec = TensorCodec(TensorSpec("t", "float32", ()))
    decoded = codec.v2.decode(infer(tensor("t", "FP32", [], [1.5])))
    assert (decoded.n, decoded.feeds["t"].shape) == (1, ())


def test_inputs_of_tensors_may_have_lengths_of_their_own() -> None:
    codec = TensorCodec(TensorSpec("a", "float32", (-1, 2)), TensorSpec("b", "float32", (-1,)))
    decoded = codec.v2.decode(infer(tensor("a", "FP32", [3, 2], ROWS), tensor("b", "FP32", [1], [1])))
    assert decoded.n == 3


def test_the_id_is_given_back_and_the_wanted_outputs_are_known() -> None:
    x = tensor("X", "FP32", [1, 2], [1, 2])
    decoded = MATRIX.v2.decode(infer(x, id="r-1", outputs=[{"name": "label", "parameters": {"binary_data": False}}]))
    assert (decoded.echo_id, decoded.requested) == ("r-1", ("label",))
    plain = MATRIX.v2.decode(infer(x, parameters={"sequence": 1}))
    assert (plain.echo_id, plain.requested) == (None, ())
    assert "unknown outputs ['y']" in refusal(MATRIX, infer(x, outputs=[{"name": "y"}]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"inputs": {}}',
        b'{"inputs": [{"name": "X"}]}',
        b'{"inputs": "\xff"}',
        b'{"id": "\xff", "inputs": []}',
        b'{"inputs": []} x',
        b'{"inputs": [{"name": "X", "shape": [1.5, 2], "datatype": "FP32", "data": [1, 2]}]}',
        b'{"inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": ["\xff", 2]}]}',
    ],
)
def test_what_is_no_inference_request_is_refused(raw: bytes) -> None:
    refusal(MATRIX, raw)


@pytest.mark.parametrize("mark", [b"[", b'{"a":'], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", [33, 100_000])
@pytest.mark.parametrize(
    "where", [b'{"inputs": ', b'{"inputs": [], "parameters": {"x": '], ids=["inputs", "parameters"]
)
def test_deep_nesting_is_refused_and_never_crashes(mark: bytes, depth: int, where: bytes) -> None:
    with pytest.raises(BodyTooLarge, match="levels of nesting"):
        MATRIX.v2.decode(where + mark * depth)


def test_every_dtype_has_its_datatype() -> None:
    assert {datatype_of(dtype): dtype for dtype in DATATYPES.values()} == DATATYPES
    assert datatype_of("map") == "FP32"
