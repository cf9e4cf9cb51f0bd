"""The rows of Weir's dashboards: which panels, and which expressions they show."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from grafana.panels import Query, lines, listing, states

__all__ = ["HOST", "MODEL", "OVER", "Panels", "delivery", "drift", "requests", "saturation"]

Panels = Sequence[Builder[dashboard.Panel]]

HOST = 'job=~"$job",instance=~"$instance"'
MODEL = f'{HOST},model=~"$model"'
OVER = "[$__rate_interval]"
_BY = "by (model, version, variant)"
_STREAM = "{{model}} {{version}} {{variant}}"
_VERSION = "{{model}} {{version}}"


def requests() -> Panels:
    """Return rate, errors and duration of the requests."""
    total = _rate("weir_requests_total")
    failed = _rate("weir_requests_total", matchers=f'{MODEL},outcome=~"server_error|timeout|shed"')
    latency = "weir_request_duration_seconds"
    return [
        lines("Requests", "Prediction requests by the version that answered.", "reqps", Query(total, _STREAM)),
        lines(
            "Failed requests",
            "Share of the requests that ended in a server error, a timeout or were shed.",
            "percentunit",
            Query(f"({failed} or 0 * {total}) / {total}", _STREAM),
        ),
        lines(
            "Outcomes",
            "Prediction requests by outcome.",
            "reqps",
            Query(_rate("weir_requests_total", "by (model, outcome)"), "{{model}} {{outcome}}"),
        ),
        lines(
            "Latency",
            "Time from the first byte of a request to its answer: median, 95th and 99th percentile.",
            "s",
            *(Query(_quantile(q, latency), f"{_STREAM} p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
        ),
        lines(
            "Inference time",
            "Time of one session run: median and 99th percentile.",
            "s",
            *(Query(_quantile(q, "weir_inference_duration_seconds"), f"{_STREAM} p{q * 100:g}") for q in (0.5, 0.99)),
        ),
        lines(
            "HTTP and gRPC",
            "All requests and RPCs, those of probes and operators included.",
            "reqps",
            Query(_rate("weir_http_requests_total", "by (route, status)", HOST), "{{route}} {{status}}"),
            Query(_rate("weir_grpc_requests_total", "by (method, code)", HOST), "{{method}} {{code}}"),
        ),
    ]


def delivery() -> Panels:
    """Return what routes, canaries and shadows do."""
    return [*_split(), *_versions()]


def drift() -> Panels:
    """Return what the watch sees in input and answers."""
    return [*_inputs(), *_answers()]


def saturation() -> Panels:
    """Return how full queues, channels and the process tree are."""
    return [*_queues(), *_processes()]


def _split() -> Panels:
    version = "by (model, version)"
    return [
        lines(
            "Traffic weights",
            "Share of the traffic that the route gives to each version; of a shadow, the share it repeats.",
            "percentunit",
            Query(_latest("weir_variant_weight_ratio"), _STREAM),
            most=1,
        ),
        lines(
            "Canary fallback",
            "Requests for the canary that stable had to answer. Clients saw no error.",
            "reqps",
            Query(_rate("weir_canary_fallback_total", "by (model, version, reason)"), f"{_VERSION} {{{{reason}}}}"),
        ),
        lines(
            "Tripped canaries",
            "Workers that have taken the canary out after failures in a row.",
            "none",
            Query(_latest("weir_canary_tripped", version, over="sum"), _VERSION),
        ),
    ]


def _versions() -> Panels:
    version = "by (model, version)"
    return [
        lines(
            "Shadow requests",
            "Answered requests repeated on a shadow version, by result.",
            "reqps",
            Query(_rate("weir_shadow_requests_total", "by (model, version, result)"), f"{_VERSION} {{{{result}}}}"),
        ),
        lines(
            "Shadow agreement",
            "Share of the rows on which the shadow gave the client's answer, and the mean distance of the scores.",
            "percentunit",
            Query(_latest("weir_shadow_agreement_ratio", version, over="min"), f"{_VERSION} agreement"),
            Query(_latest("weir_shadow_score_difference", version), f"{_VERSION} score difference"),
        ),
        lines(
            "Route revision",
            "Revision of the route in force. A step is a change.",
            "none",
            Query(_latest("weir_route_revision", "by (model)"), "{{model}}"),
        ),
        lines(
            "Route apply delay",
            "95th percentile of the time from a change of the route to its use by a worker.",
            "s",
            Query(_quantile(0.95, "weir_route_apply_delay_seconds", "by (le)", HOST), "p95"),
        ),
        lines(
            "Model loads",
            "Attempts to load a version in the past hour, by result.",
            "none",
            Query(f"sum by (model, result) (increase(weir_model_loads_total{{{MODEL}}}[1h]))", "{{model}} {{result}}"),
        ),
        listing(
            "Loaded versions",
            "Versions that are loaded, with their digests.",
            Query(f"max by (model, version, digest) (weir_model_info{{{MODEL}}})", _VERSION),
        ),
        lines(
            "Memory of loaded versions",
            "What native code allocated while each version was loaded, at least its weights; all workers together.",
            "bytes",
            Query(_latest("weir_model_memory_bytes", version, over="sum"), _VERSION),
        ),
        lines(
            "Execution providers",
            "Workers that have a version loaded, by the execution provider that it runs on.",
            "none",
            Query(
                _latest("weir_model_sessions", "by (model, version, provider)", over="sum"),
                f"{_VERSION} {{{{provider}}}}",
            ),
        ),
    ]


def _inputs() -> Panels:
    feature = "by (model, version, variant, feature, statistic)"
    cause = "by (model, version, variant, cause)"
    segment = "by (model, version, variant, segment, statistic)"
    effects = _latest("weir_drift_effect", feature, f'{MODEL},statistic=~"wasserstein|missing|unseen"')
    distances = _latest("weir_drift_effect", feature, f'{MODEL},statistic=~"psi|jensen_shannon|ks"')
    faults = _rate("weir_feature_faults_total", "by (model, version, feature, kind)")
    broken = _rate("weir_rule_broken_rows_total", "by (model, version, rule)")
    judged = _rate("weir_contract_rows_total", "by (model, version)")
    return [
        states(
            "Alerts",
            "State of the alerts by cause and severity: green none is open, yellow warn or recovering, red firing.",
            "none",
            Query(
                _latest("weir_alert_state", "by (model, version, cause, severity)"),
                f"{_VERSION} {{{{cause}}}} {{{{severity}}}}",
            ),
            warn=1,
            page=3,
        ),
        states(
            "Drift by feature",
            "How far each feature has moved from its reference, by statistic. Coloured at the default thresholds.",
            "none",
            Query(effects, f"{_STREAM} {{{{feature}}}} {{{{statistic}}}}"),
            warn=0.1,
            page=0.2,
        ),
        lines(
            "Evidence against the page level",
            "Nats that a stream has changed, by cause, as a share of what pages within the budget of false pages.",
            "percentunit",
            Query(
                f"{_latest('weir_evidence_nats', cause)} / {_latest('weir_evidence_page_nats', cause)}",
                f"{_STREAM} {{{{cause}}}}",
            ),
        ),
        lines(
            "False pages",
            "Pages of the last four weeks, those marked false, and how many false ones the budget allows.",
            "none",
            Query(_latest("weir_pages", "by (model)"), "{{model}} pages"),
            Query(_latest("weir_false_pages", "by (model)"), "{{model}} false"),
            Query(_latest("weir_false_pages_allowed", "by (model)"), "{{model}} allowed"),
        ),
        lines(
            "Strongest drift",
            "The ten features that have moved furthest.",
            "none",
            Query(f"topk(10, {effects})", f"{_STREAM} {{{{feature}}}} {{{{statistic}}}}"),
        ),
        lines(
            "Distances beside their null bands",
            "The ten largest of PSI, Jensen-Shannon and KS, as multiples of what unchanged data stays below.",
            "none",
            Query(
                f"topk(10, {distances} / ({_latest('weir_drift_null_band', feature)} > 0))",
                f"{_STREAM} {{{{feature}}}} {{{{statistic}}}}",
            ),
        ),
        lines(
            "Segments",
            "The ten largest effects in segments of the traffic, beyond what their sample size explains.",
            "none",
            Query(
                f"topk(10, {_latest('weir_segment_effect', segment)})", f"{_STREAM} {{{{segment}}}} {{{{statistic}}}}"
            ),
        ),
        lines(
            "Missing and broken values",
            "Share of the rows that break the contract, by feature and kind of fault, and of those that break a rule.",
            "percentunit",
            Query(f"{faults} / on (model, version) group_left {judged}", f"{_VERSION} {{{{feature}}}} {{{{kind}}}}"),
            Query(f"{broken} / on (model, version) group_left {judged}", f"{_VERSION} rule {{{{rule}}}}"),
        ),
    ]


def _answers() -> Panels:
    return [
        lines(
            "Confidence collapse",
            "0 is the confidence of the reference, 1 its complete loss.",
            "none",
            Query(_latest("weir_confidence_collapse_index"), _STREAM),
            Query(_latest("weir_confidence_collapse_beyond_mix"), f"{_STREAM} beyond the mix"),
        ),
        lines(
            "Estimated accuracy",
            "Share of right answers, estimated without labels by each method, and how far the methods part.",
            "percentunit",
            Query(
                _latest("weir_estimated_accuracy_ratio", "by (model, version, variant, method)"),
                f"{_STREAM} {{{{method}}}}",
            ),
            Query(_latest("weir_estimated_accuracy_spread"), f"{_STREAM} spread"),
            most=1,
        ),
        lines(
            "Predictions",
            "Share of the answers by class.",
            "percentunit",
            Query(_latest("weir_prediction_share", "by (model, version, variant, class)"), f"{_STREAM} {{{{class}}}}"),
            most=1,
        ),
        lines(
            "Entropy",
            "Mean entropy of an answer in nats.",
            "none",
            Query(_latest("weir_prediction_entropy_nats"), _STREAM),
        ),
        lines(
            "Margin",
            "Mean difference between the two highest probabilities of an answer.",
            "percentunit",
            Query(_latest("weir_prediction_margin_ratio", over="min"), _STREAM),
            most=1,
        ),
        lines(
            "Broken outputs",
            "Answered rows with a score that is not a finite number.",
            "rowsps",
            Query(_rate("weir_broken_outputs_total"), _STREAM),
        ),
    ]


def _queues() -> Panels:
    return [
        lines(
            "Requests in flight",
            "Prediction requests being answered now.",
            "none",
            Query(_latest("weir_inflight_requests", "by (instance)", HOST, "sum"), "{{instance}}"),
            Query(_latest("weir_concurrency_limit", "by (instance)", HOST, "sum"), "{{instance}} limit"),
        ),
        lines(
            "Shed requests",
            "Requests given up before a model saw them, by reason, and those of clients over their quota.",
            "reqps",
            Query(_rate("weir_shed_requests_total", "by (reason, priority)", HOST), "{{reason}} {{priority}}"),
            Query(_rate("weir_quota_refused_total", "by (instance)", HOST), "{{instance}} over quota"),
        ),
        lines(
            "Overloaded workers",
            "Workers that hold their delay down by shedding.",
            "none",
            Query(_latest("weir_shedding_workers", "by (instance)", HOST, "sum"), "{{instance}}"),
        ),
        lines(
            "Event loop lag",
            "Longest lateness of the event loop in each tenth of a second: median and 99th percentile.",
            "s",
            *(
                Query(
                    _quantile(q, "weir_event_loop_lag_seconds", "by (le, instance)", HOST),
                    f"{{{{instance}}}} p{q * 100:g}",
                )
                for q in (0.5, 0.99)
            ),
        ),
        lines(
            "Queue",
            "Rows waiting for a session run.",
            "none",
            Query(_latest("weir_queue_rows", "by (model, version)", over="sum"), _VERSION),
        ),
        lines(
            "Batch size",
            "Rows that one session run takes: mean and 95th percentile.",
            "none",
            Query(f"{_rate('weir_rows_total')} / {_rate('weir_runs_total')}", f"{_STREAM} mean"),
            Query(_quantile(0.95, "weir_batch_rows", "by (le, model, version)"), f"{_VERSION} p95"),
        ),
        lines(
            "Sampled share",
            "Share of the answered rows that the watch sees.",
            "percentunit",
            Query(_latest("weir_monitor_sampled_ratio", over="min"), _STREAM),
            most=1,
        ),
    ]


def _processes() -> Panels:
    return [
        lines(
            "Observations",
            "Answered rows by what became of them on the way to the watch, and rows that it summarised.",
            "rowsps",
            Query(_rate("weir_monitor_observations_total", "by (model, result)"), "{{model}} {{result}}"),
            Query(_rate("weir_monitor_rows_total", "by (model)"), "{{model}} summarised"),
        ),
        lines(
            "Age of the last tick",
            "Seconds since the watch finished a tick.",
            "s",
            Query(f"time() - {_latest('weir_monitor_tick_timestamp_seconds', 'by (instance)', HOST)}", "{{instance}}"),
        ),
        lines(
            "Processes",
            "Processes alive by role, and how often they were started again in the past hour.",
            "none",
            Query(_latest("weir_workers", "by (role)", HOST, "sum"), "{{role}}"),
            Query(f"sum by (role) (increase(weir_worker_restarts_total{{{HOST}}}[1h]))", "{{role}} restarts"),
        ),
        lines(
            "Refused sign-ins",
            "Requests with a wrong admin token; throttled are those beyond what an address has free.",
            "reqps",
            Query(_rate("weir_sign_ins_refused_total", "by (reason)", HOST), "{{reason}}"),
        ),
        lines(
            "Series",
            "Series on the metrics page, and those that a worker had no room for.",
            "none",
            Query(_latest("weir_series", "by (instance)", HOST), "{{instance}}"),
            Query(_latest("weir_series_dropped_total", "by (instance)", HOST), "{{instance}} dropped"),
        ),
        listing(
            "Builds",
            "The build that each instance runs.",
            Query(f"max by (instance, version, revision, python) (weir_build_info{{{HOST}}})", "{{instance}}"),
        ),
    ]


def _rate(metric: str, by: str = _BY, matchers: str = MODEL) -> str:
    return f"sum {by} (rate({metric}{{{matchers}}}{OVER}))"


def _latest(metric: str, by: str = _BY, matchers: str = MODEL, over: str = "max") -> str:
    return f"{over} {by} ({metric}{{{matchers}}})"


def _quantile(q: float, histogram: str, by: str = "by (le, model, version, variant)", matchers: str = MODEL) -> str:
    return f"histogram_quantile({q}, {_rate(f'{histogram}_bucket', by, matchers)})"
