"""Whether the version says where it comes from and what it is for: lineage and model card, read off the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gateway.catalog.bundle import Bundle
from gateway.catalog.manifest import Lineage
from gateway.release.document import GateResult
from gateway.release.examination import Examination
from gateway.release.gates.verdict import judged, skipped
from gateway.release.policy import CardField, LineageAxis

__all__ = ["card_faults", "judge_card", "judge_lineage", "lineage_faults"]


def judge_lineage(examination: Examination) -> GateResult:
    """Look for each axis that the policy demands."""
    axes = examination.rules.lineage
    if not axes:
        return skipped("lineage", "the policy demands no axis of the lineage")
    faults = lineage_faults(examination.bundle.manifest.lineage, axes)
    return judged("lineage", faults, f"complete: {', '.join(axes)}", {"axes": list(axes)})


def judge_card(examination: Examination) -> GateResult:
    """Look for each part of the model card that the policy demands."""
    parts = examination.rules.card
    if not parts:
        return skipped("card", "the policy demands no part of the model card")
    return judged(
        "card", card_faults(examination.bundle, parts), f"complete: {', '.join(parts)}", {"parts": list(parts)}
    )


def lineage_faults(lineage: Lineage, axes: tuple[LineageAxis, ...]) -> list[str]:
    """Return what the lineage lacks, one text for each axis that is not complete."""
    return [f"{axis}: {why}" for axis in axes if (why := _AXES[axis](lineage))]


def card_faults(bundle: Bundle, parts: tuple[CardField, ...]) -> list[str]:
    """Return which parts of the model card there are not."""
    identity = bundle.manifest.identity
    found: Mapping[CardField, str | None] = {
        "description": identity.description,
        "intended_use": identity.intended_use,
        "out_of_scope_use": identity.out_of_scope_use,
        "owner": identity.owner.team or identity.owner.contact,
        "license": identity.license,
        "text": bundle.card,
    }
    wanted: Mapping[CardField, str] = {
        "owner": "identity.owner has neither team nor contact",
        "text": "there is no card.md",
    }
    return [wanted.get(part, f"identity.{part} is empty") for part in parts if not (found[part] or "").strip()]


def _code(lineage: Lineage) -> str:
    if not lineage.code.commit:
        return "lineage.code.commit is empty"
    return "lineage.code.dirty: the commit is not what was run" if lineage.code.dirty else ""


def _data(lineage: Lineage) -> str:
    if not lineage.data:
        return "lineage.data names no data set"
    loose = [str(i) for i, data in enumerate(lineage.data) if not (data.digest or data.snapshot_id)]
    return f"lineage.data has neither digest nor snapshot_id at {', '.join(loose)}" if loose else ""


def _features(lineage: Lineage) -> str:
    named = lineage.features.definition_version or lineage.features.digest
    return "" if named else "lineage.features has neither definition_version nor digest"


def _runtime(lineage: Lineage) -> str:
    digests = (lineage.runtime_image_digest, lineage.trainer_image_digest, lineage.dependency_lock_digest)
    return "" if any(digests) else "none of runtime_image_digest, trainer_image_digest, dependency_lock_digest"


_AXES: Final[Mapping[LineageAxis, Callable[[Lineage], str]]] = {
    "code": _code,
    "data": _data,
    "features": _features,
    "hyperparameters": lambda lineage: "" if lineage.hyperparameters else "lineage.hyperparameters is empty",
    "runtime": _runtime,
    "seeds": lambda lineage: "" if lineage.random_seeds else "lineage.random_seeds is empty",
}
