"""The drift report of a model: everything a console draws, as plain values ready for JSON.

::

    {"model", "as_of",
     "versions": [{"version", "digest", "has_reference", "reference_error", "reference_rows", "calibration",
                   "evidence_error", "faults"}],
     "streams": [{"version", "digest", "variant", "since", "last_row_at", "rows", "rows_total", "late_rows",
                  "window_from", "window_to", "rows_since",
                  "features": [{"name", "psi", "psi_band", "jensen_shannon", "jensen_shannon_band", "ks", "ks_band",
                                "wasserstein", "wasserstein_noise", "missing", "missing_reference", "unseen",
                                "unseen_reference", "outside", "level", "labels", "reference_counts", "counts"}],
                  "predictions": [{"class", "count", "share", "reference_share"}],
                  "value": feature | null,
                  "confidence": {"rows", "entropy_nats", "margin", "margin_reference", "information_nats",
                                 "information_reference_nats", "effective_classes", "saturated",
                                 "saturated_reference", "broken", "collapse_index", "collapse_beyond_mix",
                                 "modes"} | null,
                  "position": {"rows", "mean", "spread", "modal", "modal_reference", "modes"} | null,
                  "performance": {"reference_accuracy", "estimates": [{"method", "accuracy", "noise", "why"}], "spread",
                                  "labels": [{"class", "share", "reference_share"}]} | null,
                  "detectors": [{"name", "calibration", "is_warm", "n_seen", "failed",
                                 "signals": [{"signal", "value", "statistic", "detections", "detected_at"}]}],
                  "evidence": {"calibration", "rows", "summaries", "late_rows", "left_out_rows", "burn_in_rows",
                               "causes": [{"cause", "nats", "page_nats"}]} | null,
                  "segments": {"feature", "values": [{"name", "rows", "has_few_rows", "reference_rows", "share",
                               "reference_share", "collapse_index", "level",
                               "evidence": {"cause", "nats", "page_nats"} | null,
                               "moved": [{"name", "statistic", "effect", "noise", "before", "after"}],
                               "features": [{"name", "psi", ..., "outside", "level"}], "predictions": [...]}]} | null,
                  "shadow": {"rows", "agreement", "score_difference"} | null}],
     "budget": {"budget", "allowed", "pages", "false_pages"},
     "alerts": [...]}

``rows`` of the ticks from ``window_from`` to ``window_to`` were judged, and ``rows_since`` came later: too few, so far,
for another judgement. Times are Unix seconds; shares and indices are ratios; figures without a reference are null. A
``level`` is 1 where the effect alone would page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from monitors.assessment import ClassShare, Judged, SegmentAssessment
from monitors.confidence import Confidence
from monitors.detectors.bank import Finding
from monitors.distances import Distance
from monitors.effects import FeatureEffects
from monitors.evidence.channel import Cause
from monitors.history import feature_level
from monitors.live.book import Fitted
from monitors.live.stream import EvidenceStream
from monitors.performance import Performance
from monitors.pit import Position
from monitors.quality import FaultRates
from monitors.realised import Realised
from monitors.records import Alert
from monitors.streams import Agreement, Stream, Version
from monitors.thresholds import Thresholds

__all__ = ["report_model"]

MOST_MOVED = 5


def report_model(
    model: str,
    versions: Sequence[tuple[Version, Fitted | None]],
    streams: Sequence[tuple[Stream, Judged | None, EvidenceStream | None]],
    faults: Mapping[str, FaultRates],
    alerts: Sequence[Alert],
    closed_ms: int,
    promise: Realised,
    thresholds: Thresholds,
) -> dict[str, Any]:
    """Return the report of one model.

    Parameters
    ----------
    model
        Its name.
    versions
        Versions announced, with what their rows are held against; ``None`` while that is being read.
    streams
        Streams with the effects of their last window, and their evidence.
    faults
        Fault rates by version.
    alerts
        Open and recently resolved alerts of the model.
    closed_ms
        End of the newest tick judged.
    promise
        Pages against the budget.
    thresholds
        Levels that effects are told in.
    """
    return {
        "model": model,
        "as_of": closed_ms / 1000.0,
        "versions": [_version(version, fitted, faults.get(version.info.version)) for version, fitted in versions],
        "streams": [_stream(*parts, thresholds) for parts in streams],
        "budget": asdict(promise),
        "alerts": [asdict(alert) for alert in alerts],
    }


def _version(version: Version, fitted: Fitted | None, faults: FaultRates | None) -> dict[str, Any]:
    profile = version.layout.profile
    shares = faults.shares if faults else {}
    return {
        "version": version.info.version,
        "digest": version.info.digest,
        "has_reference": profile is not None,
        "reference_error": version.reference_error,
        "reference_rows": profile.rows if profile else 0,
        "calibration": fitted.calibration if fitted else "uncalibrated",
        "evidence_error": fitted.why if fitted else "no rows as stable or canary yet",
        "faults": [{"feature": name, "kind": kind, "share": share} for (name, kind), share in sorted(shares.items())],
    }


def _stream(
    stream: Stream, judged: Judged | None, evidence: EvidenceStream | None, thresholds: Thresholds
) -> dict[str, Any]:
    found = judged.assessment if judged else None
    window = judged.pool if judged else None
    return {
        "version": stream.key.version,
        "digest": stream.key.digest,
        "variant": stream.key.variant,
        "since": stream.first_seen_s,
        "last_row_at": stream.last_row_s,
        "rows": found.rows if found else 0,
        "rows_total": stream.rows_total,
        "late_rows": stream.late_rows,
        "window_from": window.from_s if window else None,
        "window_to": window.to_s if window else None,
        "rows_since": stream.rows_total - (window.rows_until if window else 0),
        "features": [_feature(feature, thresholds) for feature in found.features] if found else [],
        "predictions": [_class(share) for share in found.classes] if found else [],
        "value": _feature(found.value, thresholds) if found and found.value else None,
        "confidence": _confidence(found.confidence) if found and found.confidence else None,
        "position": _position(found.position) if found and found.position else None,
        "performance": _performance(found.performance) if found else None,
        "detectors": [_detector(finding) for finding in stream.bank.findings()],
        "evidence": _evidence(evidence) if evidence else None,
        "segments": _segments(judged, evidence, thresholds) if judged else None,
        "shadow": _agreement(stream.agreement()),
    }


def _evidence(evidence: EvidenceStream) -> dict[str, Any]:
    causes = [
        {"cause": cause, "nats": max(0.0, nats), "page_nats": page_nats}
        for cause, (nats, page_nats) in evidence.levels().items()
    ]
    return {
        "calibration": evidence.calibration,
        "rows": evidence.monitor.rows_since_restart,
        "summaries": evidence.summaries,
        "late_rows": evidence.seconds.late_rows,
        "left_out_rows": evidence.left_out_rows,
        "burn_in_rows": evidence.burn_in_rows,
        "causes": causes,
    }


def _segments(judged: Judged, evidence: EvidenceStream | None, thresholds: Thresholds) -> dict[str, Any] | None:
    profile = judged.pool.layout.profile
    if profile is None or profile.segmentation is None:
        return None
    levels = evidence.segment_levels() if evidence else {}
    return {
        "feature": profile.segmentation.split.feature,
        "values": [_segment(segment, levels.get(segment.name), thresholds) for segment in judged.segments],
    }


def _segment(
    segment: SegmentAssessment, evidence: tuple[Cause, float, float] | None, thresholds: Thresholds
) -> dict[str, Any]:
    found = segment.assessment
    answers = [movement.excess / thresholds.prediction_page for movement in found.prediction_movements()]
    return {
        "name": segment.name,
        "rows": found.rows,
        "has_few_rows": segment.has_few_rows,
        "reference_rows": segment.rows_before,
        "share": segment.share,
        "reference_share": segment.share_before,
        "collapse_index": found.confidence.collapse_index if found.confidence else None,
        "level": max([*(feature_level(feature, thresholds) for feature in found.features), *answers], default=0.0),
        "evidence": dict(zip(("cause", "nats", "page_nats"), evidence, strict=True)) if evidence else None,
        "moved": [asdict(movement) for movement in segment.moved()[:MOST_MOVED]],
        "features": [_effects(feature, thresholds) for feature in found.features],
        "predictions": [_class(share) for share in found.classes],
    }


def _feature(feature: FeatureEffects, thresholds: Thresholds) -> dict[str, Any]:
    return {
        **_effects(feature, thresholds),
        "labels": list(feature.cells.labels()),
        "reference_counts": feature.reference.tolist() if feature.reference is not None else None,
        "counts": feature.current.tolist(),
    }


def _effects(feature: FeatureEffects, thresholds: Thresholds) -> dict[str, Any]:
    return {
        "name": feature.name,
        **_distance("psi", feature.psi),
        **_distance("jensen_shannon", feature.jensen_shannon),
        **_distance("ks", feature.ks),
        "wasserstein": feature.wasserstein,
        "wasserstein_noise": None if feature.wasserstein is None else feature.wasserstein_noise,
        "missing": feature.missing,
        "missing_reference": feature.missing_before if feature.reference is not None else None,
        "unseen": feature.unseen,
        "unseen_reference": feature.unseen_before if feature.reference is not None else None,
        "outside": feature.outside,
        "level": feature_level(feature, thresholds),
    }


def _distance(name: str, found: Distance | None) -> dict[str, float | None]:
    return {name: found.value if found else None, f"{name}_band": found.band if found else None}


def _detector(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.detector,
        "calibration": "uncalibrated",
        "is_warm": finding.is_warm,
        "n_seen": finding.n_seen,
        "failed": finding.failed or None,
        "signals": [asdict(signal) for signal in finding.signals],
    }


def _class(share: ClassShare) -> dict[str, Any]:
    return {"class": share.name, "count": share.count, "share": share.share, "reference_share": share.before}


def _confidence(found: Confidence) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "entropy_nats": found.entropy_nats,
        "margin": found.margin,
        "margin_reference": found.margin_before,
        "information_nats": found.information_nats,
        "information_reference_nats": found.information_before,
        "effective_classes": found.effective_classes,
        "saturated": found.saturated,
        "saturated_reference": found.saturated_before,
        "broken": found.broken,
        "collapse_index": found.collapse_index,
        "collapse_beyond_mix": found.beyond_mix,
        "modes": list(found.modes),
    }


def _position(found: Position) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "mean": found.mean,
        "spread": found.spread,
        "modal": found.modal,
        "modal_reference": found.modal_before,
        "modes": ["constant-output"] if found.is_constant else [],
    }


def _performance(found: Performance) -> dict[str, Any]:
    return {
        "reference_accuracy": found.accuracy_before,
        "estimates": [
            {"method": each.method, "accuracy": each.accuracy, "noise": each.noise, "why": each.why or None}
            for each in found.estimates
        ],
        "spread": found.spread,
        "labels": [
            {"class": label.name, "share": label.share, "reference_share": label.before} for label in found.labels
        ],
    }


def _agreement(agreement: Agreement | None) -> dict[str, Any] | None:
    if agreement is None:
        return None
    return {"rows": agreement.rows, "agreement": agreement.ratio, "score_difference": agreement.score_difference}
