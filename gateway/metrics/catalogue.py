"""Every metric that Weir exposes. What is not listed here cannot be counted, and a panel or rule cannot name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["CATALOGUE", "METRICS", "Kind", "Metric"]

Kind = Literal["counter", "gauge", "histogram", "info"]

_STREAM = ("model", "version", "variant")
_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_INFERENCE_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0)
_PHASE_BUCKETS = (0.000025, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.05, 0.25)
_BATCH_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0)
_DELAY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_VARIANTS: dict[str, tuple[str, ...]] = {"variant": ("stable", "canary", "shadow", "pinned", "constant")}

_GATES: dict[str, tuple[str, ...]] = {
    "gate": ("split", "errors", "latency", "predictions", "outcomes", "shadow", "baking")
}
_EVIDENCE: dict[str, tuple[str, ...]] = {"cause": ("inputs", "answers", "confidence", "broken")}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    Parameters
    ----------
    name
        Full name as exposed, with the suffix ``_total`` or ``_info`` where there is one.
    kind
        How values of several workers combine: counters and histograms add up over workers of all times, gauges over
        those alive (a gauge in the unit ``ratio`` is averaged).
    unit
        Base unit or the noun that is counted.
    labels
        Label names, in the order of the documentation.
    help
        One sentence, without a full stop at its end.
    buckets
        Upper bounds of a histogram, ascending, without infinity.
    internal
        True for what is on no dashboard.
    values
        Labels with a closed set of values; a worker cannot count under any other.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    internal: bool = False
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def scale(self) -> int:
        """Steps of one unit in which a counter and a histogram's sum are kept: exact addition needs integers."""
        return 1_000_000_000 if self.unit == "seconds" else 1


CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "weir_requests_total", "counter", "requests", (*_STREAM, "outcome"),
        "Prediction requests answered or refused, each once, under the variant that answered; under stable and as shed "
        "where the worker had no room, the model is stopped, or no version that may answer is loaded",
        values=_VARIANTS | {"outcome": ("ok", "client_error", "server_error", "timeout", "shed")},
    ),
    Metric(
        "weir_request_duration_seconds", "histogram", "seconds", _STREAM,
        "Time from the first byte of a prediction request to its answer",
        buckets=_LATENCY_BUCKETS, values=_VARIANTS,
    ),
    Metric(
        "weir_inference_duration_seconds", "histogram", "seconds", _STREAM,
        "Time of one session run, all rows of the batch together",
        buckets=_INFERENCE_BUCKETS, values=_VARIANTS,
    ),
    Metric(
        "weir_phase_duration_seconds", "histogram", "seconds", ("model", "variant", "phase"),
        "Where the time of a request goes, one request of every eighth run: decode from first byte to queue, queue, "
        "encode, and overhead, which is all but queue and run",
        buckets=_PHASE_BUCKETS, values=_VARIANTS | {"phase": ("decode", "queue", "encode", "overhead")},
    ),
    Metric("weir_rows_total", "counter", "rows", _STREAM, "Rows answered", values=_VARIANTS),
    Metric("weir_runs_total", "counter", "runs", _STREAM, "Session runs", values=_VARIANTS),
    Metric(
        "weir_batch_rows", "histogram", "rows", ("model", "version"),
        "Rows that one session run took together", buckets=_BATCH_BUCKETS,
    ),
    Metric("weir_inflight_requests", "gauge", "requests", (), "Prediction requests being answered now"),
    Metric("weir_queue_rows", "gauge", "rows", ("model", "version"), "Rows waiting for a session run"),
    Metric(
        "weir_shed_requests_total", "counter", "requests", ("reason", "priority"),
        "Requests given up before a model saw them, by why and how urgent they were",
        values={
            "reason": ("concurrency_limit", "deadline_unreachable", "draining", "queue_full", "deadline_passed"),
            "priority": ("high", "normal", "low"),
        },
    ),
    Metric("weir_quota_refused_total", "counter", "requests", (), "Requests of clients that were over their quota"),
    Metric(
        "weir_concurrency_limit", "gauge", "requests", (),
        "Requests that may be in flight: the ceiling in the calm, what the measured delay allows in an overload",
    ),
    Metric("weir_store_away_workers", "gauge", "workers", (), "Workers that the state store does not answer"),
    Metric("weir_shedding_workers", "gauge", "workers", (), "Workers that are overloaded and hold their delay down"),
    Metric(
        "weir_event_loop_lag_seconds", "histogram", "seconds", (),
        "Longest lateness of the event loop in each tenth of a second", buckets=_LAG_BUCKETS,
    ),
    Metric(
        "weir_feature_faults_total", "counter", "faults", ("model", "version", "feature", "kind"),
        "Values that broke the contract, those of rejected requests included",
        values={"kind": ("missing", "out_of_range", "unseen", "wrong_type", "unknown", "shape")},
    ),
    Metric(
        "weir_rule_broken_rows_total", "counter", "rows", ("model", "version", "rule"),
        "Rows that broke a data-quality rule, those of requests refused for it included",
    ),
    Metric("weir_contract_rows_total", "counter", "rows", ("model", "version"), "Rows checked against the contract"),
    Metric(
        "weir_canary_fallback_total", "counter", "requests", ("model", "version", "reason"),
        "Requests for the canary that stable answered, by the canary's version",
        values={"reason": ("error", "timeout", "busy", "rejected")},
    ),
    Metric(
        "weir_canary_tripped", "gauge", "workers", ("model", "version"),
        "Workers that have set their local share of this canary to nothing",
    ),
    Metric(
        "weir_shadow_requests_total", "counter", "requests", ("model", "version", "result"),
        "Answered requests repeated on a shadow version",
        values={"result": ("agree", "disagree", "error", "dropped")},
    ),
    Metric(
        "weir_monitor_observations_total", "counter", "rows", (*_STREAM, "result"),
        "Answered rows by what became of them on the way to the watch",
        values=_VARIANTS | {"result": ("sampled", "skipped", "dropped")},
    ),
    Metric(
        "weir_monitor_sampled_ratio", "gauge", "ratio", _STREAM,
        "Share of the answered rows that the watch sees", values=_VARIANTS,
    ),
    Metric(
        "weir_broken_outputs_total", "counter", "rows", _STREAM,
        "Answered rows with a score that is not a finite number", values=_VARIANTS,
    ),
    Metric(
        "weir_http_requests_total", "counter", "requests", ("route", "status"),
        "HTTP requests by route pattern and status code",
    ),
    Metric(
        "weir_grpc_requests_total", "counter", "requests", ("method", "code"),
        "RPCs that have ended, by method and status; a stream counts once",
    ),
    Metric(
        "weir_sign_ins_refused_total", "counter", "requests", ("reason",),
        "Requests with a token that was not valid; throttled are those beyond what an address has free",
        values={"reason": ("invalid", "throttled")},
    ),
    Metric(
        "weir_route_apply_delay_seconds", "histogram", "seconds", (),
        "Time from the change of a route to its use by a worker", buckets=_DELAY_BUCKETS,
    ),
    Metric(
        "weir_model_loads_total", "counter", "loads", ("model", "result"), "Attempts to load a version",
        values={"result": ("ready", "failed", "refused")},
    ),
    Metric(
        "weir_model_memory_bytes", "gauge", "bytes", ("model", "version"),
        "Memory that a loaded version took outside Python, at least its weights, all workers together",
    ),
    Metric(
        "weir_model_sessions", "gauge", "versions", ("model", "version", "provider"),
        "Workers that have a version loaded, by the execution provider that it runs on",
        values={"provider": ("cpu", "cuda", "tensorrt", "openvino")},
    ),
    Metric("weir_series", "gauge", "series", (), "Series on this page"),
    Metric("weir_series_allowed", "gauge", "series", (), "Series that this page may have, by metrics.series"),
    Metric(
        "weir_series_left_out", "gauge", "series", (),
        "Series that this page had no room for: whole metrics, those at the end of the catalogue first",
    ),
    Metric(
        "weir_series_dropped_total", "counter", "series", (),
        "Series that a worker could not count apart because its budget of series was used up",
    ),
    Metric(
        "weir_variant_weight_ratio", "gauge", "ratio", _STREAM,
        "Share of the traffic that the route gives to a version; of a shadow, the share of stable's answers it repeats",
        values=_VARIANTS,
    ),
    Metric("weir_route_revision", "gauge", "revision", ("model",), "Revision of the route in force"),
    Metric(
        "weir_route_lagging_workers", "gauge", "processes", ("model",),
        "Workers that answer a model by an older route than the one in force",
    ),
    Metric("weir_model_stopped", "gauge", "bool", ("model",), "Whether operators have put the model into a safe state"),
    Metric(
        "weir_drift_effect", "gauge", "effect", (*_STREAM, "feature", "statistic"),
        "Difference of a feature from its reference, by statistic",
        values=_VARIANTS
        | {"statistic": ("psi", "jensen_shannon", "ks", "wasserstein", "missing", "unseen")},
    ),
    Metric(
        "weir_drift_null_band", "gauge", "effect", (*_STREAM, "feature", "statistic"),
        "What a statistic stays below in 95 % of windows of the present size when nothing has changed",
        values=_VARIANTS | {"statistic": ("psi", "jensen_shannon", "ks")},
    ),
    Metric(
        "weir_uncalibrated_statistic", "gauge", "statistic", (*_STREAM, "detector", "signal"),
        "Statistic of a detector of monitor.detectors on the tick means of a feature or answer",
        internal=True, values=_VARIANTS,
    ),
    Metric(
        "weir_uncalibrated_detections", "gauge", "detections", (*_STREAM, "detector", "signal"),
        "Times that the detector has spoken since the watch began; nothing bounds how often without cause",
        internal=True, values=_VARIANTS,
    ),
    Metric(
        "weir_evidence_nats", "gauge", "nats", (*_STREAM, "cause"),
        "Evidence that a stream has changed, since the last page", values=_VARIANTS | _EVIDENCE,
    ),
    Metric(
        "weir_evidence_page_nats", "gauge", "nats", (*_STREAM, "cause"),
        "Evidence at which a cause pages within the budget of false pages", values=_VARIANTS | _EVIDENCE,
    ),
    Metric(
        "weir_prediction_share", "gauge", "ratio", (*_STREAM, "class"),
        "Share of the answers that name a class", values=_VARIANTS,
    ),
    Metric("weir_prediction_entropy_nats", "gauge", "nats", _STREAM, "Mean entropy of an answer", values=_VARIANTS),
    Metric(
        "weir_prediction_margin_ratio", "gauge", "ratio", _STREAM,
        "Mean difference between the two highest probabilities of an answer", values=_VARIANTS,
    ),
    Metric(
        "weir_confidence_collapse_index", "gauge", "index", _STREAM,
        "How far confidence has fallen apart against the reference: 0 not at all, 1 completely", values=_VARIANTS,
    ),
    Metric(
        "weir_confidence_collapse_beyond_mix", "gauge", "index", _STREAM,
        "The same against what the present mix of answered classes leads to: what a change of traffic does not explain",
        values=_VARIANTS,
    ),
    Metric(
        "weir_prediction_position", "gauge", "position", _STREAM,
        "Mean position of a regression's answers in the reference's distribution; 0.5 is as there",
        internal=True, values=_VARIANTS,
    ),
    Metric(
        "weir_prediction_position_spread", "gauge", "spread", _STREAM,
        "Spread of a regression's answers in the reference's distribution; 1 is as there, 0 a constant answer",
        internal=True, values=_VARIANTS,
    ),
    Metric(
        "weir_segment_share", "gauge", "ratio", (*_STREAM, "segment"),
        "Share of the rows that belong to a segment of the reference", internal=True, values=_VARIANTS,
    ),
    Metric(
        "weir_segment_effect", "gauge", "effect", (*_STREAM, "segment", "statistic"),
        "Largest effect in a segment beyond what its sample size explains, against its own rows of the reference",
        values=_VARIANTS | {"statistic": ("wasserstein", "missing", "unseen", "share")},
    ),
    Metric(
        "weir_estimated_accuracy_ratio", "gauge", "ratio", (*_STREAM, "method"),
        "Share of the answers that are right, estimated without labels; absent where the reference has none",
        values=_VARIANTS | {"method": ("cbpe", "atc", "bbse")},
    ),
    Metric(
        "weir_estimated_accuracy_spread", "gauge", "ratio", _STREAM,
        "Largest difference between two methods that estimate accuracy", values=_VARIANTS,
    ),
    Metric(
        "weir_estimated_label_share", "gauge", "ratio", (*_STREAM, "class"),
        "Share of a class among the true labels, estimated from the answers as label shift",
        internal=True, values=_VARIANTS,
    ),
    Metric(
        "weir_alert_state", "gauge", "state", ("model", "version", "cause", "severity"),
        "State of the alert of this cause and severity: 0 none is open, 1 warn, 2 recovering, 3 firing",
        values={"severity": ("info", "warning", "page")},
    ),
    Metric("weir_pages", "gauge", "pages", ("model",), "Pages of the monitors in the last four weeks"),
    Metric(
        "weir_false_pages", "gauge", "pages", ("model",),
        "Pages of the last four weeks that operators have marked false",
    ),
    Metric(
        "weir_false_pages_allowed", "gauge", "pages", ("model",), "False pages that the budget allows in four weeks",
    ),
    Metric("weir_monitor_rows_total", "counter", "rows", _STREAM, "Rows the watch has summarised", values=_VARIANTS),
    Metric(
        "weir_monitor_tick_timestamp_seconds", "gauge", "seconds", (),
        "Unix time at which the watch finished its last tick",
    ),
    Metric(
        "weir_shadow_agreement_ratio", "gauge", "ratio", ("model", "version"),
        "Share of the rows on which a shadow gave the answer that the client got",
    ),
    Metric(
        "weir_shadow_score_difference", "gauge", "difference", ("model", "version"),
        "Mean distance between a shadow's scores and those that the client got",
    ),
    Metric(
        "weir_prediction_log_records_total", "counter", "records", ("kind",), "Records written to the prediction log",
        internal=True, values={"kind": ("answer", "failure")},
    ),
    Metric(
        "weir_access_log_dropped_total", "counter", "lines", (),
        "Lines of the access log that were not written because its queue was full",
        internal=True,
    ),
    Metric(
        "weir_trace_spans_total", "counter", "spans", ("outcome",),
        "Spans of sampled traces by what became of them: exported, refused by the collector or not taken in time, "
        "dropped since too many waited, or unsent when a worker ended",
        internal=True, values={"outcome": ("exported", "refused", "queue_full", "unsent")},
    ),
    Metric(
        "weir_prediction_log_dropped_total", "counter", "records", ("reason",),
        "Records that did not reach the prediction log; failures sampled_out and channel_full stayed with a worker",
        internal=True,
        values={
            "reason": ("sampled_out", "channel_full", "queue_full", "unknown_version", "invalid", "disk"),
        },
    ),
    Metric(
        "weir_prediction_log_written_bytes_total", "counter", "bytes", (),
        "Bytes of lines written to the prediction log, before packing", internal=True,
    ),
    Metric(
        "weir_prediction_log_size_bytes", "gauge", "bytes", (),
        "Bytes that the prediction log took on disk when its files were last looked at", internal=True,
    ),
    Metric("weir_workers", "gauge", "processes", ("role",), "Processes alive, by role"),
    Metric("weir_worker_restarts_total", "counter", "restarts", ("role",), "Processes started again after they ended"),
    Metric(
        "weir_process_cpu_seconds_total", "counter", "seconds", ("role",),
        "Processor time that processes have used, those that have ended included",
        values={"role": ("worker", "shadow", "watch")},
    ),
    Metric(
        "weir_process_resident_memory_bytes", "gauge", "bytes", ("role",),
        "Memory of the processes alive, what they share counted for each",
        values={"role": ("worker", "shadow", "watch")},
    ),
    Metric(
        "weir_leader", "gauge", "bool", (),
        "Whether the watch of this host leads the rollouts; no host does while there are none",
    ),
    Metric("weir_rollouts", "gauge", "rollouts", (), "Rollouts that are not over, the same on all hosts"),
    Metric(
        "weir_rollouts_frozen", "gauge", "bool", (),
        "Whether rollouts that this host led stand still because the state store does not answer",
    ),
    Metric(
        "weir_rollout_state", "gauge", "bool", ("model", "version", "state"),
        "The state that a rollout of a version is in; always 1, and gone when it is over",
        values={
            "state": (
                "draft", "validating", "shadow", "canary", "baking", "holding", "paused", "rolling_back",
            )
        },
    ),
    Metric(
        "weir_rollout_step", "gauge", "step", ("model", "version"),
        "The canary step that a rollout is in, from 1; 0 in other stages",
    ),
    Metric(
        "weir_rollout_weight_ratio", "gauge", "ratio", ("model", "version"),
        "Share of the keys that a rollout's present step gives to the canary",
    ),
    Metric(
        "weir_rollout_held_seconds", "gauge", "seconds", ("model", "version"),
        "How long a rollout has been held, as its leader counts it; 0 while it is not",
    ),
    Metric(
        "weir_rollout_gate", "gauge", "result", ("model", "version", "gate"),
        "What a gate of the present stage says: 1 pass, 0 inconclusive, -1 abort", values=_GATES,
    ),
    Metric(
        "weir_rollout_samples", "gauge", "samples", ("model", "version", "gate"),
        "Keys of the candidate (in the shadow, comparisons) that a gate has seen in this stage", values=_GATES,
    ),
    Metric(
        "weir_rollout_samples_needed", "gauge", "samples", ("model", "version", "gate"),
        "How many more would pass a gate if all goes on like this; absent where no number would", values=_GATES,
    ),
    Metric(
        "weir_rollout_evidence_nats", "gauge", "nats", ("model", "version", "gate"),
        "Evidence against a candidate (of the split, against the split), where the gate weighs it", values=_GATES,
    ),
    Metric(
        "weir_rollout_abort_nats", "gauge", "nats", ("model", "version", "gate"),
        "Evidence at which a gate aborts within its share of a rollout's error budget", values=_GATES,
    ),
    Metric(
        "weir_rollout_aborts_total", "counter", "aborts", ("model", "gate"),
        "Candidates taken back, by what decided: a gate, the deadline of a hold (stall), a failed load, a crash",
        values={"gate": ("errors", "latency", "predictions", "outcomes", "shadow", "baking", "stall", "load", "crash")},
    ),
    Metric(
        "weir_rollout_outcomes_total", "counter", "outcomes", ("model", "result"),
        "Outcomes reported for a rollout's requests: joined with an answer, of a request that is not (or no longer) "
        "remembered or was compared before, of a kind that cannot be compared with the answer",
        values={"result": ("joined", "unknown", "unusable")},
    ),
    Metric(
        "weir_rollout_failures_total", "counter", "failures", ("model", "part"),
        "Stages of a model's rollouts that are held since the watch failed to gather their evidence or to steer them",
        values={"part": ("evidence", "steering")},
    ),
    Metric("weir_quarantined_versions", "gauge", "versions", ("model",), "Versions in quarantine"),
    Metric(
        "weir_automatic_rollbacks", "gauge", "rollbacks", ("model",),
        "Automatic rollbacks of a model in the last day; three freeze automation",
    ),
    Metric(
        "weir_audit_checkpoint_timestamp_seconds", "gauge", "unix", (),
        "When this host wrote a checkpoint of the audit log last; absent until it has written one",
    ),
    Metric(
        "weir_audit_checkpoint_overdue_seconds", "gauge", "seconds", (),
        "How long a checkpoint of the audit log has been due on this host, or refused because the log does not follow "
        "from the one before; 0 while none is",
    ),
    Metric(
        "weir_break_glass_grants", "gauge", "grants", ("model", "state"),
        "Break-glass grants of a model's versions: in force, and those that are over and that nobody has reviewed",
        values={"state": ("in_force", "unreviewed")},
    ),
    Metric("weir_audit_records_total", "counter", "records", (), "Records in the audit log, the same on all hosts"),
    Metric("weir_build_info", "info", "", ("version", "revision", "python"), "The build that runs here; always 1"),
    Metric("weir_model_info", "info", "", ("model", "version", "digest"), "A version that is loaded; always 1"),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in CATALOGUE}
