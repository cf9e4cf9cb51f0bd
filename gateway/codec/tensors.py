"""Tensors that a request names one by one, whatever carried them, as graph inputs of one version."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.codec.column_types import ColumnTypes
from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.diagnose import diagnose_tensors
from gateway.codec.limits import check_rows
from gateway.codec.row_faults import pointer
from gateway.codec.row_rules import row_rules
from gateway.codec.rows import RowGatherer
from gateway.contract import Contract
from gateway.errors import BodyMalformed, BodyTooLarge
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = [
    "DATATYPES",
    "GivenTensor",
    "ReadValues",
    "TensorDecoder",
    "TensorRequest",
    "datatype_of",
    "datatype_of_array",
]

DATATYPES: dict[str, str] = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "string",
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_NAMES_OF_DTYPES = {np.dtype(dtype): name for dtype, name in _NAMES.items() if dtype != "string"}
_MAX_RANK = 8

ReadValues = Callable[[str, Sequence[int]], npt.NDArray[Any]]
"""From dtype and shape to the values, in any shape of that size.

Raises ``ValueError``, ``ArithmeticError`` or an error of msgspec where the data is not that.
"""


def datatype_of(dtype: str) -> str:
    """Return the protocol's name of a numpy dtype; a ZipMap is a matrix of FP32."""
    return _NAMES.get(dtype, "FP32" if dtype == "map" else "BYTES")


def datatype_of_array(array: npt.NDArray[Any]) -> str:
    """Return the protocol's name of what an array holds."""
    return _NAMES_OF_DTYPES.get(array.dtype, "BYTES")


@dataclass(frozen=True, slots=True, eq=False)
class GivenTensor:
    """A tensor as a request gives it; nothing of it has been looked at. ``read`` is called once it can be valid."""

    name: str
    datatype: str
    shape: Sequence[int]
    read: ReadValues


@dataclass(frozen=True, slots=True, eq=False)
class TensorRequest:
    """A request that its protocol's skin has parsed already, since it is no text.

    Parameters
    ----------
    outputs
        Names of the outputs that the client asked for; empty means all.
    encode
        Gives the request's bytes, for those who pass it on to another process.
    """

    inputs: Sequence[GivenTensor]
    outputs: tuple[str, ...]
    id: str | None
    encode: Callable[[], bytes]


class TensorDecoder:
    """Turn given tensors into graph inputs of one version. Loop-safe, no state."""

    def __init__(
        self,
        contract: Contract,
        inputs: Mapping[str, TensorSpec],
        output_names: Iterable[str],
        limits: LimitSettings,
        *,
        names: tuple[str, str],
        ranks: Mapping[str, int],
    ) -> None:
        self._contract, self._inputs, self._limits, self._names = contract, inputs, limits, names
        self.outputs = frozenset(output_names)
        dtype = inputs[contract.input_name].dtype if contract.layout == "matrix" else "float32"
        self._types = ColumnTypes(contract, dtype)
        dtypes = {f.name: dtype if contract.layout == "matrix" else f.dtype for f in contract.features}
        self._rules = rules = row_rules(contract, dtypes)
        self._gatherer = None if contract.layout == "tensors" else RowGatherer(contract, ranks, dtype, rules=rules)

    def decode(self, request: TensorRequest) -> Decoded:
        """Return a request's tensors as graph inputs; its values may be what no JSON can say.

        Raises
        ------
        gateway.errors.RequestInvalid
            A tensor does not fit, or values break the contract.
        """
        decoded = self.judged(self.feeds(request.inputs), is_raw=True)
        decoded.echo_id = request.id
        decoded.requested = self.requested(request.outputs)
        return decoded

    def feeds(self, given: Sequence[GivenTensor]) -> dict[str, npt.NDArray[Any]]:
        """Return every tensor as the array that its graph input takes, in the order of the request.

        Raises
        ------
        gateway.errors.RequestInvalid
            An input is absent, unknown or given twice, or a tensor does not fit.
        """
        names = {tensor.name for tensor in given}
        if len(names) != len(given):
            raise BodyMalformed("an input is given twice")
        if unknown := names - self._inputs.keys():
            raise BodyMalformed(f"unknown inputs {sorted(unknown)}; this model has {sorted(self._inputs)}")
        if absent := self._inputs.keys() - names:
            raise BodyMalformed(f"missing inputs {sorted(absent)}")
        return {tensor.name: self._array(tensor) for tensor in given}

    def requested(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return the outputs that a client asked for, all of which the model has.

        Raises
        ------
        gateway.errors.BodyMalformed
        """
        if unknown := set(wanted) - self.outputs:
            raise BodyMalformed(f"unknown outputs {sorted(unknown)}; this model has {sorted(self.outputs)}")
        return wanted

    def judged(self, feeds: dict[str, npt.NDArray[Any]], *, is_raw: bool) -> Decoded:
        """Hold arrays to the contract.

        Parameters
        ----------
        feeds
            As ``feeds`` returned them.
        is_raw
            Whether they may hold numbers that JSON has none of.

        Raises
        ------
        gateway.errors.RequestInvalid
        """
        n = self._rows(feeds)
        if self._gatherer is None:
            return Decoded(n, feeds, None)
        try:
            may_miss = not is_raw or _check_no_infinity(feeds)
            if self._contract.layout == "matrix":
                self._types.check(feeds[self._contract.input_name])
            return self._gatherer.from_feeds(
                feeds, self._contract.features, self._contract.input_name, may_miss=may_miss
            )
        except RowsRefused as exc:
            columns, pointers = self._columns(feeds)
            raise diagnose_tensors(
                columns, pointers, self._contract, names=self._names, cause=exc, rules=self._rules
            ) from exc

    def _rows(self, feeds: Mapping[str, npt.NDArray[Any]]) -> int:
        rows = {len(value) if value.ndim else 1 for value in feeds.values()}
        if len(rows) > 1 and self._contract.layout == "columns":
            raise BodyMalformed(f"all inputs must have the same first dimension, found {sorted(rows)}")
        n = max(rows, default=0)
        check_rows(n, self._limits.rows)
        return n

    def _array(self, given: GivenTensor) -> npt.NDArray[Any]:
        spec, shape = self._inputs[given.name], given.shape
        expected = datatype_of(spec.dtype)
        if given.datatype != expected:
            raise BodyMalformed(f"input {given.name!r} has datatype {expected}, found {given.datatype!r}")
        _check_shape(given, spec)
        if shape and shape[0] > self._limits.rows:  # before a loop over values, not after
            raise BodyTooLarge("rows", self._limits.rows, shape[0])
        try:
            array = given.read(spec.dtype, shape)
            if array.size != math.prod(shape):
                raise ValueError(f"{array.size} values for shape {list(shape)}")
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as exc:
            raise BodyMalformed(f"input {given.name!r}: data does not fit {expected}{list(shape)}: {exc}") from exc
        return array.reshape(shape)

    def _columns(self, feeds: Mapping[str, npt.NDArray[Any]]) -> tuple[list[Sequence[Any]], Callable[[int, int], str]]:
        """Return the values feature by feature, and where each stands in the request."""
        features = self._contract.features
        if self._contract.layout == "matrix":
            columns, pointers = list(feeds[self._contract.input_name].T), _matrix_pointers(len(features))
        else:
            order = list(feeds)
            columns = [feeds[f.name].reshape(-1) for f in features]
            pointers = _column_pointers([order.index(f.name) for f in features])
        return self._types.typed([_nan_as_missing(column) for column in columns]), pointers


def _check_no_infinity(feeds: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Refuse what no JSON tensor can hold; return whether a value is NaN, by which raw tensors say that it is missing.

    One pass sees that all is finite, which it nearly always is; only where it is not, another tells why.
    """
    has_nan = False
    for name, array in feeds.items():
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        if infinite_n := int(np.isinf(array).sum()):
            raise RowsRefused(name, "wrong_type", infinite_n)
        has_nan = True
    return has_nan


def _nan_as_missing(column: npt.NDArray[Any]) -> list[Any]:
    return [None if value != value else value for value in column.tolist()]


def _matrix_pointers(width: int) -> Callable[[int, int], str]:
    return lambda i, j: pointer("inputs", 0, "data", i * width + j)


def _column_pointers(places: Sequence[int]) -> Callable[[int, int], str]:
    return lambda i, j: pointer("inputs", places[j], "data", i)


def _check_shape(given: GivenTensor, spec: TensorSpec) -> None:
    shape = given.shape
    fits = len(shape) == len(spec.shape) and all(e in (-1, s) for e, s in zip(spec.shape, shape, strict=True))
    if not fits or any(s < 0 for s in shape) or len(shape) > _MAX_RANK:
        raise BodyMalformed(f"input {given.name!r} has shape {list(spec.shape)}, found {list(shape)}")
