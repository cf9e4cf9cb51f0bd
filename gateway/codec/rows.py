"""Rows of named features <-> graph inputs: typed decoders generated from a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from gateway.codec.decoded import Decoded
from gateway.codec.policies import ColumnPolicies, MatrixPolicies
from gateway.contract import Contract, Feature

__all__ = ["RowGatherer", "column_ranks", "encode_table", "row_types"]


def row_types(contract: Contract) -> Any:
    """Return the msgspec type of one row: an object with the contract's features, or a list in their order.

    Field names are made up (``f0``, ``f1``...) and renamed, since a feature may have any name. Where a missing value is
    refused the field is required and not nullable, so the decoder itself finds the fault.
    """
    fields: list[Any] = []
    rename: dict[str, str] = {}
    cells: list[Any] = []
    for j, feature in enumerate(contract.features):
        scalar = _scalar_type(feature)
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


def _scalar_type(feature: Feature) -> Any:
    if feature.dtype == "string":
        return str
    if feature.dtype == "bool":
        return bool
    return float if feature.dtype.startswith("float") else int


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
        self._dtype = dtype
        self._matrix = MatrixPolicies(contract) if contract.layout == "matrix" else None
        self._columns = ColumnPolicies(contract, dict(ranks)) if contract.layout == "columns" else None

    def gather(self, rows: Sequence[Any]) -> Decoded:
        """Return the rows as graph inputs.

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
            with np.errstate(over="raise"):  # 1e300 in a float32 column is a fault of the client's, not infinity
                x_nd = np.array(cells, self._dtype)
            return self._matrix.apply(x_nd, may_miss=self._may_miss)
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
    return RowGatherer(contract, ranks, dtype).gather(cells)
