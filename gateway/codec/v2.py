"""The Open Inference Protocol, version 2, REST with JSON tensors.

The protocol is the one published by the KServe community; ``data`` may come nested or flat in row-major order.
Pointers in errors count as if it were flat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.diagnose import diagnose_tensors, pointer
from gateway.codec.limits import check_depth, check_rows
from gateway.codec.rows import RowGatherer, nested_type
from gateway.contract import Contract
from gateway.errors import BodyMalformed
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = ["DATATYPES", "V2Decoder", "datatype_of", "encode_outputs"]

DATATYPES: dict[str, str] = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "string",
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_MAX_RANK = 8


class _Input(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw
    parameters: dict[str, Any] | None = None


class _RequestedOutput(msgspec.Struct, gc=False):
    name: str
    parameters: dict[str, Any] | None = None


class _InferRequest(msgspec.Struct, gc=False):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_RequestedOutput] | None = None


_decode_request = msgspec.json.Decoder(_InferRequest).decode
_encode = msgspec.json.Encoder().encode


def datatype_of(dtype: str) -> str:
    """Return the protocol's name of a numpy dtype; a ZipMap is a matrix of FP32."""
    return _NAMES.get(dtype, "FP32" if dtype == "map" else "BYTES")


class V2Decoder:
    """Decode the protocol's requests for one version. Loop-safe, no state."""

    def __init__(
        self,
        contract: Contract,
        inputs: Mapping[str, TensorSpec],
        output_names: tuple[str, ...],
        limits: LimitSettings,
        *,
        names: tuple[str, str],
        ranks: Mapping[str, int],
    ) -> None:
        self._contract, self._inputs, self._limits, self._names = contract, inputs, limits, names
        self._outputs = frozenset(output_names)
        dtype = inputs[contract.input_name].dtype if contract.layout == "matrix" else "float32"
        self._gatherer = None if contract.layout == "tensors" else RowGatherer(contract, ranks, dtype)

    def decode(self, body: bytes) -> Decoded:
        """Return the request's tensors as graph inputs.

        Raises
        ------
        gateway.errors.RequestInvalid
            The body is not the protocol's, a tensor does not fit, or values break the contract.
        """
        request = self._parse(body)
        given = self._by_name(request)
        feeds = {name: self._tensor(tensor) for name, tensor in given.items()}
        rows = {len(value) if value.ndim else 1 for value in feeds.values()}
        if len(rows) > 1 and self._contract.layout == "columns":
            raise BodyMalformed(f"all inputs must have the same first dimension, found {sorted(rows)}")
        n = max(rows, default=0)
        check_rows(n, self._limits.rows)
        decoded = self._judged(feeds, n, list(given))
        decoded.echo_id = request.id
        decoded.requested = self._requested(request)
        return decoded

    def _parse(self, body: bytes) -> _InferRequest:
        check_depth(body, self._limits.depth)
        try:
            return _decode_request(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
            raise BodyMalformed(f"not an inference request: {exc}") from exc

    def _by_name(self, request: _InferRequest) -> dict[str, _Input]:
        given = {tensor.name: tensor for tensor in request.inputs}
        if len(given) != len(request.inputs):
            raise BodyMalformed("an input is given twice")
        if unknown := given.keys() - self._inputs.keys():
            raise BodyMalformed(f"unknown inputs {sorted(unknown)}; this model has {sorted(self._inputs)}")
        if absent := self._inputs.keys() - given.keys():
            raise BodyMalformed(f"missing inputs {sorted(absent)}")
        return given

    def _requested(self, request: _InferRequest) -> tuple[str, ...]:
        wanted = tuple(output.name for output in request.outputs or ())
        if unknown := set(wanted) - self._outputs:
            raise BodyMalformed(f"unknown outputs {sorted(unknown)}; this model has {sorted(self._outputs)}")
        return wanted

    def _tensor(self, given: _Input) -> npt.NDArray[Any]:
        spec = self._inputs[given.name]
        expected = datatype_of(spec.dtype)
        if given.datatype != expected:
            raise BodyMalformed(f"input {given.name!r} has datatype {expected}, found {given.datatype!r}")
        if given.parameters and "binary_data_size" in given.parameters:
            raise BodyMalformed(f"input {given.name!r}: binary tensor data is not read here; send it as JSON 'data'")
        _check_shape(given, spec)
        try:
            return _array(given, spec.dtype)
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as exc:
            raise BodyMalformed(f"input {given.name!r}: data does not fit {expected}{given.shape}: {exc}") from exc

    def _judged(self, feeds: dict[str, npt.NDArray[Any]], n: int, order: list[str]) -> Decoded:
        if self._gatherer is None:
            return Decoded(n, feeds, None)
        features, matrix = self._contract.features, self._contract.input_name
        try:
            return self._gatherer.from_feeds(feeds, features, matrix)
        except RowsRefused as exc:
            if self._contract.layout == "matrix":
                columns = feeds[matrix].T.tolist()
                raise diagnose_tensors(
                    columns, _matrix_pointers(len(features)), self._contract, names=self._names
                ) from exc
            columns = [feeds[f.name].reshape(-1).tolist() for f in features]
            places = [order.index(f.name) for f in features]
            raise diagnose_tensors(columns, _column_pointers(places), self._contract, names=self._names) from exc


def _matrix_pointers(width: int) -> Callable[[int, int], str]:
    return lambda i, j: pointer("inputs", 0, "data", i * width + j)


def _column_pointers(places: Sequence[int]) -> Callable[[int, int], str]:
    return lambda i, j: pointer("inputs", places[j], "data", i)


def _check_shape(given: _Input, spec: TensorSpec) -> None:
    shape = given.shape
    fits = len(shape) == len(spec.shape) and all(e in (-1, s) for e, s in zip(spec.shape, shape, strict=True))
    if not fits or any(s < 0 for s in shape) or len(shape) > _MAX_RANK:
        raise BodyMalformed(f"input {given.name!r} has shape {list(spec.shape)}, found {shape}")


def _array(given: _Input, dtype: str) -> npt.NDArray[Any]:
    try:
        values: Any = msgspec.json.decode(given.data, type=nested_type(dtype, 1))
    except msgspec.ValidationError:
        values = msgspec.json.decode(given.data, type=nested_type(dtype, len(given.shape)))
    with np.errstate(over="raise"):
        array: npt.NDArray[Any] = np.array(values, object if dtype == "string" else dtype)
    if array.size != math.prod(given.shape):
        raise ValueError(f"{array.size} values for shape {given.shape}")
    return array.reshape(given.shape)


def encode_outputs(
    *,
    model: str,
    version: str,
    request_id: str,
    outputs: Mapping[str, npt.NDArray[Any]],
    parameters: Mapping[str, Any],
) -> bytes:
    """Return the JSON of an inference response; a non-finite number becomes ``null``, since JSON has none."""
    tensors = [
        {"name": name, "shape": list(array.shape), "datatype": _datatype(array), "data": array.ravel().tolist()}
        for name, array in outputs.items()
    ]
    return _encode(
        {
            "model_name": model,
            "model_version": version,
            "id": request_id,
            "parameters": dict(parameters),
            "outputs": tensors,
        }
    )


def _datatype(array: npt.NDArray[Any]) -> str:
    return "BYTES" if array.dtype.kind in "OUS" else datatype_of(array.dtype.name)
