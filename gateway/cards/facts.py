"""The facts of a model card: what manifest, bundle and release report say, as titled tables of plain text.

Pure, and the one place that decides what a card tells; how it looks is for :mod:`gateway.cards.markdown` and
:mod:`gateway.cards.page`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from gateway.catalog.bundle import Bundle
from gateway.catalog.manifest import FeatureEntry, Interface, Manifest, Metric
from gateway.release.document import ReleaseReport

__all__ = ["CardFacts", "Table", "facts_of", "metric_value"]

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; ``text`` stands above it. Without rows and text, nothing is known under this title."""

    title: str
    header: Row = ()
    rows: tuple[Row, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All of a card. ``notes`` is the author's own card, Markdown without its front matter."""

    title: str
    summary: str
    tables: tuple[Table, ...]
    notes: str


def facts_of(bundle: Bundle, report: ReleaseReport | None = None) -> CardFacts:
    """Return what a card tells of a version.

    Parameters
    ----------
    report
        The release report of exactly these bytes; the caller has compared the digests.
    """
    manifest = bundle.manifest
    identity = manifest.identity
    tables = (
        _identity(bundle),
        Table("Intended use", text=identity.intended_use or ""),
        Table("Out of scope", text=identity.out_of_scope_use or ""),
        Table("Inputs", ("Feature", "Type", "Values", "Missing", "Description"), tuple(_features(manifest.interface))),
        Table("Outputs", ("Name", "What"), tuple(_outputs(manifest.interface))),
        Table("Evaluation", ("Metric", "Value", "Slice"), tuple(map(_metric, manifest.evaluation.metrics))),
        Table("Fairness", ("Metric", "Value", "Slice"), tuple(map(_metric, manifest.evaluation.fairness))),
        Table("Robustness", ("Metric", "Value", "Slice"), tuple(map(_metric, manifest.evaluation.robustness))),
        _release(report),
        Table("Training", ("What", "Which"), tuple(_training(manifest))),
        Table("Files", ("File", "SHA-256"), tuple(sorted(bundle.sha256s.items()))),
    )
    return CardFacts(f"{bundle.model} {bundle.version}", identity.description or "", tables, _notes(bundle.card))


def metric_value(metric: Metric) -> str:
    """Return a metric's value, with its confidence interval where there is one."""
    interval = f" ({metric.ci[0]:g} to {metric.ci[1]:g})" if metric.ci else ""
    return f"{metric.value:g}{interval}"


def _identity(bundle: Bundle) -> Table:
    identity = bundle.manifest.identity
    owner = identity.owner
    told = (
        ("Model", bundle.model),
        ("Version", bundle.version),
        ("Digest", bundle.digest),
        ("Signed by", bundle.signed_by),
        ("The trainer's own version", identity.version),
        ("Created", identity.created_at),
        ("Owner", ", ".join(one for one in (owner.team, owner.contact, owner.on_call) if one)),
        ("Risk tier", identity.risk_tier),
        ("License", identity.license),
        ("Review by", bundle.manifest.governance.review_by),
        ("Expires", bundle.manifest.governance.expires_at),
    )
    return Table("Identity", ("What", "Which"), tuple((name, value) for name, value in told if value))


def _features(face: Interface) -> Iterator[Row]:
    for one in face.features:
        unit = f" in {one.unit}" if one.unit else ""
        yield one.name, one.dtype or "", _values(one) + unit, _missing(one), one.description or ""
    for tensor in () if face.features else face.inputs:
        yield tensor.name, tensor.dtype or "", "", "", tensor.semantic or ""


def _values(feature: FeatureEntry) -> str:
    if feature.categories:
        return ", ".join(map(str, feature.categories))
    low, high = feature.range.min, feature.range.max
    if low is None and high is None:
        return ""
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"


def _missing(feature: FeatureEntry) -> str:
    policy = feature.missing or ("may be" if feature.nullable else "")
    return f"{policy} {feature.fill}" if feature.fill is not None else policy


def _outputs(face: Interface) -> Iterator[Row]:
    for tensor in face.outputs:
        yield tensor.name, tensor.semantic or ""
    if face.classes:
        yield "classes", ", ".join(map(str, face.classes))
    if face.score_semantics:
        yield "scores", face.score_semantics
    for name, threshold in sorted(face.decision_thresholds.items()):
        yield f"threshold of {name}", f"{threshold:g}"


def _metric(metric: Metric) -> Row:
    return metric.name, metric_value(metric), metric.slice or ""


def _release(report: ReleaseReport | None) -> Table:
    if report is None:
        return Table("Release check")
    said = (
        f"Checked at {report.checked_at} for the tier {report.tier}, on {report.holdout.rows} rows "
        f"({report.holdout.digest}): {report.outcome}."
    )
    rows = tuple((gate.name, gate.outcome, gate.detail) for gate in report.gates)
    return Table("Release check", ("Gate", "Outcome", "Why"), rows, said)


def _training(manifest: Manifest) -> Iterator[Row]:
    """Give every member of the lineage that says something, by its path."""
    yield from _members("", manifest.lineage)


def _members(at: str, value: Any) -> Iterator[Row]:
    if is_dataclass(value):
        for declared in fields(value):
            yield from _members(f"{at}.{declared.name}" if at else declared.name, getattr(value, declared.name))
    elif isinstance(value, dict):
        for name, item in sorted(value.items()):
            yield from _members(f"{at}.{name}", item)
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        for number, item in enumerate(value, start=1):
            yield from _members(f"{at}.{number}", item)
    elif value is not None and value is not False and value != ():
        yield at, " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _notes(card: str) -> str:
    """Return the author's card without front matter, which would be a second one in ours."""
    lines = card.splitlines()
    if lines[:1] == ["---"] and "---" in lines[1:]:
        lines = lines[lines.index("---", 1) + 1 :]
    return "\n".join(lines).strip()
