"""Missing, out-of-range and unseen values: found, counted, and imputed, flagged or refused by the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import Decoded, FeatureFault, RowsRefused
from gateway.contract import Contract, Feature
from monitors.records import IMPUTED_FLAG, OUT_OF_RANGE_FLAG, UNSEEN_CODE, UNSEEN_FLAG

__all__ = ["ColumnPolicies", "MatrixPolicies"]

_FLAGS = {"missing": 0, "out_of_range": OUT_OF_RANGE_FLAG, "unseen": UNSEEN_FLAG}


class MatrixPolicies:
    """The policies of a contract whose features are the columns of one matrix, vectorised over the matrix.

    Cost: one pass of two comparisons when a range is declared, one ``isnan`` where a value may be missing, nothing
    otherwise. Loop-safe: holds no state. ``dtype`` is the graph's own.
    """

    def __init__(self, contract: Contract, dtype: str) -> None:
        features = contract.features
        self._name, self._dtype = contract.input_name, dtype
        self._features = features
        self._low_d = _rounded([-np.inf if f.minimum is None else f.minimum for f in features], dtype)
        self._high_d = _rounded([np.inf if f.maximum is None else f.maximum for f in features], dtype)
        self._ranged = bool(np.isfinite(self._low_d).any() or np.isfinite(self._high_d).any())
        self._listed = [(j, _rounded(f.categories, dtype)) for j, f in enumerate(features) if f.categories]
        self._is_checked = self._ranged or bool(self._listed)
        self._fill_d = np.array([0.0 if f.fill is None else float(f.fill) for f in features], np.float64)

    def apply(self, x_nd: npt.NDArray[Any], *, may_miss: bool) -> Decoded:
        """Judge a matrix of raw values, NaN for missing.

        Raises
        ------
        RowsRefused
            A value breaks a ``reject`` policy.
        """
        n = len(x_nd)
        masks = self._masks(x_nd, may_miss) if may_miss or self._is_checked else ()
        if masks:
            return self._settle(x_nd, masks)
        return Decoded(n, self.feeds(x_nd), x_nd)

    def feeds(self, x_nd: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Return a matrix that no policy changes as the graph's input."""
        return {self._name: x_nd if x_nd.dtype == self._dtype else x_nd.astype(self._dtype)}

    def is_clean(self, x_nd: npt.NDArray[Any]) -> bool:
        """Return whether no value of a matrix without missing ones needs a policy."""
        return not (self._is_checked and self._masks(x_nd, may_miss=False))

    def _masks(self, x_nd: npt.NDArray[Any], may_miss: bool) -> Sequence[tuple[str, npt.NDArray[np.bool_]]]:
        found: list[tuple[str, npt.NDArray[np.bool_]]] = []
        if may_miss:
            missing_nd = np.isnan(x_nd)
            if missing_nd.any():
                found.append(("missing", missing_nd))
        if self._ranged:
            outside_nd = (x_nd < self._low_d) | (x_nd > self._high_d)
            if outside_nd.any():
                found.append(("out_of_range", outside_nd))
        if self._listed:
            unseen_nd = np.zeros(x_nd.shape, np.bool_)
            for j, categories in self._listed:
                unseen_nd[:, j] = ~np.isin(x_nd[:, j], categories) & ~np.isnan(x_nd[:, j])
            if unseen_nd.any():
                found.append(("unseen", unseen_nd))
        return found

    def _settle(self, x_nd: npt.NDArray[Any], masks: Sequence[tuple[str, npt.NDArray[np.bool_]]]) -> Decoded:
        n = len(x_nd)
        feed_nd = x_nd
        flags_n = np.zeros(n, np.uint16)
        faults: list[FeatureFault] = []
        for kind, mask_nd in masks:
            for j in np.flatnonzero(mask_nd.any(axis=0)):
                feature = self._features[j]
                policy = getattr(feature, kind)
                rows_n = mask_nd[:, j]
                if policy == "reject":
                    raise RowsRefused(feature.name, kind, int(rows_n.sum()))
                flags_n[rows_n] |= _FLAGS[kind]
                if policy == "impute":
                    feed_nd = x_nd.copy() if feed_nd is x_nd else feed_nd
                    feed_nd[rows_n, j] = self._fill_d[j]
                    flags_n[rows_n] |= IMPUTED_FLAG
                if not (kind == "missing" and feature.nullable):
                    faults.append((int(j), kind, int(rows_n.sum())))
        return Decoded(n, {self._name: feed_nd.astype(self._dtype, copy=False)}, x_nd, flags_n, tuple(faults))


class ColumnPolicies:
    """The policies of a contract with one graph input for each feature: numbers and strings side by side."""

    def __init__(self, contract: Contract, ranks: dict[str, int]) -> None:
        self._features = contract.features
        self._ranks = ranks
        self._codes = [
            {str(c): float(i) for i, c in enumerate(f.categories)} if f.dtype == "string" else {}
            for f in contract.features
        ]

    def apply(self, columns: Sequence[Sequence[Any]]) -> Decoded:
        """Judge columns of raw values, ``None`` (or NaN) for missing, in the order of the features.

        Raises
        ------
        RowsRefused
            A value breaks a ``reject`` policy, or a missing one has no representation.
        """
        n = len(columns[0]) if columns else 0
        values_nd = np.empty((n, len(self._features)), np.float64)
        flags_n = np.zeros(n, np.uint16)
        faults: list[FeatureFault] = []
        feeds: dict[str, npt.NDArray[Any]] = {}
        for j, (feature, column) in enumerate(zip(self._features, columns, strict=True)):
            values_nd[:, j] = self._values(j, feature, column)
            repaired = self._judge(j, feature, column, values_nd[:, j], flags_n, faults)
            feeds[feature.name] = self._tensor(feature, repaired)
        return Decoded(n, feeds, values_nd, flags_n if flags_n.any() else None, tuple(faults))

    def _values(self, j: int, feature: Feature, column: Sequence[Any]) -> list[float]:
        if feature.dtype != "string":
            return [np.nan if v is None else v for v in column]
        codes, known = self._codes[j], bool(feature.categories)
        return [np.nan if v is None else codes.get(v, UNSEEN_CODE if known else 0.0) for v in column]

    def _judge(
        self,
        j: int,
        feature: Feature,
        column: Sequence[Any],
        values_n: npt.NDArray[np.float64],
        flags_n: npt.NDArray[np.uint16],
        faults: list[FeatureFault],
    ) -> Sequence[Any]:
        repaired = column
        for kind, rows_n in self._masks(feature, values_n):
            policy = getattr(feature, kind)
            if policy == "reject":
                raise RowsRefused(feature.name, kind, int(rows_n.sum()))
            flags_n[rows_n] |= _FLAGS[kind]
            if policy == "impute":
                flags_n[rows_n] |= IMPUTED_FLAG
                repaired = [feature.fill if bad else v for v, bad in zip(repaired, rows_n, strict=True)]
            if not (kind == "missing" and feature.nullable):
                faults.append((j, kind, int(rows_n.sum())))
        return repaired

    @staticmethod
    def _masks(feature: Feature, values_n: npt.NDArray[np.float64]) -> list[tuple[str, npt.NDArray[np.bool_]]]:
        missing_n = np.isnan(values_n)
        values_n = _rounded(values_n, feature.dtype)
        masks = [("missing", missing_n)]
        if feature.minimum is not None or feature.maximum is not None:
            low = _rounded(-np.inf if feature.minimum is None else feature.minimum, feature.dtype)
            high = _rounded(np.inf if feature.maximum is None else feature.maximum, feature.dtype)
            masks.append(("out_of_range", (values_n < low) | (values_n > high)))
        if feature.categories and feature.dtype == "string":
            masks.append(("unseen", values_n == UNSEEN_CODE))
        elif feature.categories:
            masks.append(("unseen", ~np.isin(values_n, _rounded(feature.categories, feature.dtype)) & ~missing_n))
        return [(kind, rows_n) for kind, rows_n in masks if rows_n.any()]

    def _tensor(self, feature: Feature, column: Sequence[Any]) -> npt.NDArray[Any]:
        tensor: npt.NDArray[Any] = np.array(column, dtype=object if feature.dtype == "string" else feature.dtype)
        return tensor.reshape(-1, 1) if self._ranks[feature.name] == 2 else tensor


def _rounded(values: Any, dtype: str) -> npt.NDArray[np.float64]:
    """Return numbers as the graph's dtype holds them: 0.1 from a client is not above a limit of 0.1 in float32."""
    exact = np.asarray(values, np.float64)
    if not dtype.startswith("float"):
        return exact
    with np.errstate(over="ignore"):
        return exact.astype(dtype).astype(np.float64)
