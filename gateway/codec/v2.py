"""The Open Inference Protocol, version 2, over REST: tensors as JSON or, behind the JSON, as raw bytes.

The protocol is the one published by the KServe community; ``data`` may come nested or flat in row-major order.
Pointers in errors count as if it were flat, and as if raw bytes were ``data``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.codec.binary import RawTensors, raw_bytes, tensor_from
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
_NO_DATA = msgspec.Raw()


class _Input(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = _NO_DATA
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

    def decode(self, body: bytes, json_bytes: int | None = None) -> Decoded:
        """Return the request's tensors as graph inputs.

        Parameters
        ----------
        json_bytes
            Length of the JSON where raw tensors follow it; ``None`` for a body that is all JSON.

        Raises
        ------
        gateway.errors.RequestInvalid
            The body is not the protocol's, a tensor does not fit, or values break the contract.
        """
        raw = RawTensors(body, json_bytes)
        request = self._parse(body if json_bytes is None else body[:json_bytes])
        given = self._by_name(request)
        feeds = {name: self._tensor(tensor, raw) for name, tensor in given.items()}
        raw.check_all_taken()
        rows = {len(value) if value.ndim else 1 for value in feeds.values()}
        if len(rows) > 1 and self._contract.layout == "columns":
            raise BodyMalformed(f"all inputs must have the same first dimension, found {sorted(rows)}")
        n = max(rows, default=0)
        check_rows(n, self._limits.rows)
        decoded = self._judged(feeds, n, list(given), is_raw=json_bytes is not None)
        decoded.echo_id = request.id
        decoded.requested = self._requested(request)
        decoded.binary = self._wanted_raw(request)
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

    def _wanted_raw(self, request: _InferRequest) -> frozenset[str]:
        """Return the outputs to send as raw bytes: an output's own wish goes before the request's."""
        if request.parameters is None and request.outputs is None:
            return frozenset()
        every = _flag(request.parameters, "binary_data_output", default=False)
        if request.outputs:
            wishes = {output.name: _flag(output.parameters, "binary_data", default=every) for output in request.outputs}
            return frozenset(name for name, is_raw in wishes.items() if is_raw)
        return self._outputs if every else frozenset()

    def _tensor(self, given: _Input, raw: RawTensors) -> npt.NDArray[Any]:
        spec = self._inputs[given.name]
        expected = datatype_of(spec.dtype)
        if given.datatype != expected:
            raise BodyMalformed(f"input {given.name!r} has datatype {expected}, found {given.datatype!r}")
        _check_shape(given, spec)
        try:
            if given.parameters and "binary_data_size" in given.parameters:
                return self._raw_tensor(given, raw.take(given.parameters["binary_data_size"]), spec.dtype)
            return _array(given, spec.dtype)
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as exc:
            raise BodyMalformed(f"input {given.name!r}: data does not fit {expected}{given.shape}: {exc}") from exc

    def _raw_tensor(self, given: _Input, raw: memoryview, dtype: str) -> npt.NDArray[Any]:
        if given.data is not _NO_DATA:
            raise ValueError("either 'data' or 'binary_data_size', not both")
        check_rows(given.shape[0] if given.shape else 1, self._limits.rows)  # before a loop over strings, not after
        return tensor_from(raw, dtype, given.shape)

    def _judged(self, feeds: dict[str, npt.NDArray[Any]], n: int, order: list[str], *, is_raw: bool) -> Decoded:
        if self._gatherer is None:
            return Decoded(n, feeds, None)
        features, matrix = self._contract.features, self._contract.input_name
        try:
            if is_raw:
                _check_no_infinity(feeds)
            return self._gatherer.from_feeds(feeds, features, matrix)
        except RowsRefused as exc:
            if self._contract.layout == "matrix":
                columns, pointers = list(feeds[matrix].T), _matrix_pointers(len(features))
            else:
                columns = [feeds[f.name].reshape(-1) for f in features]
                pointers = _column_pointers([order.index(f.name) for f in features])
            told = [_nan_as_missing(column) for column in columns]
            raise diagnose_tensors(told, pointers, self._contract, names=self._names) from exc


def _flag(parameters: dict[str, Any] | None, name: str, *, default: bool) -> bool:
    flag = default if parameters is None else parameters.get(name, default)
    if not isinstance(flag, bool):
        raise BodyMalformed(f"parameter {name!r} must be true or false")
    return flag


def _check_no_infinity(feeds: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse what no JSON tensor can hold. NaN is another matter: it is how raw tensors say that a value is missing."""
    for name, array in feeds.items():
        if array.dtype.kind == "f" and (infinite := np.isinf(array)).any():
            raise RowsRefused(name, "wrong_type", int(infinite.sum()))


def _nan_as_missing(column: npt.NDArray[Any]) -> list[Any]:
    return [None if value != value else value for value in column.tolist()]


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
    if given.data is _NO_DATA:
        raise ValueError("there is neither 'data' nor 'binary_data_size'")
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
    binary: Collection[str] = (),
) -> tuple[bytes, int | None]:
    """Return an inference response, and the length of its JSON where raw tensors follow that.

    In JSON a non-finite number becomes ``null``, since JSON has none; raw tensors are as the graph made them.

    Parameters
    ----------
    binary
        Names of the outputs to send as raw bytes.
    """
    raw = {name: raw_bytes(array) for name, array in outputs.items() if name in binary}
    tensors = [_described(name, array, raw.get(name)) for name, array in outputs.items()]
    encoded = _encode(
        {"model_name": model, "model_version": version, "id": request_id, "parameters": {}, "outputs": tensors}
    )
    if not raw:
        return encoded, None
    return b"".join((encoded, *raw.values())), len(encoded)


def _described(name: str, array: npt.NDArray[Any], raw: bytes | memoryview | None) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": _datatype(array)}
    if raw is None:
        tensor["data"] = array.ravel().tolist()
    else:
        tensor["parameters"] = {"binary_data_size": len(raw)}
    return tensor


def _datatype(array: npt.NDArray[Any]) -> str:
    return "BYTES" if array.dtype.kind in "OUS" else datatype_of(array.dtype.name)
