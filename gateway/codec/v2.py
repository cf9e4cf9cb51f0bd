"""Requests of the Open Inference Protocol, version 2, over REST: tensors as JSON or, behind the JSON, as raw bytes.

The protocol is the one published by the KServe community; ``data`` may come nested or flat in row-major order.
Pointers in errors count as if it were flat, and as if raw bytes were ``data``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.admission.deadline import of_parameters
from gateway.codec.binary import RawTensors, tensor_from
from gateway.codec.decoded import Decoded
from gateway.codec.limits import check_depth
from gateway.codec.raw_layouts import RawLayout, RawLayouts, RawPlace
from gateway.codec.rows import nested_type
from gateway.codec.tensors import DATATYPES, GivenTensor, TensorDecoder, datatype_of
from gateway.contract import Contract
from gateway.errors import BodyMalformed
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = ["DATATYPES", "V2Decoder", "datatype_of"]

_NO_DATA = msgspec.Raw()
_URGENCY = frozenset({"priority", "timeout"})


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


class V2Decoder:
    """Decode the protocol's requests for one version. For one thread: it remembers the JSON before raw tensors."""

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
        self._limits = limits
        self._dtypes = {name: spec.dtype for name, spec in inputs.items()}
        self._layouts = RawLayouts()
        self.tensors = TensorDecoder(contract, inputs, output_names, limits, names=names, ranks=ranks)

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
        if json_bytes is not None and (decoded := self._known(body, json_bytes)) is not None:
            return decoded
        raw = RawTensors(body, json_bytes)
        request = self._parse(body if json_bytes is None else body[:json_bytes])
        feeds = self.tensors.feeds([_given(tensor, raw) for tensor in request.inputs])
        raw.check_all_taken()
        decoded = self.tensors.judged(feeds, is_raw=json_bytes is not None)
        decoded.echo_id = request.id
        decoded.requested = self.tensors.requested(tuple(output.name for output in request.outputs or ()))
        decoded.binary = self._wanted_raw(request)
        if request.parameters and not _URGENCY.isdisjoint(request.parameters):
            decoded.urgency = of_parameters(request.parameters)
        elif json_bytes is not None and request.id is None:
            self._remember(body, json_bytes, request, decoded)
        return decoded

    def _known(self, body: bytes, json_bytes: int) -> Decoded | None:
        """Return a request whose JSON was read before; ``None`` for one that is to be read."""
        layout = self._layouts.find(body, json_bytes)
        feeds = None if layout is None else layout.feeds(memoryview(body)[json_bytes:])
        if layout is None or feeds is None:
            return None
        decoded = self.tensors.judged(feeds, is_raw=True)
        decoded.requested, decoded.binary = layout.requested, layout.binary
        return decoded

    def _remember(self, body: bytes, json_bytes: int, request: _InferRequest, decoded: Decoded) -> None:
        """Remember the JSON of a request that was right, if all of its tensors are raw."""
        places, stop = [], 0
        for tensor in request.inputs:
            if not (tensor.parameters and "binary_data_size" in tensor.parameters):
                return
            start, stop = stop, stop + tensor.parameters["binary_data_size"]
            places.append(RawPlace(tensor.name, self._dtypes[tensor.name], tuple(tensor.shape), start, stop))
        self._layouts.remember(body, json_bytes, RawLayout(places, stop, decoded.requested, decoded.binary))

    def _parse(self, body: bytes) -> _InferRequest:
        check_depth(body, self._limits.depth)
        try:
            return _decode_request(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
            raise BodyMalformed(f"not an inference request: {exc}") from exc

    def _wanted_raw(self, request: _InferRequest) -> frozenset[str]:
        """Return the outputs to send as raw bytes: an output's own wish goes before the request's."""
        if request.parameters is None and request.outputs is None:
            return frozenset()
        every = _flag(request.parameters, "binary_data_output", default=False)
        if request.outputs:
            wishes = {output.name: _flag(output.parameters, "binary_data", default=every) for output in request.outputs}
            return frozenset(name for name, is_raw in wishes.items() if is_raw)
        return self.tensors.outputs if every else frozenset()


def _flag(parameters: dict[str, Any] | None, name: str, *, default: bool) -> bool:
    flag = default if parameters is None else parameters.get(name, default)
    if not isinstance(flag, bool):
        raise BodyMalformed(f"parameter {name!r} must be true or false")
    return flag


def _given(tensor: _Input, raw: RawTensors) -> GivenTensor:
    def read(dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
        if not (tensor.parameters and "binary_data_size" in tensor.parameters):
            return _array(tensor, dtype)
        taken = raw.take(tensor.parameters["binary_data_size"])
        if tensor.data is not _NO_DATA:
            raise ValueError("either 'data' or 'binary_data_size', not both")
        return tensor_from(taken, dtype, shape)

    return GivenTensor(tensor.name, tensor.datatype, tensor.shape, read)


def _array(given: _Input, dtype: str) -> npt.NDArray[Any]:
    if given.data is _NO_DATA:
        raise ValueError("there is neither 'data' nor 'binary_data_size'")
    try:
        values: Any = msgspec.json.decode(given.data, type=nested_type(dtype, 1))
    except msgspec.ValidationError:
        values = msgspec.json.decode(given.data, type=nested_type(dtype, len(given.shape)))
    with np.errstate(over="raise"):
        return np.array(values, object if dtype == "string" else dtype)
