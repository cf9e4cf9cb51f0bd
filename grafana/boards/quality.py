"""Model quality: what the watch sees in input and answers."""

from __future__ import annotations

from grafana.board import Board, Panels
from grafana.panels import Query, heat, lines, states
from grafana.queries import BY_VERSION, MODEL, STREAM, VERSION, latest, rate

__all__ = ["BOARD"]

_FEATURE = "by (model, version, variant, feature, statistic)"
_EFFECTS = latest("weir_drift_effect", _FEATURE, f'{MODEL},statistic=~"wasserstein|missing|unseen"')


def _map() -> Panels:
    serving = f'{MODEL},variant="stable",statistic=~"wasserstein|missing|unseen"'
    return [
        heat(
            "Drift map",
            "How far each feature of the stable version has moved from its reference, over time: the largest of "
            "distance, missing and unseen values. Full colour at twice the default warning.",
            "none",
            Query(latest("weir_drift_effect", "by (model, feature)", serving), "{{model}} {{feature}}"),
            most=0.2,
        ),
    ]


def _evidence() -> Panels:
    cause = "by (model, version, variant, cause)"
    return [
        lines(
            "Evidence against the page level",
            "Nats that a stream has changed, by cause, as a share of what pages within the budget of false pages.",
            "percentunit",
            Query(
                f"{latest('weir_evidence_nats', cause)} / {latest('weir_evidence_page_nats', cause)}",
                f"{STREAM} {{{{cause}}}}",
            ),
            across=2,
        ),
        lines(
            "Evidence and page level",
            "Nats that a stream has changed, by cause, beside the level at which the cause pages.",
            "none",
            Query(latest("weir_evidence_nats", cause), f"{STREAM} {{{{cause}}}}"),
            Query(latest("weir_evidence_page_nats", cause), f"{STREAM} {{{{cause}}}} pages at"),
            across=2,
        ),
        states(
            "Drift by feature",
            "How far each feature has moved from its reference, by statistic. Coloured at the default thresholds.",
            "none",
            Query(_EFFECTS, f"{STREAM} {{{{feature}}}} {{{{statistic}}}}"),
            warn=0.1,
            page=0.2,
        ),
        lines(
            "Strongest drift",
            "The ten features that have moved furthest.",
            "none",
            Query(f"topk(10, {_EFFECTS})", f"{STREAM} {{{{feature}}}} {{{{statistic}}}}"),
            across=2,
        ),
    ]


def _inputs() -> Panels:
    segment = "by (model, version, variant, segment, statistic)"
    distances = latest("weir_drift_effect", _FEATURE, f'{MODEL},statistic=~"psi|jensen_shannon|ks"')
    faults = rate("weir_feature_faults_total", "by (model, version, feature, kind)")
    broken = rate("weir_rule_broken_rows_total", "by (model, version, rule)")
    judged = rate("weir_contract_rows_total", BY_VERSION)
    return [
        lines(
            "Distances beside their null bands",
            "The ten largest of PSI, Jensen-Shannon and KS, as multiples of what unchanged data stays below.",
            "none",
            Query(
                f"topk(10, {distances} / ({latest('weir_drift_null_band', _FEATURE)} > 0))",
                f"{STREAM} {{{{feature}}}} {{{{statistic}}}}",
            ),
        ),
        lines(
            "Segments",
            "The ten largest _EFFECTS in segments of the traffic, beyond what their sample size explains.",
            "none",
            Query(f"topk(10, {latest('weir_segment_effect', segment)})", f"{STREAM} {{{{segment}}}} {{{{statistic}}}}"),
        ),
        lines(
            "Missing and broken values",
            "Share of the rows that break the contract, by feature and kind of fault, and of those that break a rule.",
            "percentunit",
            Query(f"{faults} / on (model, version) group_left {judged}", f"{VERSION} {{{{feature}}}} {{{{kind}}}}"),
            Query(f"{broken} / on (model, version) group_left {judged}", f"{VERSION} rule {{{{rule}}}}"),
        ),
    ]


def _answers() -> Panels:
    return [
        lines(
            "Confidence collapse",
            "0 is the confidence of the reference, 1 its complete loss.",
            "none",
            Query(latest("weir_confidence_collapse_index"), STREAM),
            Query(latest("weir_confidence_collapse_beyond_mix"), f"{STREAM} beyond the mix"),
        ),
        lines(
            "Estimated accuracy",
            "Share of right answers, estimated without labels by each method, and how far the methods part.",
            "percentunit",
            Query(
                latest("weir_estimated_accuracy_ratio", "by (model, version, variant, method)"),
                f"{STREAM} {{{{method}}}}",
            ),
            Query(latest("weir_estimated_accuracy_spread"), f"{STREAM} spread"),
            most=1,
        ),
        lines(
            "Predictions",
            "Share of the answers by class.",
            "percentunit",
            Query(latest("weir_prediction_share", "by (model, version, variant, class)"), f"{STREAM} {{{{class}}}}"),
            most=1,
        ),
        lines(
            "Entropy",
            "Mean entropy of an answer in nats.",
            "none",
            Query(latest("weir_prediction_entropy_nats"), STREAM),
        ),
        lines(
            "Margin",
            "Mean difference between the two highest probabilities of an answer.",
            "percentunit",
            Query(latest("weir_prediction_margin_ratio", over="min"), STREAM),
            most=1,
        ),
        lines(
            "Broken outputs",
            "Answered rows with a score that is not a finite number.",
            "rowsps",
            Query(rate("weir_broken_outputs_total"), STREAM),
        ),
    ]


BOARD = Board(
    "model quality",
    "What the watch sees in input and answers: drift by feature, evidence against the page level, confidence.",
    {"Drift map": _map(), "Evidence": _evidence(), "Input": _inputs(), "Answers": _answers()},
    period="now-6h",
)
