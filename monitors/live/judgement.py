"""Judgement: what a window's effects say once there is evidence about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitors.causes import EVIDENCE_ABOUT, Cause, Reading
from monitors.effects import Movement
from monitors.live.distances import Kind
from monitors.live.stream import EvidenceStream
from monitors.rules import RunRules
from monitors.thresholds import Thresholds

__all__ = ["with_evidence"]

SHARED: tuple[Cause, ...] = ("data-quality", "drift")
"""Two causes about which the same evidence speaks: one crossing pages for one of them."""


def with_evidence(
    found: Mapping[Cause, Reading],
    stream: EvidenceStream,
    thresholds: Thresholds,
    *,
    pages: bool,
    paged: frozenset[Cause] = frozenset(),
) -> dict[Cause, Reading]:
    """Return the readings with the evidence about each, and with the channels that only evidence knows.

    Parameters
    ----------
    found
        Readings by effect.
    stream
        The stream's evidence.
    thresholds
        Tolerances.
    pages
        Whether evidence of its level may page.
    paged
        Causes with an open page of this stream.
    """
    readings = dict(found)
    if "drift" in readings:
        joint = stream.recent.movements(is_joint=True)
        heaped = stream.recent.heaped(stream.standing("inputs", "values").names)
        readings["drift"] = replace(readings["drift"], movements=(*readings["drift"].movements, *joint, *heaped))
    if ranks := stream.recent.movements(is_joint=False):
        readings["confidence-collapse"] = _with_ranks(readings, ranks, thresholds)
    readings = _with_rules(readings, stream.rules, thresholds)
    told = {
        cause: _told(_with_segments(reading, stream), stream, thresholds, pages) for cause, reading in readings.items()
    }
    silent = _silent(told, paged)
    return {cause: replace(reading, may_page=False) if cause in silent else reading for cause, reading in told.items()}


def _with_ranks(found: Mapping[Cause, Reading], ranks: tuple[Movement, ...], thresholds: Thresholds) -> Reading:
    collapse = found.get("confidence-collapse")
    if collapse is not None:
        return replace(collapse, movements=(*collapse.movements, *ranks))
    companions = found["prediction-drift"].companions if "prediction-drift" in found else ()
    levels = thresholds.collapse_warn, thresholds.collapse_page
    return Reading("confidence-collapse", *levels, ranks, companions)


def _with_rules(found: Mapping[Cause, Reading], rules: RunRules, thresholds: Thresholds) -> dict[Cause, Reading]:
    """Return the readings with the rules that are broken; such a rule needs no window."""
    broken: dict[Cause, tuple[Movement, ...]] = {
        "data-quality": rules.features(), "confidence-collapse": rules.answers(),
    }  # fmt: skip
    levels: dict[Cause, tuple[float, float]] = {
        "data-quality": (thresholds.missing_warn, thresholds.missing_page),
        "confidence-collapse": (thresholds.collapse_warn, thresholds.collapse_page),
    }
    readings = dict(found)
    for cause, movements in broken.items():
        if movements:
            reading = readings.get(cause) or Reading(cause, *levels[cause], ())
            both = (*reading.movements, *movements), (*reading.rules, *movements)
            readings[cause] = replace(reading, movements=both[0], rules=both[1])
    return readings


def _with_segments(reading: Reading, stream: EvidenceStream) -> Reading:
    """Return the reading with what evidence says of single segments."""
    about = EVIDENCE_ABOUT.get(reading.cause)
    if about is None or about not in stream.model.causes or stream.model.channels.segmented is None:
        return reading
    kind = _kind(reading.cause)
    standing = stream.standing(about, kind)
    moved = stream.recent.segmented(standing.names | standing.leading, about, kind)
    return replace(reading, movements=(*reading.movements, *moved)) if moved else reading


def _kind(cause: Cause) -> Kind:
    return "absent" if cause == "data-quality" else "values"


def _told(reading: Reading, stream: EvidenceStream, thresholds: Thresholds, pages: bool) -> Reading:
    about = EVIDENCE_ABOUT.get(reading.cause)
    if about is None or about not in stream.model.causes:
        return reading
    if about == "broken":
        if not stream.knows_broken:
            return reading  # the rule needs no evidence
        reading = replace(reading, rules=())
    kind = _kind(reading.cause)
    tolerance = thresholds.missing_tolerance if kind == "absent" else thresholds.tolerance
    tolerance = 0.0 if about == "broken" else tolerance
    return replace(reading, standing=stream.standing(about, kind), tolerance=tolerance, may_page=pages)


def _silent(readings: Mapping[Cause, Reading], paged: frozenset[Cause]) -> set[Cause]:
    """Return which of the causes that share evidence may not page: all but the one that has, or that moved furthest."""
    shared = [cause for cause in SHARED if cause in readings and readings[cause].standing is not None]
    if len(shared) < 2:
        return set()
    open_pages = [cause for cause in shared if cause in paged]
    speaker = open_pages[0] if open_pages else max(shared, key=lambda cause: _tolerances(readings[cause]))
    return set(shared) - {speaker}


def _tolerances(reading: Reading) -> float:
    return reading.effect / max(reading.tolerance, 1e-9)
