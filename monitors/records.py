"""Records that cross a line: between processes, between hosts, between the two packages.

Everything here is a value: frozen, slotted, without behaviour that touches a clock, a file or a socket. Arrays name
their axes: ``n`` rows, ``d`` features, ``k`` classes. A record that holds arrays must not have them written to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "ALERT_STATES",
    "BROKEN_FLAG",
    "FALLBACK_FLAG",
    "IMPUTED_FLAG",
    "OUT_OF_RANGE_FLAG",
    "UNSEEN_CODE",
    "UNSEEN_FLAG",
    "Alert",
    "AlertState",
    "Driver",
    "Failure",
    "FailureStatus",
    "Failures",
    "FaultTotals",
    "FeatureKind",
    "FeatureSchema",
    "Observation",
    "OutputSchema",
    "Severity",
    "ShadowComparison",
    "StreamInfo",
    "StreamKey",
    "TickSummary",
    "Variant",
]

Variant = Literal["stable", "canary", "shadow", "pinned"]
FeatureKind = Literal["number", "category"]
OutputKind = Literal["classification", "regression", "tensor"]
FailureStatus = Literal["masked", "client_error", "server_error", "timeout", "shed"]
Severity = Literal["info", "warning", "page"]
AlertState = Literal["warn", "firing", "recovering", "resolved"]
ALERT_STATES: tuple[AlertState, ...] = ("warn", "firing", "recovering", "resolved")

UNSEEN_CODE = -1.0
"""Value of a categorical feature whose category the contract does not list."""

FALLBACK_FLAG = 1
IMPUTED_FLAG = 2
OUT_OF_RANGE_FLAG = 4
UNSEEN_FLAG = 8
BROKEN_FLAG = 16
"""Bits of ``Observation.flags_n``: answered in place of a failed canary; a value was filled in; outside the contract's
range; category not in the contract; the answer held a non-finite number."""


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """One raw feature as the client sends it.

    ``categories`` gives the meaning of the codes in ``Observation.values_nd`` for a feature of kind ``category``; it is
    empty for a number, and for a free-text feature whose categories nobody declared (then only missing is visible).
    """

    name: str
    kind: FeatureKind
    dtype: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """What a version answers: ``classes`` in the order of the columns of ``Observation.scores_nk``."""

    kind: OutputKind
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Identity of a stream of answers: one version playing one role for one model."""

    model: str
    version: str
    digest: str
    variant: Variant


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a watcher must know of a version before it can read that version's observations.

    ``reference`` is the text of the version's ``reference.json``; empty where the version has none.
    """

    model: str
    version: str
    digest: str
    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    reference: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A block of answered rows of one stream, as sampled by one worker.

    Parameters
    ----------
    key
        The stream the rows belong to.
    worker
        Name of the worker process, unique over restarts.
    route_revision
        Revision of the route document that chose the version.
    sampled_ratio
        Share of the stream's rows that the sample kept, in (0, 1].
    request_ids
        One per row; rows of one request repeat it.
    answered_at_n : (n,) float64
        Unix time in seconds, set by the worker; decides the tick a row belongs to.
    key_hashes_n : (n,) uint64
        Salted hash of the routing key; 0 where the client sent none.
    values_nd : (n, d) float64
        Raw features in the order of ``StreamInfo.features``, before imputation. NaN is missing; a category is its code,
        ``UNSEEN_CODE`` when the contract does not list it.
    labels_n : (n,) int32
        Index of the answered class; -1 for a version without classes.
    scores_nk : (n, k) float64
        Probabilities, or the regression value as one column; k is 0 for other outputs.
    durations_n : (n,) float32
        Seconds from the first byte of the request to its answer.
    flags_n : (n,) uint16
        Bits ``*_FLAG``.
    """

    key: StreamKey
    worker: str
    route_revision: int
    sampled_ratio: float
    request_ids: tuple[str, ...]
    answered_at_n: npt.NDArray[np.float64]
    key_hashes_n: npt.NDArray[np.uint64]
    values_nd: npt.NDArray[np.float64]
    labels_n: npt.NDArray[np.int32]
    scores_nk: npt.NDArray[np.float64]
    durations_n: npt.NDArray[np.float32]
    flags_n: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class ShadowComparison:
    """Answers of a shadow version beside the answers that the clients got, row by row.

    ``agrees_n`` is true where the labels are equal (for regression: where the difference is within the tolerance of the
    shadow process). ``score_differences_n`` is the total variation distance between the two probability rows, or the
    absolute difference of the two regression values.
    """

    key: StreamKey
    answered_by: str
    worker: str
    request_ids: tuple[str, ...]
    answered_at_n: npt.NDArray[np.float64]
    agrees_n: npt.NDArray[np.bool_]
    score_differences_n: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One request that a version failed; ``masked`` where stable answered it instead.

    ``model`` is as the client named it where no version was found, and ``version`` is then empty. ``reason`` is one of
    a closed set of words. ``sampled_ratio`` is the share of such failures that the worker passed on.
    """

    request_id: str
    failed_at: float
    model: str
    version: str
    digest: str
    variant: Variant | None
    route_revision: int
    key_hash: int
    status: FailureStatus
    reason: str
    duration_s: float
    sampled_ratio: float


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures that one worker has sampled; for the prediction log, the monitors do not look at them."""

    worker: str
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class FaultTotals:
    """Exact cumulative counts of contract faults of one version, summed over workers, rejected requests included.

    ``faults`` maps (feature, kind) to a count; kind is one of ``missing``, ``out_of_range``, ``unseen``,
    ``wrong_type``, ``unknown``. ``rows`` is the number of rows the contract has looked at.
    """

    model: str
    version: str
    rows: int
    faults: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True, eq=False)
class TickSummary:
    """The additive record of one stream over one tick: what travels between hosts.

    Two summaries of the same stream, tick and layout merge by adding ``rows`` and ``cells``; every cell is an
    integer, so the result does not depend on how rows were split over batches, workers or hosts.

    Parameters
    ----------
    key
        The stream.
    tick_start_ms
        Start of the tick, Unix time in milliseconds, a multiple of ``tick_ms``.
    tick_ms
        Length of the tick.
    layout_digest
        Identity of the cell layout (channels and bin edges); summaries of different layouts must not be merged.
    rows
        Rows summarised.
    cells : (c,) int64
        Counts and fixed-point sums, in the order of the layout.
    """

    key: StreamKey
    tick_start_ms: int
    tick_ms: int
    layout_digest: str
    rows: int
    cells: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Driver:
    """One feature or output that moved: by how much, in which statistic, from what to what.

    ``before`` and ``after`` are sentences in the feature's own unit ("median 0.5", "missing 0.1 %").
    """

    name: str
    statistic: str
    effect: float
    threshold: float
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One incident of one cause on one version; features that join it later do not open another.

    ``evidence`` and ``evidence_threshold`` are in nats and ``None`` where the cause is judged by effect alone, which
    ``calibration`` says (``uncalibrated``). Times are Unix seconds.
    """

    id: str
    model: str
    version: str
    variant: Variant
    cause: str
    state: AlertState
    severity: Severity
    effect: float
    threshold: float
    since: float
    updated_at: float
    summary: str
    drivers: tuple[Driver, ...] = ()
    evidence: float | None = None
    evidence_threshold: float | None = None
    calibration: str = "uncalibrated"
    resolved_at: float | None = None
    suggested_action: str = ""
    runbook: str = ""
    labels: dict[str, str] = field(default_factory=dict)
