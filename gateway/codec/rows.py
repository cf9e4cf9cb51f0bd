"""Rows of named features <-> graph inputs: typed decoders generated from a contract."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from time import time
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import Decoded
from gateway.codec.policies import ColumnPolicies, MatrixPolicies
from gateway.codec.row_rules import RowRules
from gateway.contract import Contract, Feature

__all__ = ["RowGatherer", "column_ranks", "encode_table", "nested_type", "row_types"]

_FORMATS = {"float32": "f", "float64": "d", "int32": "i", "int64": "q"}


def row_types(contract: Contract, dtype: str = "float64", *, is_bounded: bool = True) -> Any:
    """Return the msgspec type of one row: an object with the contract's features, or a list in their order.

    Field names are made up (``f0``, ``f1``...) and renamed, since a feature may have any name. Where a missing value is
    refused the field is required and not nullable, so the decoder itself finds the fault.

    Parameters
    ----------
    dtype
        What the values become on their way: the matrix's, where the features are its columns.
    is_bounded
        Whether a float that ``dtype`` cannot hold is refused here, which takes half of the time of a row. Otherwise
        whoever makes the matrix has to find it (``RowGatherer``); one that only its feature bounds is refused still.
    """
    fields: list[Any] = []
    rename: dict[str, str] = {}
    cells: list[Any] = []
    for j, feature in enumerate(contract.features):
        scalar = nested_type(feature.dtype, 0)
        if is_bounded or scalar is not float or np.finfo(feature.dtype).max < np.finfo(dtype).max:
            scalar = _bounded(scalar, (feature.dtype, dtype))
        may_miss = feature.missing != "reject"
        fields.append((f"f{j}", scalar | None, None) if may_miss else (f"f{j}", scalar))
        cells.append(scalar | None if may_miss else scalar)
        rename[f"f{j}"] = feature.name
    row = msgspec.defstruct(
        "Row",
        sorted(fields, key=len),
        rename=rename,
        forbid_unknown_fields=contract.unknown_features == "reject",
        kw_only=True,
        gc=False,
    )
    return row | tuple[tuple(cells)]  # type: ignore[misc]  # a tuple type made at run time


def _bounded(scalar: Any, dtypes: tuple[str, ...]) -> Any:
    """Return a number's type with the bounds that every dtype on its way can hold; 1e300 is no float32."""
    if scalar not in (int, float):
        return scalar
    low, high = -np.inf, np.inf
    for dtype in dtypes:
        if dtype not in ("string", "bool"):
            facts = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
            low, high = max(low, float(facts.min)), min(high, float(facts.max))
    if scalar is float:
        return Annotated[float, msgspec.Meta(ge=low, le=high)]
    largest = 2**63 - 1  # what a bound of msgspec can say; numpy refuses what is beyond an unsigned 64-bit integer
    return Annotated[int, msgspec.Meta(ge=max(int(low), -largest - 1), le=int(high) if high < largest else None)]


def nested_type(dtype: str, depth: int) -> Any:
    """Return the type that a value of a graph's dtype has in JSON, in ``depth`` lists."""
    named: dict[str, Any] = {"string": str, "bool": bool}
    nested = named.get(dtype, float if dtype.startswith("float") else int)
    for _ in range(depth):
        nested = list[nested]  # type: ignore[valid-type]  # a type made at run time
    return nested


def column_ranks(contract: Contract, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Return the rank of each feature's own graph input, for a contract laid out as columns."""
    return {f.name: len(shapes[f.name]) for f in contract.features} if contract.layout == "columns" else {}


class RowGatherer:
    """Turn decoded rows into graph inputs under the contract's policies. Loop-safe, no state.

    Where ``may_wait`` says so, rows may be left as cells until a batch is put together: ``stack`` then makes one matrix
    of all of it. Floats that the matrix cannot hold are found there, and need not have been refused before.

    Parameters
    ----------
    rules
        What live requests are held to besides; ``None`` for rows that come from elsewhere, as golden and training rows
        do, and where the contract has none.
    """

    def __init__(
        self, contract: Contract, ranks: Mapping[str, int], dtype: str = "float32", *, rules: RowRules | None = None
    ) -> None:
        self._fields = tuple(f"f{j}" for j in range(len(contract.features)))
        self._sorted = all(f.missing == "reject" for f in contract.features) or all(
            f.missing != "reject" for f in contract.features
        )
        self._may_miss = any(f.missing != "reject" for f in contract.features)
        # NaN needs a float, also on its way to an integer that replaces it
        self._dtype = "float64" if self._may_miss and not dtype.startswith("float") else dtype
        self._rules = rules
        # rules see numbers as the client sent them: float32 holds Unix seconds to within 64 s only
        self._raw_dtype = "float64" if rules is not None and self._dtype.startswith("float") else self._dtype
        self._matrix = MatrixPolicies(contract, dtype) if contract.layout == "matrix" else None
        self._columns = ColumnPolicies(contract, dict(ranks)) if contract.layout == "columns" else None
        self._format = _FORMATS.get(self._raw_dtype) if self._matrix and self._dtype in _FORMATS else None
        self.may_wait = self._format is not None

    def gather(self, rows: list[Any], *, is_typed: bool = True) -> Decoded:
        """Return the rows as graph inputs; ``is_typed`` says that they come from a decoder of ``row_types``.

        Raises
        ------
        gateway.codec.decoded.RowsRefused
            A value breaks a ``reject`` policy.
        """
        return self._gathered(self.cells(rows), is_typed=is_typed)

    def settle(self, decoded: Decoded) -> Decoded:
        """Return pending rows as graph inputs, by themselves. Raises as ``gather`` does."""
        return decoded if decoded.cells is None else self._gathered(decoded.cells, is_typed=True)

    def stack(self, batch: Sequence[Decoded]) -> npt.NDArray[Any] | None:
        """Return one matrix of the pending rows of several requests.

        ``None`` where a value needs a policy, or rows are not pending: then each request is to be settled by itself.
        Costs 0.4 microseconds a row of 30 numbers; a matrix for each request and their concatenation cost 1.3.
        """
        rows: list[tuple[Any, ...]] = []
        for decoded in batch:
            if decoded.cells is None:
                return None
            rows += decoded.cells
        assert self._matrix is not None
        size = len(rows) * len(self._fields)
        raw_nd = np.empty((len(rows), len(self._fields)), self._raw_dtype)
        try:
            struct.pack_into(f"{size}{self._format}", raw_nd.data.cast("B"), 0, *chain.from_iterable(rows))
        except (struct.error, OverflowError):
            return None  # a missing value, which has no number, or one that only a policy's dtype can hold
        x_nd = raw_nd
        if self._rules is not None:
            if self._rules.broken(raw_nd, time()):
                return None
            with np.errstate(over="ignore"):
                x_nd = raw_nd.astype(self._dtype, copy=False)
        if not np.isfinite(x_nd).all():
            return None  # JSON has no such number: one was too large
        return x_nd if self._matrix.is_clean(x_nd) else None

    def feeds_of(self, x_nd: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Return the graph inputs that a stacked matrix is."""
        assert self._matrix is not None
        return self._matrix.feeds(x_nd)

    def cells(self, rows: list[Any]) -> list[tuple[Any, ...]]:
        """Return rows of a decoder of ``row_types`` as tuples in the order of the features."""
        if self._sorted:
            astuple = msgspec.structs.astuple
            return [row if type(row) is tuple else astuple(row) for row in rows]
        return [row if type(row) is tuple else tuple(getattr(row, f) for f in self._fields) for row in rows]

    def _gathered(self, cells: list[tuple[Any, ...]], *, is_typed: bool) -> Decoded:
        may_miss = self._may_miss or not is_typed
        if self._matrix is not None:
            with np.errstate(over="raise"):
                raw_nd = np.array(cells, self._raw_dtype)
                x_nd = raw_nd.astype(self._dtype, copy=False)
            return self._ruled(self._matrix.apply(x_nd, may_miss=may_miss), raw_nd)
        assert self._columns is not None
        columns = list(zip(*cells, strict=True))
        return self._ruled(self._columns.apply(columns), columns=columns)

    def _ruled(
        self, decoded: Decoded, raw_nd: npt.NDArray[Any] | None = None, *, columns: Sequence[Sequence[Any]] = ()
    ) -> Decoded:
        """Hold rows that their features' policies have let through to the rules."""
        if self._rules is None:
            return decoded
        values_nd = decoded.values_nd if raw_nd is None else raw_nd
        assert values_nd is not None
        return self._rules.settle(decoded, values_nd, time(), columns)

    def from_feeds(
        self, feeds: Mapping[str, Any], features: Sequence[Feature], input_name: str, *, may_miss: bool
    ) -> Decoded:
        """Judge tensors that came as graph inputs already (the Open Inference Protocol).

        Parameters
        ----------
        may_miss
            Whether a number may be NaN, if nobody has looked.
        """
        if self._matrix is not None:
            return self._ruled(self._matrix.apply(feeds[input_name], may_miss=may_miss))
        assert self._columns is not None
        columns = [feeds[f.name].reshape(-1).tolist() for f in features]
        return self._ruled(self._columns.apply(columns), columns=columns)


def encode_table(
    contract: Contract, rows: Sequence[Mapping[str, Any]], *, ranks: Mapping[str, int], dtype: str = "float32"
) -> Decoded:
    """Return a table (one mapping a row, absent or ``None`` for missing) as graph inputs; rules do not judge it.

    Raises
    ------
    gateway.codec.decoded.RowsRefused
        A value breaks a ``reject`` policy of the contract.
    """
    cells = [tuple(row.get(f.name) for f in contract.features) for row in rows]
    with np.errstate(over="raise"):  # nobody has held these values to their bounds
        return RowGatherer(contract, ranks, dtype).gather(cells, is_typed=False)
