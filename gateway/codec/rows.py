"""Rows of named features <-> graph inputs: typed decoders generated from a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from gateway.codec.decoded import Decoded
from gateway.codec.policies import ColumnPolicies, MatrixPolicies
from gateway.contract import Contract, Feature

__all__ = ["RowGatherer", "column_ranks", "encode_table", "nested_type", "row_types"]


def row_types(contract: Contract, dtype: str = "float64") -> Any:
    """Return the msgspec type of one row: an object with the contract's features, or a list in their order.

    Field names are made up (``f0``, ``f1``...) and renamed, since a feature may have any name. Where a missing value is
    refused the field is required and not nullable, so the decoder itself finds the fault.

    Parameters
    ----------
    dtype
        What the values become on their way: the matrix's, where the features are its columns.
    """
    fields: list[Any] = []
    rename: dict[str, str] = {}
    cells: list[Any] = []
    for j, feature in enumerate(contract.features):
        scalar = _bounded(nested_type(feature.dtype, 0), (feature.dtype, dtype))
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
    """Turn decoded rows into graph inputs under the contract's policies. Loop-safe, no state."""

    def __init__(self, contract: Contract, ranks: Mapping[str, int], dtype: str = "float32") -> None:
        self._fields = tuple(f"f{j}" for j in range(len(contract.features)))
        self._sorted = all(f.missing == "reject" for f in contract.features) or all(
            f.missing != "reject" for f in contract.features
        )
        self._may_miss = any(f.missing != "reject" for f in contract.features)
        # NaN needs a float, also on its way to an integer that replaces it
        self._dtype = "float64" if self._may_miss and not dtype.startswith("float") else dtype
        self._matrix = MatrixPolicies(contract, dtype) if contract.layout == "matrix" else None
        self._columns = ColumnPolicies(contract, dict(ranks)) if contract.layout == "columns" else None

    def gather(self, rows: Sequence[Any], *, is_typed: bool = True) -> Decoded:
        """Return the rows as graph inputs; ``is_typed`` says that they come from a decoder of ``row_types``.

        Raises
        ------
        gateway.codec.decoded.RowsRefused
            A value breaks a ``reject`` policy.
        """
        astuple = msgspec.structs.astuple
        if self._sorted:
            cells = [row if type(row) is tuple else astuple(row) for row in rows]
        else:
            cells = [row if type(row) is tuple else tuple(getattr(row, f) for f in self._fields) for row in rows]
        if self._matrix is not None:
            return self._matrix.apply(np.array(cells, self._dtype), may_miss=self._may_miss or not is_typed)
        assert self._columns is not None
        return self._columns.apply(list(zip(*cells, strict=True)))

    def from_feeds(self, feeds: Mapping[str, Any], features: Sequence[Feature], input_name: str) -> Decoded:
        """Judge tensors that came as graph inputs already (the Open Inference Protocol)."""
        if self._matrix is not None:
            return self._matrix.apply(feeds[input_name], may_miss=True)
        assert self._columns is not None
        columns = [feeds[f.name].reshape(-1).tolist() for f in features]
        return self._columns.apply(columns)


def encode_table(
    contract: Contract, rows: Sequence[Mapping[str, Any]], *, ranks: Mapping[str, int], dtype: str = "float32"
) -> Decoded:
    """Return a table (one mapping a row, absent or ``None`` for missing) as graph inputs.

    Raises
    ------
    gateway.codec.decoded.RowsRefused
        A value breaks a ``reject`` policy of the contract.
    """
    cells = [tuple(row.get(f.name) for f in contract.features) for row in rows]
    with np.errstate(over="raise"):  # nobody has held these values to their bounds
        return RowGatherer(contract, ranks, dtype).gather(cells, is_typed=False)
