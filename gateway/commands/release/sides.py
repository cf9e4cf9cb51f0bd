"""The two versions of a check: the candidate on disk, and the one that serves now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.catalog.bundle import Bundle, BundleLimits
from gateway.catalog.repository import Repository
from gateway.commands.problem import ProblemReported
from gateway.commands.reference_hints import hints_of
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from gateway.loading import measured

if TYPE_CHECKING:
    from gateway.commands.admin_client import AdminClient

__all__ = ["Serving", "load_side", "read_side", "serving_version"]

UNKNOWN = ("urn:weir:problem:resource-unknown", "urn:weir:problem:model-unknown")


@dataclass(frozen=True, slots=True)
class Serving:
    """Which version serves, and with which digest, as a gateway tells it; ``None`` for a model that has none yet."""

    version: str | None
    digest: str | None = None


def serving_version(client: AdminClient, model: str) -> Serving:
    """Ask a gateway which version of a model is stable.

    Raises
    ------
    ProblemReported
        The gateway does not answer, or does not let us ask.
    """
    try:
        stable = client.get("models", model, "route")["stable"]
    except ProblemReported as problem:
        if problem.kind in UNKNOWN:
            return Serving(None)
        raise
    told: dict[str, Any] = next(
        (one for one in client.get("models")["models"] if one["model"] == model), {"versions": []}
    )
    return Serving(stable, next((one["digest"] for one in told["versions"] if one["version"] == stable), None))


def read_side(folder: Path, model: str, version: str, digest: str | None = None) -> Bundle:
    """Read a version's bundle; with ``digest``, only the one that a gateway serves.

    Raises
    ------
    ProblemReported
        The folder holds other bytes than the gateway serves.
    gateway.errors.WeirError
        There is no such version, or it cannot be read.
    """
    bundle = Repository(folder, limits=BundleLimits()).read(model, version)
    if digest not in (None, bundle.digest):
        what = f"{folder / model / version} has digest {bundle.digest}, the gateway serves {digest}"
        raise ProblemReported(f"{what}; compare with the bytes that serve (--models)")
    return bundle


def load_side(bundle: Bundle) -> ServableVersion:
    """Load a version for the check, without its golden rows, and measure what memory that takes.

    Raises
    ------
    gateway.errors.VersionRefused
        It does not load, or takes tensors and no named features.
    """
    return measured(bundle, partial(load_version, replace(bundle, golden=None), hints_of=hints_of))
