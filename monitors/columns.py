"""Tables as columns of numbers and words, turned into the rows that monitors count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from monitors.evidence.channels import Rows
from monitors.records import UNSEEN_CODE, FeatureSchema

__all__ = ["Columns", "features_of", "rows_of"]

Floats = npt.NDArray[np.float64]


class Columns(Protocol):
    """A table by column name: a dictionary of lists or arrays, a data frame."""

    def keys(self) -> Iterable[str]:
        """Return the names of the columns."""

    def __getitem__(self, name: str) -> Any:
        """Return one column, a value a row."""


NO_NUMBERS = "cmM"
"""Kinds of dtype that NumPy would turn into numbers without a word: complex ones, times."""


def features_of(table: Columns) -> tuple[FeatureSchema, ...]:
    """Return what the columns hold: numbers, or categories, which are those that occur, sorted.

    Examples
    --------
    >>> features_of({"age": [31, 40], "colour": ["red", None]})
    (FeatureSchema(name='age', kind='number', dtype='int64', categories=()),
     FeatureSchema(name='colour', kind='category', dtype='string', categories=('red',)))
    """
    return tuple(_feature(str(name), np.asarray(table[name])) for name in table.keys())  # noqa: SIM118  # no mapping


def rows_of(
    table: Columns,
    features: Sequence[FeatureSchema],
    scores: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
) -> Rows:
    """Return the rows of a table.

    Parameters
    ----------
    table
        Has a column for each feature; others are ignored. ``None`` and NaN are missing.
    features
        What to take, in this order. A category that a feature does not list is unseen.
    scores : (n, k) or (n,)
        Probabilities, or a regression's values.
    labels : (n,) integers
        Index of the answered class.

    Raises
    ------
    ValueError
        A column is absent, is not made of numbers, or is not as long as the others.

    Examples
    --------
    >>> colour = FeatureSchema("colour", "category", "string", ("green", "red"))
    >>> rows_of({"colour": ["red", "blue", None]}, [colour]).values_nd.ravel().tolist()
    [1.0, -1.0, nan]
    """
    present = {str(name) for name in table.keys()}  # noqa: SIM118  # no mapping
    absent = [feature.name for feature in features if feature.name not in present]
    if absent:
        raise ValueError(f"the table has no column for {absent}; it has {sorted(present)}")
    columns = [_column(feature, np.asarray(table[feature.name])) for feature in features]
    scores_nk = None if scores is None else _as_matrix(scores)
    labels_n = None if labels is None else _as_labels(labels)
    lengths = {len(part) for part in (*columns, scores_nk, labels_n) if part is not None}
    if len(lengths) != 1:
        raise ValueError(f"columns, scores and labels have one length, not {sorted(lengths)}")
    return Rows(np.column_stack(columns), scores_nk, labels_n)


def _feature(name: str, values_n: npt.NDArray[Any]) -> FeatureSchema:
    if values_n.dtype.kind in "biuf":
        return FeatureSchema(name, "number", values_n.dtype.name)
    present = [value for value in values_n.tolist() if not _is_missing(value)]
    if present and all(isinstance(value, int | float) for value in present):
        return FeatureSchema(name, "number", "float64")
    return FeatureSchema(name, "category", "string", tuple(sorted({str(value) for value in present})))


def _column(feature: FeatureSchema, values_n: npt.NDArray[Any]) -> Floats:
    if feature.kind == "category":
        codes = {category: float(code) for code, category in enumerate(feature.categories)}
        return np.array(
            [np.nan if _is_missing(v) else codes.get(str(v), UNSEEN_CODE) for v in values_n.tolist()], dtype=np.float64
        )
    if values_n.ndim != 1 or values_n.dtype.kind in NO_NUMBERS:
        told = f"{values_n.ndim} dimensions of {values_n.dtype}"
        raise ValueError(
            f"column {feature.name!r} is not made of numbers: it has {told}, and one of real numbers is needed"
        )
    try:
        return values_n.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"column {feature.name!r} is not made of numbers: {exc}") from exc


def _as_labels(labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
    try:
        return np.asarray(labels, dtype=np.int64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"labels are not indices of classes: {exc}") from exc


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _as_matrix(scores: npt.ArrayLike) -> Floats:
    scores_nk = np.asarray(scores, dtype=np.float64)
    return scores_nk[:, None] if scores_nk.ndim == 1 else scores_nk
