"""The bill of materials of a version: CycloneDX 1.6 with a model card, as inventories of machine learning read it.

References
----------
CycloneDX Bill of Materials specification 1.6 (ECMA-424), 2024: ``modelCard`` and ``componentData``.
"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from gateway.catalog.bundle import Bundle
from gateway.catalog.manifest import DataOrigin, Manifest, Metric
from gateway.release.document import ReleaseReport

__all__ = ["bill_of_materials"]

SPEC_VERSION = "1.6"
_DATA = "data-"


def bill_of_materials(bundle: Bundle, weir_version: str, report: ReleaseReport | None = None) -> dict[str, Any]:
    """Return the bill as plain values ready for JSON; the same bundle and report give the same bill.

    Parameters
    ----------
    weir_version
        Told as the tool that wrote it.
    report
        The release report of exactly these bytes; the caller has compared the digests.
    """
    files = [_file(path, sha256) for path, sha256 in sorted(bundle.sha256s.items())]
    data = [_data(number, origin) for number, origin in enumerate(bundle.manifest.lineage.data, start=1)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'weir:{bundle.model}/{bundle.version}/{bundle.digest}')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "weir", "version": weir_version}]},
            "component": _model(bundle, report),
        },
        "components": [*files, *data],
        "dependencies": [
            {"ref": "model", "dependsOn": [one["bom-ref"] for one in (*files, *data)]},
        ],
    }


def _model(bundle: Bundle, report: ReleaseReport | None) -> dict[str, Any]:
    identity = bundle.manifest.identity
    return _without_nothing(
        {
            "type": "machine-learning-model",
            "bom-ref": "model",
            "name": bundle.model,
            "version": bundle.version,
            "description": identity.description,
            "manufacturer": _without_nothing({"name": identity.owner.team}) or None,
            "licenses": [{"license": {"name": identity.license}}] if identity.license else None,
            "hashes": [_sha256(bundle.sha256s["model.onnx"])],
            "properties": _properties(bundle, report),
            "modelCard": _card(bundle.manifest, report),
        }
    )


def _card(manifest: Manifest, report: ReleaseReport | None) -> dict[str, Any]:
    identity, face, evaluation = manifest.identity, manifest.interface, manifest.evaluation
    inputs = face.features or face.inputs
    data = [{"ref": f"{_DATA}{number}"} for number in range(1, len(manifest.lineage.data) + 1)]
    metrics = [_performance(metric) for metric in (*evaluation.metrics, *evaluation.robustness)]
    limits = [identity.out_of_scope_use] if identity.out_of_scope_use else []
    considerations = {
        "useCases": [identity.intended_use] if identity.intended_use else None,
        "technicalLimitations": limits or None,
        "fairnessAssessments": [
            {"groupAtRisk": metric.slice or "all", "harms": f"{metric.name}: {metric.value:g}"}
            for metric in evaluation.fairness
        ]
        or None,
        "ethicalConsiderations": [{"name": f"risk tier: {identity.risk_tier}"}] if identity.risk_tier else None,
    }
    parameters = {
        "task": "classification" if face.classes else None,
        "datasets": data or None,
        "inputs": [{"format": _format(one.name, one.dtype)} for one in inputs] or None,
        "outputs": [{"format": _format(one.name, one.dtype)} for one in face.outputs] or None,
    }
    analysis = [*metrics, *_gates(report)]
    return _without_nothing(
        {
            "modelParameters": _without_nothing(parameters) or None,
            "quantitativeAnalysis": {"performanceMetrics": analysis} if analysis else None,
            "considerations": _without_nothing(considerations) or None,
        }
    )


def _performance(metric: Metric) -> dict[str, Any]:
    interval = None if metric.ci is None else {"lowerBound": f"{metric.ci[0]:g}", "upperBound": f"{metric.ci[1]:g}"}
    told = {"type": metric.name, "value": f"{metric.value:g}", "slice": metric.slice, "confidenceInterval": interval}
    return _without_nothing(told)


def _gates(report: ReleaseReport | None) -> list[dict[str, Any]]:
    gates = report.gates if report else ()
    return [{"type": f"release gate: {gate.name}", "value": gate.outcome} for gate in gates]


def _properties(bundle: Bundle, report: ReleaseReport | None) -> list[dict[str, str]]:
    lineage, governance = bundle.manifest.lineage, bundle.manifest.governance
    told = {
        "weir:digest": bundle.digest,
        "weir:signed-by": bundle.signed_by,
        "weir:risk-tier": bundle.manifest.identity.risk_tier,
        "weir:code": "@".join(one for one in (lineage.code.repo, lineage.code.commit) if one),
        "weir:parent-digest": lineage.parent_model_digest,
        "weir:trainer-image": lineage.trainer_image_digest,
        "weir:runtime-image": lineage.runtime_image_digest,
        "weir:dependency-lock": lineage.dependency_lock_digest,
        "weir:review-by": governance.review_by,
        "weir:release-outcome": report and report.outcome,
        "weir:release-checked-at": report and report.checked_at,
        **{f"weir:hyperparameter:{name}": str(value) for name, value in sorted(lineage.hyperparameters.items())},
        **{f"weir:seed:{name}": str(seed) for name, seed in sorted(lineage.random_seeds.items())},
    }
    return [{"name": name, "value": value} for name, value in told.items() if value]


def _file(path: str, sha256: str) -> dict[str, Any]:
    return {"type": "file", "bom-ref": f"file-{path}", "name": path, "hashes": [_sha256(sha256)]}


def _data(number: int, origin: DataOrigin) -> dict[str, Any]:
    told = {
        "type": origin.type,
        "uri": origin.uri,
        "snapshot": origin.snapshot_id,
        "digest": origin.digest,
        "rows": None if origin.row_count is None else str(origin.row_count),
        "time range": origin.time_range and " to ".join(origin.time_range),
    }
    name = origin.uri or origin.snapshot_id or f"data set {number}"
    properties = [{"name": f"weir:{key}", "value": value} for key, value in told.items() if value]
    content = _without_nothing({"properties": properties or None})
    item = _without_nothing({"type": "dataset", "name": name, "contents": content or None})
    return {"type": "data", "bom-ref": f"{_DATA}{number}", "name": name, "data": [item]}


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _format(name: str, dtype: str | None) -> str:
    return f"{name}: {dtype}" if dtype else name


def _without_nothing(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}
