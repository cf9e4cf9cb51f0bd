"""What the monitors export, by name: effects, answers, alert states, the shadow's agreement.

Label sets are closed: model, version, variant, feature (declared in the contract, capped), class (capped), statistic,
detector (as configured), signal (of a feature or class, capped), segment (of the reference), method, cause, severity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitors.assessment import Assessment, Judged
from monitors.causes import CAUSES
from monitors.detectors.bank import Finding
from monitors.effects import FeatureEffects
from monitors.live.stream import EvidenceStream
from monitors.performance import Performance
from monitors.realised import Realised
from monitors.records import Alert, AlertState, Severity, StreamKey
from monitors.streams import Stream

__all__ = [
    "GAUGES",
    "STATE_VALUES",
    "Gauge",
    "alert_gauges",
    "evidence_gauges",
    "page_gauges",
    "segment_gauges",
    "stream_gauges",
]

Gauge = tuple[str, dict[str, str], float]

GAUGES = (
    "weir_alert_state",
    "weir_confidence_collapse_beyond_mix",
    "weir_confidence_collapse_index",
    "weir_drift_effect",
    "weir_drift_null_band",
    "weir_estimated_accuracy_ratio",
    "weir_estimated_accuracy_spread",
    "weir_estimated_label_share",
    "weir_evidence_nats",
    "weir_evidence_page_nats",
    "weir_false_pages",
    "weir_false_pages_allowed",
    "weir_monitor_rows_total",
    "weir_monitor_tick_timestamp_seconds",
    "weir_pages",
    "weir_prediction_entropy_nats",
    "weir_prediction_margin_ratio",
    "weir_prediction_position",
    "weir_prediction_position_spread",
    "weir_prediction_share",
    "weir_segment_effect",
    "weir_segment_share",
    "weir_shadow_agreement_ratio",
    "weir_shadow_score_difference",
    "weir_uncalibrated_detections",
    "weir_uncalibrated_statistic",
)
"""Every name that ``MonitorService.gauges`` yields."""

STATE_VALUES: dict[AlertState, int] = {"resolved": 0, "warn": 1, "recovering": 2, "firing": 3}
MAXIMUM_CLASSES = 32
SEGMENT_STATISTICS = ("wasserstein", "missing", "unseen", "share")
SEVERITIES: tuple[Severity, ...] = ("warning", "page")


def stream_gauges(stream: Stream, assessment: Assessment | None, feature_series: int) -> Iterator[Gauge]:
    """Yield the gauges of one stream; features beyond ``feature_series``, in contract order, are only reported."""
    labels = {"model": stream.key.model, "version": stream.key.version, "variant": stream.key.variant}
    yield "weir_monitor_rows_total", labels, float(stream.rows_total)
    if agreement := stream.agreement():
        yield "weir_shadow_agreement_ratio", labels, agreement.ratio
        yield "weir_shadow_score_difference", labels, agreement.score_difference
    if assessment is not None:
        for feature in assessment.features[:feature_series]:
            yield from _feature_gauges(feature, labels)
        yield from _answer_gauges(assessment, labels)
    for finding in stream.bank.findings():
        yield from _detector_gauges(finding, labels)


def evidence_gauges(evidence: EvidenceStream) -> Iterator[Gauge]:
    """Yield evidence and page level of each cause, in nats; evidence below none, when it has hardly begun, as 0."""
    labels = {"model": evidence.key.model, "version": evidence.key.version, "variant": evidence.key.variant}
    for cause, (nats, page_nats) in evidence.levels().items():
        yield "weir_evidence_nats", {**labels, "cause": cause}, max(0.0, nats)
        yield "weir_evidence_page_nats", {**labels, "cause": cause}, page_nats


def segment_gauges(key: StreamKey, judged: Judged) -> Iterator[Gauge]:
    """Yield the share of each segment of a stream, and by statistic the largest effect in it, less its noise."""
    labels = {"model": key.model, "version": key.version, "variant": key.variant}
    for segment in judged.segments:
        named = {**labels, "segment": segment.name}
        yield "weir_segment_share", named, segment.share
        largest: dict[str, float] = {}
        for movement in segment.moved():
            largest.setdefault(movement.statistic, movement.excess)
        for statistic in SEGMENT_STATISTICS:
            yield "weir_segment_effect", {**named, "statistic": statistic}, largest.get(statistic, 0.0)


def page_gauges(model: str, promise: Realised) -> Iterator[Gauge]:
    """Yield pages and false pages of four weeks, and how many false ones are allowed."""
    yield "weir_pages", {"model": model}, float(promise.pages)
    yield "weir_false_pages", {"model": model}, float(promise.false_pages)
    if promise.allowed is not None:
        yield "weir_false_pages_allowed", {"model": model}, promise.allowed


def alert_gauges(watched: Iterable[tuple[str, str]], alerts: Sequence[Alert]) -> Iterator[Gauge]:
    """Yield one state for each watched (model, version), cause and severity, 0 where no alert is open.

    Several variants of a version share a series: the highest state is shown.
    """
    names = [(*name, cause, severity) for name in sorted(watched) for cause in CAUSES for severity in SEVERITIES]
    states: dict[tuple[str, str, str, str], int] = dict.fromkeys(names, 0)
    for alert in alerts:
        name = (alert.model, alert.version, alert.cause, alert.severity)
        states[name] = max(states.get(name, 0), STATE_VALUES[alert.state])
    for (model, version, cause, severity), value in states.items():
        labels = {"model": model, "version": version, "cause": cause, "severity": severity}
        yield "weir_alert_state", labels, float(value)


def _feature_gauges(feature: FeatureEffects, labels: dict[str, str]) -> Iterator[Gauge]:
    named = {**labels, "feature": feature.name}
    effects = {"wasserstein": feature.wasserstein, "missing": feature.missing, "unseen": feature.unseen}
    for statistic, value in effects.items():
        if value is not None:
            yield "weir_drift_effect", {**named, "statistic": statistic}, value
    distances = {"psi": feature.psi, "jensen_shannon": feature.jensen_shannon, "ks": feature.ks}
    for statistic, distance in distances.items():
        if distance is not None:
            yield "weir_drift_effect", {**named, "statistic": statistic}, distance.value
            yield "weir_drift_null_band", {**named, "statistic": statistic}, distance.band


def _detector_gauges(finding: Finding, labels: dict[str, str]) -> Iterator[Gauge]:
    for signal in finding.signals:
        named = {**labels, "detector": finding.detector, "signal": signal.signal}
        yield "weir_uncalibrated_statistic", named, signal.statistic
        yield "weir_uncalibrated_detections", named, float(signal.detections)


def _performance_gauges(performance: Performance, labels: dict[str, str]) -> Iterator[Gauge]:
    for estimate in performance.estimates:
        if estimate.accuracy is not None:
            yield "weir_estimated_accuracy_ratio", {**labels, "method": estimate.method}, estimate.accuracy
    if performance.spread is not None:
        yield "weir_estimated_accuracy_spread", labels, performance.spread
    for label in performance.labels[:MAXIMUM_CLASSES]:
        yield "weir_estimated_label_share", {**labels, "class": label.name}, label.share


def _answer_gauges(assessment: Assessment, labels: dict[str, str]) -> Iterator[Gauge]:
    for share in assessment.classes[:MAXIMUM_CLASSES]:
        yield "weir_prediction_share", {**labels, "class": share.name}, share.share
    yield from _performance_gauges(assessment.performance, labels)
    if assessment.position is not None:
        yield "weir_prediction_position", labels, assessment.position.mean
        yield "weir_prediction_position_spread", labels, assessment.position.spread
    confidence = assessment.confidence
    if confidence is None:
        return
    yield "weir_prediction_entropy_nats", labels, confidence.entropy_nats
    yield "weir_prediction_margin_ratio", labels, confidence.margin
    if confidence.collapse_index is not None:
        yield "weir_confidence_collapse_index", labels, confidence.collapse_index
    if confidence.beyond_mix is not None:
        yield "weir_confidence_collapse_beyond_mix", labels, confidence.beyond_mix
