"""What users of the library give, checked before any of it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from monitors.columns import Columns, rows_of
from monitors.evidence.answers import AnswerChannels
from monitors.evidence.rows import Rows
from monitors.outputs import is_distribution
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["given_rows", "require_answers", "require_reference", "seconds_of"]

MOST_NAMED = 5


def given_rows(
    table: Columns | Rows,
    features: Sequence[FeatureSchema],
    scores: npt.ArrayLike | None,
    labels: npt.ArrayLike | None,
) -> Rows:
    """Return the rows of a table, or rows as they are.

    Raises
    ------
    ValueError
        They are no arrays of one length, or answers stand beside rows, which have their own.
    """
    if not isinstance(table, Rows):
        return rows_of(table, features, scores, labels)
    if scores is not None or labels is not None:
        raise ValueError("rows hold their answers: give scores and labels as Rows(values, scores, labels)")
    parts: dict[str, Any] = {"values": table.values_nd, "scores": table.scores_nk, "labels": table.labels_n}
    lengths = {name: _length(name, part) for name, part in parts.items() if part is not None}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"values, scores and labels of rows have one length: {lengths}")
    return table


def require_reference(rows: Rows, features: Sequence[FeatureSchema], output: OutputSchema) -> None:
    """Refuse a reference whose answers cannot be those of the output.

    Raises
    ------
    ValueError
        A feature is named twice; answers and output do not fit, or no answer is whole.
    """
    names = [feature.name for feature in features]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"features named twice: {doubled[:MOST_NAMED]}")
    is_answered = rows.scores_nk is not None or rows.labels_n is not None
    if is_answered != (output.kind != "tensor"):
        needs = "output says nothing of them" if is_answered else f"a {output.kind} needs scores or labels"
        raise ValueError(f"answers and output belong together, and {needs}: give both, or neither")
    if rows.labels_n is not None and output.kind == "classification" and len(rows):
        low, high = int(rows.labels_n.min()), int(rows.labels_n.max())
        if low < -1 or high >= len(output.classes):
            raise ValueError(f"labels are {low} to {high}, for {len(output.classes)} classes: indices from 0 on")
    _require_width(rows.scores_nk, output)
    if rows.scores_nk is not None and len(rows) and not _whole(rows.scores_nk, output).any():
        what = "probabilities that sum to one" if output.kind == "classification" else "a finite value"
        raise ValueError(f"no answer of the reference is {what}")


def _require_width(scores_nk: npt.NDArray[np.float64] | None, output: OutputSchema) -> None:
    expected = len(output.classes) if output.kind == "classification" else 1
    if scores_nk is not None and scores_nk.size and scores_nk.shape[1:] != (expected,):
        raise ValueError(f"scores of shape {scores_nk.shape}, expected {expected} columns: one a class, or one value")


def require_answers(rows: Rows, answers: AnswerChannels) -> None:
    """Refuse rows with answers that nobody looks at, or without those that the reference had.

    Raises
    ------
    ValueError
        As told.
    """
    is_answered = rows.scores_nk is not None or rows.labels_n is not None
    if is_answered and answers.output.kind == "tensor":
        raise ValueError("the reference had no answers: leave scores and labels out, or fit with them and an output")
    if rows.labels_n is None and answers.output.kind == "classification" and not answers.columns:
        raise ValueError("the reference had labels and no scores: give labels")


def seconds_of(times: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    """Return times as seconds: numbers as they are, ``datetime64`` of any unit since 1970.

    Raises
    ------
    ValueError
        They are neither, or not one a row.

    Examples
    --------
    >>> seconds_of(np.array(["1970-01-02", "1970-01-03"], dtype="datetime64[ns]"), 2).tolist()
    [86400.0, 172800.0]
    """
    found: npt.NDArray[Any] = np.asarray(times)
    if found.shape != (n,) or found.dtype.kind not in "biufM":
        raise ValueError(
            f"times_s are {n} numbers of seconds or datetime64, one a row: found {found.dtype} of shape {found.shape}"
        )
    if found.dtype.kind == "M":
        return np.asarray((found - np.datetime64(0, "s")) / np.timedelta64(1, "s"), dtype=np.float64)
    return found.astype(np.float64)


def _length(name: str, part: Any) -> int:
    """Return how many rows a part of ``Rows`` has, which may be anything that a user put there."""
    found = getattr(part, "dtype", type(part).__name__)
    if not isinstance(part, np.ndarray) or part.ndim == 0 or part.dtype.kind not in "biuf":
        raise ValueError(f"the {name} of rows are an array of numbers, not {found}")
    return len(part)


def _whole(scores_nk: npt.NDArray[np.float64], output: OutputSchema) -> npt.NDArray[np.bool_]:
    """Return which answers are whole; all where their columns do not fit, which is refused elsewhere."""
    if output.kind == "classification" and scores_nk.shape[1:] == (len(output.classes),):
        return is_distribution(scores_nk)
    return np.asarray(np.isfinite(scores_nk).reshape(len(scores_nk), -1).all(axis=1))
