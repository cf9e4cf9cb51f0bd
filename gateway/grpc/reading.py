"""Requests as protobuf carries them: tensors for the codec, parameters as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import service_pb2

from gateway.codec.binary import tensor_from
from gateway.codec.tensors import GivenTensor, TensorRequest
from gateway.errors import BodyMalformed

__all__ = ["parse_request", "plain_parameters", "read_request"]

_CONTENTS = {
    "bool": "bool_contents", "int8": "int_contents", "int16": "int_contents", "int32": "int_contents",
    "int64": "int64_contents", "uint8": "uint_contents", "uint16": "uint_contents", "uint32": "uint_contents",
    "uint64": "uint64_contents", "float32": "fp32_contents", "float64": "fp64_contents", "string": "bytes_contents",
}  # fmt: skip
_NOT_OFFERED = ("shared_memory_region", "classification")


def parse_request(encoded: bytes) -> TensorRequest:
    """Return the request that these bytes are, in a process that did not receive it itself.

    Raises
    ------
    gateway.errors.BodyMalformed, google.protobuf.message.DecodeError
    """
    return read_request(service_pb2.ModelInferRequest.FromString(encoded))


def read_request(request: Any) -> TensorRequest:
    """Return an inference request's tensors for the codec. What they hold is read when the version is known.

    Parameters
    ----------
    request
        A ``ModelInferRequest``.

    Raises
    ------
    gateway.errors.BodyMalformed
        Values come in two ways at once, or the request asks for what is not offered.
    """
    _check_offered((*request.inputs, *request.outputs))
    names = tuple(output.name for output in request.outputs)
    return TensorRequest(_given(request), names, request.id or None, request.SerializeToString)


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by name as plain values; one without a value is ``None``."""
    return {name: _chosen(parameter) for name, parameter in parameters.items()}


def _chosen(parameter: Any) -> Any:
    choice = parameter.WhichOneof("parameter_choice")
    return None if choice is None else getattr(parameter, choice)


def _check_offered(tensors: Iterable[Any]) -> None:
    """Refuse what would be answered wrongly, not only slowly, if it were ignored."""
    for tensor in tensors:
        for name in _NOT_OFFERED:
            if name in tensor.parameters:
                raise BodyMalformed(f"tensor {tensor.name!r}: parameter {name!r} is not offered here")


def _given(request: Any) -> list[GivenTensor]:
    inputs, raw = request.inputs, request.raw_input_contents
    if not raw:
        return [GivenTensor(t.name, t.datatype, tuple(t.shape), partial(_listed, t.contents)) for t in inputs]
    if len(raw) != len(inputs):
        raise BodyMalformed(f"{len(inputs)} inputs have {len(raw)} raw_input_contents; send one for each, in order")
    if any(tensor.HasField("contents") for tensor in inputs):
        raise BodyMalformed("send either contents or raw_input_contents, not both")
    return [
        GivenTensor(t.name, t.datatype, tuple(t.shape), partial(tensor_from, memoryview(data)))
        for t, data in zip(inputs, raw, strict=True)
    ]


def _listed(contents: Any, dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
    """Return the values of a tensor that lists them one by one."""
    name = _CONTENTS.get(dtype)
    if name is None:
        raise ValueError("this datatype has no contents of its own; send raw_input_contents")
    if others := {field.name for field, _ in contents.ListFields()} - {name}:
        raise ValueError(f"its values belong into {name}, found {sorted(others)}")
    values = getattr(contents, name)
    if len(values) != math.prod(shape):  # before a loop over values, not after
        raise ValueError(f"{len(values)} values for shape {list(shape)}")
    if dtype == "string":
        return np.array([str(value, "utf-8") for value in values], np.object_)
    return np.fromiter(values, dtype, len(values))
