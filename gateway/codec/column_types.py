"""Features whose own type holds less than their matrix's: the integers and truth values of a matrix of floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import RowsRefused
from gateway.contract import Contract

__all__ = ["ColumnTypes"]


class ColumnTypes:
    """Holds the columns of a matrix to the types of their features. Loop-safe, no state.

    JSON rows are typed value by value as they are read; tensors come in the matrix's type, and only this looks at what
    is in them. Costs nothing where every feature has the matrix's type.

    Parameters
    ----------
    dtype
        The matrix's.
    """

    def __init__(self, contract: Contract, dtype: str) -> None:
        self._dtypes = [feature.dtype for feature in contract.features]
        self._names = [feature.name for feature in contract.features]
        whole = [j for j, own in enumerate(self._dtypes) if own != dtype and not own.startswith("float")]
        self._whole = np.array(whole if contract.layout == "matrix" else [], np.intp)
        self._is_float = dtype.startswith("float")
        bounds = [_bounds(self._dtypes[j], dtype) for j in self._whole.tolist()]
        held: Any = np.float64 if self._is_float else dtype
        self._low_w, self._high_w = (np.array([bound[end] for bound in bounds], held) for end in (0, 1))

    def check(self, x_nd: npt.NDArray[Any]) -> None:
        """Raise ``RowsRefused`` where a value is none of its feature's type; NaN is missing, and not looked at."""
        if not len(self._whole):
            return
        x_nw = x_nd.take(self._whole, axis=1)
        wrong_nw = (x_nw < self._low_w) | (x_nw > self._high_w)
        if self._is_float:
            wrong_nw |= x_nw > np.trunc(x_nw)
            wrong_nw |= x_nw < np.trunc(x_nw)
        if wrong_nw.any():
            first = int(np.flatnonzero(wrong_nw.any(axis=0))[0])
            raise RowsRefused(self._names[self._whole[first]], "wrong_type", int(wrong_nw[:, first].sum()))

    def typed(self, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return columns of Python's numbers, missing as ``None``, as JSON would give them: whole ones as integers."""
        typed = list(columns)
        for j in self._whole.tolist():
            typed[j] = [_as_json(value, self._dtypes[j]) for value in columns[j]]
        return typed


def _bounds(own: str, dtype: str) -> tuple[float, float] | tuple[int, int]:
    """Return the least and the largest number of a feature's type, in terms of a matrix of type ``dtype``."""
    low, high = (0, 1) if own == "bool" else (int(np.iinfo(own).min), int(np.iinfo(own).max))
    if dtype.startswith("float"):  # 2**63 - 1 has no double: the largest one that is below 2**63 has its place
        return float(low), float(high) if int(float(high)) <= high else float(np.nextafter(float(high), 0.0))
    if dtype == "bool":
        return max(low, 0), min(high, 1)
    facts = np.iinfo(dtype)
    return max(low, int(facts.min)), min(high, int(facts.max))


def _as_json(value: Any, own: str) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return bool(value) if own == "bool" and value in (0, 1) else value
