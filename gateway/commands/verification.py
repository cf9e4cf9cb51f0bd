"""Every version of a folder of models, read, checked and loaded as a worker would load it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.catalog.bundle import Bundle, BundleLimits
from gateway.catalog.repository import Repository
from gateway.commands.reference_hints import hints_of
from gateway.engine.loading import load_version
from gateway.errors import DocumentInvalid, VersionRefused
from gateway.signing.trust import NOBODY, Trust
from monitors.reference import ProfileInvalid

__all__ = ["Verdict", "verify_models"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found of one version.

    ``beside`` names what lies beside the graph: ``golden rows``, ``reference``, ``evidence``, ``card``. ``refused``
    says why the version may not serve, and is ``None`` where it may. ``signed_by`` is the key whose signature held.
    """

    model: str
    version: str
    digest: str = ""
    layout: str = ""
    inputs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    signed_by: str = ""
    refused: str | None = None


def verify_models(root: Path, trust: Trust = NOBODY) -> Iterator[Verdict]:
    """Give a verdict on each version below ``root``, by model and version."""
    repository = Repository(root, limits=BundleLimits(), trust=trust)
    for model, versions in repository.models().items():
        for version in versions:
            yield _verdict(repository, model, version)


def _verdict(repository: Repository, model: str, version: str) -> Verdict:
    try:
        bundle = repository.read(model, version)
    except DocumentInvalid as exc:
        return Verdict(model=model, version=version, refused=str(exc))
    except VersionRefused as exc:
        return Verdict(model=model, version=version, refused=exc.why)
    layout, refused = "", None
    try:
        layout = load_version(bundle, hints_of=hints_of).contract.layout
    except VersionRefused as exc:
        refused = exc.why
    except ProfileInvalid as exc:
        refused = f"reference.json: {exc}"
    return Verdict(
        model=model,
        version=version,
        digest=bundle.digest,
        layout=layout,
        inputs=_inputs(bundle),
        beside=_beside(bundle),
        signed_by=bundle.signed_by,
        refused=refused,
    )


def _beside(bundle: Bundle) -> tuple[str, ...]:
    profiles = {"reference": bundle.reference, "evidence": bundle.evidence}
    held = {"golden rows": bundle.golden is not None, **profiles, "card": bundle.card}
    return tuple(name for name, there in held.items() if there)


def _inputs(bundle: Bundle) -> tuple[str, ...]:
    """Return name, dtype and shape of each input, as ``X float32[n, 30]``."""
    specs = (bundle.features_graph or bundle.graph).info.inputs
    axes = [", ".join("n" if axis < 0 else str(axis) for axis in spec.shape) for spec in specs]
    return tuple(f"{spec.name} {spec.dtype}[{shape}]" for spec, shape in zip(specs, axes, strict=True))
