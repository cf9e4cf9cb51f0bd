"""Tensors as raw bytes: every datatype there and back, nothing copied without need, nothing accepted that lies."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gateway.codec.binary import raw_bytes, tensor_from
from gateway.codec.v2 import DATATYPES
from gateway.contract import Feature
from gateway.errors import BodyMalformed, BodyTooLarge, InputRejected, RequestInvalid
from gateway.types import TensorSpec
from tests.codec.contracts import Codec, TensorCodec, infer, tensor

MATRIX = Codec(Feature("a", "float32"), Feature("b", "float32", missing="impute", fill=7.0))
X_ND = np.array([[1, 2], [3, 4]], np.float32)


def described(name: str, datatype: str, shape: list[int], size: Any) -> dict[str, Any]:
    """Return an input whose bytes stand behind the JSON."""
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def x(array: npt.NDArray[Any] = X_ND) -> tuple[dict[str, Any], bytes]:
    """Return the input X and its bytes."""
    return described("X", "FP32", list(array.shape), array.nbytes), array.tobytes()


def decode(codec: Codec | TensorCodec, *inputs: tuple[dict[str, Any], bytes], **more: Any) -> Any:
    """Decode inputs whose bytes follow their JSON."""
    head = infer(*(tensor for tensor, _ in inputs), **more)
    return codec.v2.decode(head + b"".join(raw for _, raw in inputs), len(head))


def refusal(codec: Codec | TensorCodec, *inputs: tuple[dict[str, Any], bytes]) -> str:
    with pytest.raises(BodyMalformed) as caught:
        decode(codec, *inputs)
    return str(caught.value)


def test_raw_bytes_are_the_rows() -> None:
    decoded = decode(MATRIX, x())
    assert (decoded.n, decoded.feeds["X"].tolist()) == (2, X_ND.tolist())
    assert decoded.values_nd.tolist() == X_ND.tolist()


@pytest.mark.parametrize("padding", range(4))
def test_bytes_are_copied_only_where_they_begin_at_an_odd_place(padding: int) -> None:
    raw = memoryview(b" " * padding + X_ND.tobytes())[padding:]
    array = tensor_from(raw, "float32", [2, 2])
    assert np.shares_memory(array, np.frombuffer(raw, np.uint8)) == (padding == 0)
    assert array.flags.aligned


@pytest.mark.parametrize("dtype", [dtype for dtype in DATATYPES.values() if dtype != "string"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_every_number_comes_back_as_it_went(dtype: str, data: st.DataObject) -> None:
    array = data.draw(arrays.arrays(np.dtype(dtype), arrays.array_shapes(max_dims=3, max_side=4)))
    back = tensor_from(memoryview(bytes(raw_bytes(array))), dtype, array.shape)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(strings=st.lists(st.text(max_size=5), max_size=6))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_every_string_comes_back_as_it_went(strings: list[str]) -> None:
    raw = raw_bytes(np.array(strings, object))
    assert tensor_from(memoryview(raw), "string", [len(strings)]).tolist() == strings


@given(raw=st.binary(max_size=24), count=st.integers(0, 5))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_bytes_are_strings_or_refused(raw: bytes, count: int) -> None:
    try:
        array = tensor_from(memoryview(raw), "string", [count])
    except ValueError:
        return
    assert raw_bytes(array) == raw


@given(raw=st.binary(max_size=40), size=st.integers(-2, 20) | st.none(), json_bytes=st.integers(0, 200) | st.none())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_bytes_behind_the_json_are_decoded_or_refused(raw: bytes, size: Any, json_bytes: int | None) -> None:
    head = infer(described("X", "FP32", [2, 2], size))
    try:
        decoded = MATRIX.v2.decode(head + raw, len(head) if json_bytes is None else json_bytes)
    except RequestInvalid:
        return
    assert np.isfinite(decoded.feeds["X"]).all()


@pytest.mark.parametrize(
    ("spec", "raw", "text"),
    [
        pytest.param(described("X", "FP32", [2, 2], 12), X_ND.tobytes()[:12], "12 bytes for 4 values", id="too few"),
        pytest.param(described("X", "FP32", [1, 2], 16), X_ND.tobytes(), "16 bytes for 2 values", id="too many"),
        pytest.param(described("X", "FP32", [2, 2], 16), X_ND.tobytes()[:15], "has 15 bytes left", id="truncated"),
        pytest.param(described("X", "FP32", [2, 2], 16), X_ND.tobytes() + b"x", "1 bytes that no", id="trailing"),
        pytest.param(described("X", "FP32", [2, 2], -16), X_ND.tobytes(), "a number of bytes", id="negative"),
        pytest.param(described("X", "FP32", [2, 2], True), X_ND.tobytes(), "a number of bytes", id="no number"),
        pytest.param(described("X", "FP32", [-2, -2], 16), X_ND.tobytes(), "has shape", id="negative axes"),
        pytest.param(described("X", "FP32", [2**31, 2], 16), X_ND.tobytes(), "at most 50 rows", id="overflow"),
        pytest.param(described("X", "FP64", [2, 2], 16), X_ND.tobytes(), "has datatype FP32", id="datatype"),
        pytest.param(described("X", "FP32", [2, 2], 16) | {"data": [1]}, X_ND.tobytes(), "not both", id="both"),
    ],
)
def test_sizes_that_do_not_agree_are_refused(spec: dict[str, Any], raw: bytes, text: str) -> None:
    with pytest.raises((BodyMalformed, BodyTooLarge), match=text):
        decode(MATRIX, (spec, raw))


def test_json_longer_than_the_body_is_refused() -> None:
    head = infer(described("X", "FP32", [2, 2], 16))
    with pytest.raises(BodyMalformed, match="Inference-Header-Content-Length is 9999"):
        MATRIX.v2.decode(head + X_ND.tobytes(), 9999)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x01\x00\x00", "3 bytes for 1 strings"),
        (b"\x05\x00\x00\x00abc", "string 0 has 5 bytes, 3 are left"),
        (b"\xff\xff\xff\xff", "string 0 has 4294967295 bytes"),
        (b"\x01\x00\x00\x00ab", "1 bytes after the last string"),
        (b"\x01\x00\x00\x00\xff", "utf-8"),
    ],
)
def test_strings_that_do_not_add_up_are_refused(raw: bytes, text: str) -> None:
    codec = TensorCodec(TensorSpec("t", "string", (-1,)))
    assert text in refusal(codec, (described("t", "BYTES", [1], len(raw)), raw))


def test_a_truth_value_is_zero_or_one() -> None:
    codec = TensorCodec(TensorSpec("t", "bool", (-1,)))
    assert decode(codec, (described("t", "BOOL", [2], 2), b"\x00\x01")).feeds["t"].tolist() == [False, True]
    assert "neither 0 nor 1" in refusal(codec, (described("t", "BOOL", [2], 2), b"\x00\x02"))


def test_not_a_number_is_a_missing_value() -> None:
    decoded = decode(MATRIX, x(np.array([[1, np.nan], [2, 3]], np.float32)))
    assert decoded.feeds["X"].tolist() == [[1, 7], [2, 3]]
    assert np.isnan(decoded.values_nd[0, 1])
    assert decoded.faults == ((1, "missing", 1),)
    with pytest.raises(InputRejected) as caught:
        decode(MATRIX, x(np.array([[np.nan, np.nan]], np.float32)))
    assert [(fault.pointer, fault.kind) for fault in caught.value.faults] == [("/inputs/0/data/0", "missing")]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_no_value_of_a_feature(value: float) -> None:
    with pytest.raises(InputRejected) as caught:
        decode(MATRIX, x(np.array([[1, value]], np.float32)))
    assert [(fault.pointer, fault.kind) for fault in caught.value.faults] == [("/inputs/0/data/1", "wrong_type")]


def test_raw_and_json_tensors_may_stand_side_by_side() -> None:
    codec = Codec(Feature("size", "string"), Feature("w", "float64", missing="flag"), layout="columns")
    w = np.array([[1.5], [np.nan]])
    inputs = [(described("w", "FP64", [2, 1], 16), w.tobytes()), (tensor("size", "BYTES", [2, 1], ["s", "l"]), b"")]
    decoded = decode(codec, *inputs)
    assert decoded.feeds["size"].ravel().tolist() == ["s", "l"]
    np.testing.assert_array_equal(decoded.feeds["w"], w)


@pytest.mark.parametrize(
    ("outputs", "parameters", "expected"),
    [
        pytest.param(None, {}, set(), id="nothing said"),
        pytest.param(None, {"binary_data_output": True}, {"label", "probabilities"}, id="all of them"),
        pytest.param([("label", None)], {"binary_data_output": True}, {"label"}, id="all that are wanted"),
        pytest.param([("label", False)], {"binary_data_output": True}, set(), id="an output's own wish wins"),
        pytest.param([("label", True), ("probabilities", None)], {}, {"label"}, id="one of two"),
    ],
)
def test_who_asks_for_raw_outputs_is_known(outputs: Any, parameters: dict[str, Any], expected: set[str]) -> None:
    wanted = outputs and [
        {"name": name} | ({} if is_raw is None else {"parameters": {"binary_data": is_raw}}) for name, is_raw in outputs
    ]
    more = {"outputs": wanted} if wanted else {}
    assert decode(MATRIX, x(), parameters=parameters, **more).binary == expected


def test_a_wish_is_true_or_false() -> None:
    with pytest.raises(BodyMalformed, match="'binary_data_output' must be true or false"):
        decode(MATRIX, x(), parameters={"binary_data_output": 1})


def test_what_lies_scattered_in_memory_leaves_row_by_row() -> None:
    assert bytes(raw_bytes(np.array([[1, 2], [3, 4]], np.uint8).T)) == b"\x01\x03\x02\x04"
