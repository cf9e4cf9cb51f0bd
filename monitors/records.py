"""Records that cross a line: between processes, between hosts, between the two packages.

Everything here is a value: frozen, slotted, without behaviour that touches a clock, a file or a socket. Arrays name
their axes: ``n`` rows, ``d`` features, ``k`` classes. A record that holds arrays must not have them written to.
"""

from __future__ import annotations

import math
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
    "RULE_FLAG",
    "SHORTEST_WAIT_S",
    "UNSEEN_CODE",
    "UNSEEN_FLAG",
    "Alert",
    "AlertState",
    "Baseline",
    "Driver",
    "ErrorGuard",
    "Failure",
    "FailureStatus",
    "Failures",
    "FaultTotals",
    "FeatureKind",
    "FeatureSchema",
    "GateName",
    "GateResult",
    "Guards",
    "LatencyGuard",
    "ModelRoute",
    "Observation",
    "OutcomeGuard",
    "OutputSchema",
    "Page",
    "PredictionGuard",
    "Severity",
    "ShadowComparison",
    "ShadowGuard",
    "Standstill",
    "StreamInfo",
    "StreamKey",
    "TickSummary",
    "TrialFindings",
    "TrialSpec",
    "TrialStage",
    "TrueOutcome",
    "Variant",
    "Verdict",
]

Variant = Literal["stable", "canary", "shadow", "pinned", "constant"]
FeatureKind = Literal["number", "category"]
OutputKind = Literal["classification", "regression", "tensor"]
FailureStatus = Literal["masked", "client_error", "server_error", "timeout", "shed"]
Severity = Literal["info", "warning", "page"]
TrialStage = Literal["shadow", "canary", "baking"]
GateName = Literal["split", "errors", "latency", "predictions", "outcomes", "shadow", "baking"]
GateResult = Literal["pass", "abort", "inconclusive"]
AlertState = Literal["warn", "firing", "recovering", "resolved"]
ALERT_STATES: tuple[AlertState, ...] = ("warn", "firing", "recovering", "resolved")

UNSEEN_CODE = -1.0
"""Value of a categorical feature whose category the contract does not list."""

FALLBACK_FLAG = 1
IMPUTED_FLAG = 2
OUT_OF_RANGE_FLAG = 4
UNSEEN_FLAG = 8
BROKEN_FLAG = 16
RULE_FLAG = 32
"""Bits of ``Observation.flags_n``: answered in place of a failed canary; a value was filled in; outside the contract's
range; category not in the contract; the answer held a non-finite number; the row breaks a data-quality rule."""


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

    ``reference`` is the text of the version's ``reference.json``, ``evidence`` that of its ``evidence.json``; empty
    where the version has none. ``importances`` are those of the features, in their order; empty for 1 each.
    """

    model: str
    version: str
    digest: str
    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    reference: bytes = b""
    evidence: bytes = b""
    importances: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """Traffic of a version that an operator has accepted as normal, as the text of an evidence model.

    ``factor`` is how far thresholds rise so that its own replays keep the promise.
    """

    model: str
    version: str
    digest: str
    evidence: bytes
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """What decides whether a model is to have traffic, and of which version.

    ``resumed_at`` says in Unix seconds when a stop ended last, 0 for never.
    """

    model: str
    stable: str
    is_stopped: bool = False
    resumed_at: float = 0.0


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


SHORTEST_WAIT_S = 0.005
"""Seconds that a run must have waited for its thread for a ``Standstill`` to tell of it."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """A time for which the host kept a worker from its work, in Unix seconds: no answer of its was on time then.

    Without ``model`` and ``version`` its event loop did not turn; with both a run of that version waited for a thread
    that got no core, or for the loop to take it back.
    """

    worker: str
    began_at: float
    ended_at: float
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class FaultTotals:
    """Exact cumulative counts of contract faults of one version, summed over workers, rejected requests included.

    ``faults`` maps (feature, kind) to a count; kind is one of ``missing``, ``out_of_range``, ``unseen``,
    ``wrong_type``, ``unknown``, ``shape``, ``rule``; the feature of a ``rule`` is the rule's name. ``rows`` is the
    number of rows the contract has looked at.
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

    ``evidence`` and ``evidence_threshold`` are in nats, the largest since the alert opened and the level to cross, and
    ``None`` without evidence. ``calibration`` says what stands behind the alert: ``profile`` (the table that the
    version was profiled with), ``baseline`` (accepted live traffic), ``rule`` (a fact that needs no statistics), or
    ``uncalibrated`` (an effect threshold, which only warns). ``assumes`` says what a promise rests on and ``budget``
    what was promised. Times are Unix seconds.
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
    assumes: str = ""
    budget: str = ""
    resolved_at: float | None = None
    suggested_action: str = ""
    runbook: str = ""
    labels: dict[str, str] = field(default_factory=dict)


def _require(name: str, found: object, holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {expected}, not {found}")


_LEAST_SHARE = 1e-6
_MOST_TIMES = 1e6
"""Beyond these the arithmetic of the tests ends, and no traffic would ever decide anything."""


def _require_share(name: str, found: float) -> None:
    _require(name, found, _LEAST_SHARE <= found <= 1, f"a share of at least {_LEAST_SHARE:g} and at most 1")


def _require_ratio(found: float) -> None:
    _require("ratio", found, 1 <= found <= _MOST_TIMES, f"a number from 1 to {_MOST_TIMES:,.0f}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGuard:
    """How much more of its keys a candidate may fail.

    Parameters
    ----------
    margin
        The candidate passes when its share of failing keys is proven to be above stable's by less than this.
    ratio
        It is aborted when its keys are proven to fail more than this many times as fast as stable's.
    keys
        Least number of keys of the candidate before it can pass.
    bake_limit
        Share of failing keys above which a candidate that already has all traffic is rolled back.
    """

    margin: float = 0.01
    ratio: float = 1.1
    keys: int = 300
    bake_limit: float = 0.1

    def __post_init__(self) -> None:
        _require_share("margin", self.margin)
        _require_share("bake_limit", self.bake_limit)
        _require_ratio(self.ratio)
        _require("keys", self.keys, self.keys >= 1, "at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyGuard:
    """How much slower a candidate may be: each quantile at most ``ratio`` times stable's, and ``slack_ms`` more.

    The default is for any machine: a canary runs in a thread of its own, stable often on the event loop. Where the
    processors are overbooked that alone made the 95 % quantile of equal versions 35 and 102 ms.
    """

    quantiles: tuple[float, ...] = (0.5, 0.95)
    ratio: float = 1.5
    slack_ms: float = 100.0

    def __post_init__(self) -> None:
        is_inside = all(_LEAST_SHARE <= quantile <= 1 - _LEAST_SHARE for quantile in self.quantiles)
        is_listed = 1 <= len(self.quantiles) <= 5 and is_inside
        _require("quantiles", self.quantiles, is_listed, f"one to five numbers from {_LEAST_SHARE:g} to 1 less that")
        _require_ratio(self.ratio)
        _require("slack_ms", self.slack_ms, self.slack_ms >= 0, "milliseconds, not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionGuard:
    """How far the answers of the two versions may lie apart: the largest difference of two distribution functions."""

    distance: float = 0.3

    def __post_init__(self) -> None:
        _require_share("distance", self.distance)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeGuard:
    """How much more often a candidate may be wrong, by outcomes that come later.

    Parameters
    ----------
    margin
        The candidate passes when its share of wrong keys is proven to be above stable's by less than this.
    ratio
        It is aborted when its keys are proven to be wrong more than this many times as often as stable's.
    keys
        Least number of keys with an outcome on each arm before it can pass.
    scale
        Of a regression: the absolute error that counts as wholly wrong, in units of the target; smaller ones count by
        their share of it. ``None`` leaves regressions out.
    required
        Whether a step waits until outcomes have proven enough. Without, they can only abort.
    """

    margin: float = 0.05
    ratio: float = 1.1
    keys: int = 300
    scale: float | None = None
    required: bool = False

    def __post_init__(self) -> None:
        _require_share("margin", self.margin)
        _require_ratio(self.ratio)
        _require("keys", self.keys, self.keys >= 1, "at least 1")
        is_scale = self.scale is None or 0 < self.scale < math.inf
        _require("scale", self.scale, is_scale, "a number above 0, or null")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowGuard:
    """On which share of the same requests a shadow may answer otherwise, and how many comparisons it needs."""

    disagreement: float = 0.1
    comparisons: int = 500
    dropped: float = 0.05

    def __post_init__(self) -> None:
        _require_share("disagreement", self.disagreement)
        _require_share("dropped", self.dropped)
        _require("comparisons", self.comparisons, self.comparisons >= 1, "at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What a candidate is held to; ``None`` leaves a comparison out. Errors cannot be left out."""

    errors: ErrorGuard = ErrorGuard()
    latency: LatencyGuard | None = LatencyGuard()
    predictions: PredictionGuard | None = PredictionGuard()
    outcomes: OutcomeGuard | None = OutcomeGuard()
    shadow: ShadowGuard = ShadowGuard()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpec:
    """One stage of one rollout, as the evidence sees it: which two versions are compared, and by which rules.

    Parameters
    ----------
    rollout
        Identity of the rollout.
    step
        Index of the canary step; 0 in other stages.
    steps
        Number of canary steps of the rollout: they share its error probability.
    restarts
        How often the evidence of this stage had to begin anew: each beginning has less error probability to spend.
    weight_bp
        The candidate's share of the routing keys in basis points.
    since_revision
        Route revision from which on the weight is in force; older rows do not count.
    slow_s
        Time slice of a canary: an answer of either arm that took longer counts as a failure.
    """

    rollout: str
    model: str
    stable: str
    candidate: str
    stage: TrialStage
    step: int = 0
    steps: int = 1
    restarts: int = 0
    weight_bp: int = 0
    since_revision: int = 0
    slow_s: float = 0.25
    guards: Guards = Guards()

    @property
    def identity(self) -> tuple[str, TrialStage, int, int]:
        """What makes it the same trial: the rest may change under way."""
        return self.rollout, self.stage, self.step, self.restarts


@dataclass(frozen=True, slots=True)
class TrueOutcome:
    """What turned out to be right for a request: the name of the class, or the value; of several rows, the first's."""

    request_id: str
    outcome: str | float

    def __post_init__(self) -> None:
        _require("request_id", repr(self.request_id[:40]), 0 < len(self.request_id) <= 256, "1 to 256 characters")
        is_told = math.isfinite(self.outcome) if isinstance(self.outcome, float) else len(self.outcome) <= 256
        _require("outcome", repr(self.outcome)[:40], is_told, "a finite number or at most 256 characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one gate says of a candidate.

    Parameters
    ----------
    evidence, level
        Evidence against the candidate, and that at which it is aborted, in nats; ``None`` where the gate aborts by a
        bound instead.
    estimate, low, high
        The difference that the gate looks at, with its confidence sequence; ``margin`` is what it may be.
    samples, needed
        Keys (in the shadow: comparisons) of the candidate so far, and how many more would decide if all goes on like
        this; ``None`` where no number would, or nobody can say yet.
    why
        The same in words.
    """

    gate: GateName
    result: GateResult
    why: str
    evidence: float | None = None
    level: float | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    samples: int = 0
    needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFindings:
    """What a trial says now: a verdict of each gate, and how many records it has taken in so far.

    ``fault`` says what failed in gathering or judging its evidence; then there are no verdicts any more.
    """

    spec: TrialSpec
    verdicts: tuple[Verdict, ...]
    taken: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """That an alert woke a person, and whether an operator has called it false. Times are Unix seconds."""

    alert_id: str
    model: str
    version: str
    variant: Variant
    cause: str
    calibration: str
    paged_at: float
    summary: str
    is_false: bool = False
    marked_at: float | None = None
    marked_by: str = ""
    reason: str = ""
