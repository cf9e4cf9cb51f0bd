"""What a codec hands to the pipeline: graph inputs, and the raw features as the monitors want them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy.typing as npt

from gateway.admission.deadline import Urgency

__all__ = ["Decoded", "FeatureFault", "RowsRefused"]

FeatureFault = tuple[int, str, int]
"""Index of the feature (of kind ``rule``: of the rule), kind of the fault, number of rows that have it."""


class RowsRefused(Exception):
    """Well-formed rows break a ``reject`` policy or rule; the slow second pass says where.

    ``feature`` is the first that was found (of kind ``rule``, the rule), ``kind`` its fault, ``rows`` how many rows
    have it. ``judged_at_s`` is the Unix time that rules were judged by, so that the second pass finds the same.
    """

    def __init__(self, feature: str, kind: str, rows: int, *, judged_at_s: float | None = None) -> None:
        super().__init__(f"{feature} is {kind}")
        self.feature, self.kind, self.rows, self.judged_at_s = feature, kind, rows, judged_at_s


class Decoded(msgspec.Struct, eq=False, gc=False):
    """Rows of one request, ready to run, or their cells. Owned by the request: nobody else writes to the arrays.

    Parameters
    ----------
    n
        Rows.
    feeds
        Graph inputs by name, each with ``n`` as its first axis, after imputation.
    values_nd : (n, d) float32 or float64, or None
        Raw features before imputation, NaN for missing, codes for categories; ``None`` for a model without features.
    flags_n : (n,) uint16 or None
        ``*_FLAG`` bits of ``monitors.records``; ``None`` when no row has one.
    faults
        Flagged and imputed values, counted by feature and kind; rows that break a flagging rule, by rule.
    requested
        Names of the outputs that the client asked for; empty means all.
    binary
        Names of the outputs that the client wants as raw bytes.
    echo_id
        The id that the protocol's body carries, to be given back in the answer.
    cells
        One tuple of raw values a row, in the order of the features, where the rows are not a matrix yet and ``feeds``
        is empty: the rows of a whole batch become one matrix at a third of the cost (``gateway.codec.rows``).
    urgency
        What the body says of its deadline and priority, where its protocol has a place for that.
    """

    n: int
    feeds: dict[str, npt.NDArray[Any]]
    values_nd: npt.NDArray[Any] | None
    flags_n: npt.NDArray[Any] | None = None
    faults: tuple[FeatureFault, ...] = ()
    requested: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()
    echo_id: str | None = None
    cells: list[tuple[Any, ...]] | None = None
    urgency: Urgency | None = None
