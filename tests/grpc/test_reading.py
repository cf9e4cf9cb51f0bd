"""Tensors out of protobuf: every datatype both ways, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from gateway.codec.binary import raw_bytes
from gateway.codec.decoders import Decoders
from gateway.codec.tensors import DATATYPES
from gateway.contract import Contract, Feature, OutputBinding
from gateway.errors import BodyMalformed, BodyTooLarge, InputRejected
from gateway.grpc.reading import parse_request, plain_parameters, read_request
from gateway.types import TensorSpec
from tests.codec.contracts import LIMITS, NAMES

VALUES: dict[str, list[Any]] = {
    "bool": [True, False],
    "int8": [-128, 127],
    "int16": [-(2**15), 2**15 - 1],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint16": [0, 2**16 - 1],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, 2**64 - 1],
    "float16": [0.5, -2.0],
    "float32": [0.5, -2.0],
    "float64": [1e300, 0.1],
    "string": ["", "ä\u0000"],
}
FIELDS = {
    "bool": "bool", "int8": "int", "int16": "int", "int32": "int", "int64": "int64", "uint8": "uint",
    "uint16": "uint", "uint32": "uint", "uint64": "uint64", "float32": "fp32", "float64": "fp64", "string": "bytes",
}  # fmt: skip


def decoders(dtype: str = "float32", shape: tuple[int, ...] = (-1, 2)) -> Decoders:
    """Return the decoders of a model with one tensor ``t``."""
    contract = Contract("tensors", (), OutputBinding())
    return Decoders(contract, {"t": TensorSpec("t", dtype, shape)}, ("y",), LIMITS, names=NAMES, ranks={})


def message(dtype: str, shape: list[int], *, raw: bytes | None = None, **contents: Any) -> Any:
    names = {known: name for name, known in DATATYPES.items()}
    tensor: dict[str, Any] = {"name": "t", "datatype": names[dtype], "shape": shape}
    if contents:
        tensor["contents"] = contents
    return service_pb2.ModelInferRequest(inputs=[tensor], raw_input_contents=[] if raw is None else [raw])


def decoded(dtype: str, request: Any, shape: tuple[int, ...] = (-1, 2)) -> Any:
    return decoders(dtype, shape).decode("grpc", read_request(request))


def refused(request: Any, dtype: str = "float32") -> str:
    with pytest.raises(BodyMalformed) as caught:
        decoded(dtype, request)
    return str(caught.value)


@pytest.mark.parametrize("dtype", DATATYPES.values())
def test_every_datatype_is_read_as_raw_bytes(dtype: str) -> None:
    array = np.array([VALUES[dtype]], object if dtype == "string" else dtype)
    found = decoded(dtype, message(dtype, [1, 2], raw=bytes(raw_bytes(array))))
    assert (found.n, found.feeds["t"].dtype, found.feeds["t"].tolist()) == (1, array.dtype, array.tolist())


@pytest.mark.parametrize("dtype", FIELDS)
def test_every_datatype_but_one_is_read_from_a_list(dtype: str) -> None:
    values = [value.encode() if isinstance(value, str) else value for value in VALUES[dtype]]
    contents: dict[str, Any] = {f"{FIELDS[dtype]}_contents": values}
    found = decoded(dtype, message(dtype, [1, 2], **contents))
    assert found.feeds["t"].tolist() == [VALUES[dtype]]
    assert found.feeds["t"].dtype.name == ("object" if dtype == "string" else dtype)


@pytest.mark.parametrize(
    ("dtype", "contents", "words"),
    [
        ("float16", {"fp32_contents": [1, 2]}, "send raw_input_contents"),
        ("float32", {"fp64_contents": [1, 2]}, "belong into fp32_contents, found ['fp64_contents']"),
        ("float32", {"fp32_contents": [1, 2], "int_contents": [1]}, "belong into fp32_contents"),
        ("float32", {"fp32_contents": [1]}, "1 values for shape [1, 2]"),
        ("float32", {}, "0 values for shape [1, 2]"),
        ("int8", {"int_contents": [128, 0]}, "out of bounds for int8"),
        ("uint16", {"uint_contents": [2**16, 0]}, "out of bounds for uint16"),
        ("string", {"bytes_contents": [b"\xff", b""]}, "can't decode"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(dtype: str, contents: dict[str, Any], words: str) -> None:
    assert words in refused(message(dtype, [1, 2], **contents), dtype)


@pytest.mark.parametrize(
    ("request_message", "words"),
    [
        (message("float32", [1, 2], raw=bytes(7)), "7 bytes for 2 values"),
        (message("float32", [1, 3], raw=bytes(12)), "has shape [-1, 2], found [1, 3]"),
        (message("float32", [-1, 2], raw=b""), "found [-1, 2]"),
        (message("float64", [1, 2], raw=bytes(16)), "has datatype FP32, found 'FP64'"),
        (message("float32", [1, 2], raw=bytes(8), fp32_contents=[1, 2]), "either contents or raw_input_contents"),
        (message("float32", [0, 2], raw=b""), "empty"),
        (service_pb2.ModelInferRequest(), "missing inputs ['t']"),
        (service_pb2.ModelInferRequest(raw_input_contents=[b""]), "0 inputs have 1 raw_input_contents"),
        (service_pb2.ModelInferRequest(inputs=[{"name": "u"}]), "unknown inputs ['u']"),
        (service_pb2.ModelInferRequest(inputs=[{"name": "t"}] * 2), "given twice"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(request_message: Any, words: str) -> None:
    assert words in refused(request_message)


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize("name", ["shared_memory_region", "classification"])
def test_what_would_be_answered_wrongly_is_refused(side: str, name: str) -> None:
    request = message("float32", [1, 2], raw=bytes(8))
    getattr(request, side).add(name="t").parameters[name].string_param = "r"
    with pytest.raises(BodyMalformed, match=f"'{name}' is not offered"):
        read_request(request)


def test_rows_are_limited_before_anything_is_read() -> None:
    with pytest.raises(BodyTooLarge, match="at most 50 rows"):
        decoded("string", message("string", [10**9, 2], raw=b""))


def test_id_and_wanted_outputs_come_along() -> None:
    request = message("float32", [1, 2], raw=bytes(8))
    assert decoded("float32", request).echo_id is None
    request.id = "r-1"
    request.outputs.add(name="y")
    found = decoded("float32", request)
    assert (found.echo_id, found.requested) == ("r-1", ("y",))
    request.outputs.add(name="z")
    assert "unknown outputs ['z']" in refused(request)


def test_values_are_held_to_the_contract_and_nan_is_missing() -> None:
    features = (Feature("a", "float32", maximum=5.0, out_of_range="reject"), Feature("b", "float32", missing="flag"))
    contract = Contract("matrix", features, OutputBinding(), "t")
    ranks = {"a": 2, "b": 2}
    reader = Decoders(contract, {"t": TensorSpec("t", "float32", (-1, 2))}, (), LIMITS, names=NAMES, ranks=ranks)

    def given(*values: float) -> Any:
        return read_request(message("float32", [1, 2], fp32_contents=values))

    assert reader.decode("grpc", given(1.0, float("nan"))).faults == ((1, "missing", 1),)
    for value in (7.0, float("inf")):
        with pytest.raises(InputRejected) as caught:
            reader.decode("grpc", given(value, 1.0))
        assert [fault.pointer for fault in caught.value.faults] == ["/inputs/0/data/0"]


def test_a_request_can_be_passed_on_as_bytes() -> None:
    passed = parse_request(read_request(message("float32", [1, 2], fp32_contents=[1, 2])).encode())
    assert decoders().decode("grpc", passed).feeds["t"].tolist() == [[1.0, 2.0]]


def test_parameters_become_plain_values() -> None:
    given = {
        "a": {"int64_param": -1}, "b": {"uint64_param": 2}, "c": {"string_param": "x"},
        "d": {"bool_param": False}, "e": {"double_param": 0.5}, "f": {},
    }  # fmt: skip
    request = service_pb2.ModelInferRequest(parameters=given)
    assert plain_parameters(request.parameters) == {"a": -1, "b": 2, "c": "x", "d": False, "e": 0.5, "f": None}
