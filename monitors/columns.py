"""Tables as columns of numbers and words, turned into the rows that monitors count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from monitors.evidence.rows import Rows
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
NO_WORDS = "cmMV"


def features_of(table: Columns) -> tuple[FeatureSchema, ...]:
    """Return what the columns hold: numbers, or categories, which are those that occur, sorted.

    Raises
    ------
    ValueError
        It is no table of columns, has none, or one holds times or something of more than one dimension.

    Examples
    --------
    >>> features_of({"age": [31, 40], "colour": ["red", None]})
    (FeatureSchema(name='age', kind='number', dtype='int64', categories=()),
     FeatureSchema(name='colour', kind='category', dtype='string', categories=('red',)))
    """
    names = _names(table)
    if not names:
        raise ValueError("the table has no columns")
    return tuple(_feature(str(name), _array(table[name], f"column {str(name)!r}")) for name in names)


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
        Has a column for each feature; others are ignored. ``None``, NaN and the NA of a data frame are missing.
    features
        What to take, in this order. A category that a feature does not list is unseen.
    scores : (n, k) or (n,)
        Probabilities, or a regression's values.
    labels : (n,) integers
        Index of the answered class.

    Raises
    ------
    ValueError
        It is no table of columns, a column is absent, is not of its feature's kind or not as long as the others, or
        scores or labels are no such.

    Examples
    --------
    >>> colour = FeatureSchema("colour", "category", "string", ("green", "red"))
    >>> rows_of({"colour": ["red", "blue", None]}, [colour]).values_nd.ravel().tolist()
    [1.0, -1.0, nan]
    """
    present = {str(name): name for name in _names(table)}
    absent = [feature.name for feature in features if feature.name not in present]
    if absent:
        raise ValueError(f"the table has no column for {absent}; it has {sorted(present)}")
    columns = [
        _column(feature, _array(table[present[feature.name]], f"column {feature.name!r}")) for feature in features
    ]
    scores_nk = None if scores is None else _as_matrix(scores)
    labels_n = None if labels is None else _as_labels(labels)
    parts = {feature.name: len(column) for feature, column in zip(features, columns, strict=True)}
    parts |= {name: len(part) for name, part in (("scores", scores_nk), ("labels", labels_n)) if part is not None}
    if len(set(parts.values())) != 1:
        raise ValueError(f"columns, scores and labels have one length, not {sorted(set(parts.values()))}: {parts}")
    return Rows(np.column_stack(columns), scores_nk, labels_n)


def _names(table: Columns) -> list[Any]:
    """Return the names of the columns."""
    if not callable(getattr(table, "keys", None)):
        raise ValueError(
            f"a table is columns by name, such as a dictionary of arrays or a data frame, not {type(table).__name__}"
        )
    return list(table.keys())


def _array(values: Any, what: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"{what} is not one value a row: {exc}") from exc


def _feature(name: str, values_n: npt.NDArray[Any]) -> FeatureSchema:
    if values_n.ndim == 1 and values_n.dtype.kind in NO_WORDS:
        raise ValueError(
            f"column {name!r} holds {values_n.dtype}: leave it out, or give what matters of it as a number, such as an "
            "age or an hour"
        )
    if values_n.dtype.kind in "biuf":
        return FeatureSchema(name, "number", values_n.dtype.name)
    present = [value for value in values_n.tolist() if not _is_missing(value)]
    if present and all(isinstance(value, int | float) for value in present):
        return FeatureSchema(name, "number", "float64")
    return FeatureSchema(name, "category", "string", tuple(sorted({str(value) for value in present})))


def _column(feature: FeatureSchema, values_n: npt.NDArray[Any]) -> Floats:
    if feature.kind == "category":
        if values_n.ndim != 1:
            raise ValueError(f"column {feature.name!r} has {values_n.ndim} dimensions, expected one category a row")
        codes = {category: float(code) for code, category in enumerate(feature.categories)}
        return np.array(
            [np.nan if _is_missing(v) else codes.get(str(v), UNSEEN_CODE) for v in values_n.tolist()], dtype=np.float64
        )
    if values_n.ndim != 1 or values_n.dtype.kind in NO_NUMBERS:
        told = f"{values_n.ndim} dimensions of {values_n.dtype}"
        raise ValueError(
            f"column {feature.name!r} is not made of numbers: it has {told}, and one of real numbers is needed"
        )
    if values_n.dtype.kind == "O":
        values_n = np.array([None if _is_missing(value) else value for value in values_n.tolist()], dtype=object)
    try:
        return values_n.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"column {feature.name!r} is not made of numbers: {exc}") from exc


def _as_labels(labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
    found = _array(labels, "labels")
    if found.ndim != 1 or found.dtype.kind in NO_NUMBERS:
        raise ValueError(f"labels are not indices of classes: {found.ndim} dimensions of {found.dtype}")
    try:
        with np.errstate(invalid="ignore"):
            labels_n = found.astype(np.int64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"labels are not indices of classes: {exc}") from exc
    if (labels_n != found).any():
        raise ValueError(f"labels are not indices of classes, whole numbers: {found[:5].tolist()}")
    return labels_n


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas' NA: whether it differs from itself is not known either
        return True


def _as_matrix(scores: npt.ArrayLike) -> Floats:
    found = _array(scores, "scores")
    if found.ndim not in (1, 2) or found.dtype.kind in NO_NUMBERS:
        raise ValueError(
            f"scores are numbers, one a row or one a row and class: found {found.ndim} dimensions of {found.dtype}"
        )
    try:
        scores_nk = found.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(f"scores are not made of numbers: {exc}") from exc
    return scores_nk[:, None] if scores_nk.ndim == 1 else scores_nk
