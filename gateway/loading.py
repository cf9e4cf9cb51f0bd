"""The one way a process loads a version: read the folder, hold it to its first digest, build, probe, check."""

from __future__ import annotations

from gateway.catalog.digests import DigestRegister
from gateway.catalog.repository import Repository
from gateway.engine.loading import HintsOf, load_version
from gateway.engine.version import ServableVersion
from gateway.errors import WeirError
from gateway.metrics.shared import SharedCounters
from gateway.roster import Loader
from gateway.settings import Settings
from gateway.types import Actor

__all__ = ["version_loader"]


def version_loader(
    settings: Settings,
    repository: Repository,
    register: DigestRegister,
    actor: Actor,
    counters: SharedCounters,
    hints_of: HintsOf,
) -> Loader:
    """Return a function that loads one version and counts the attempt. It blocks, and raises ``WeirError``."""

    def attempt(model: str, version: str) -> ServableVersion:
        bundle = repository.read(model, version)
        register.check(bundle)
        unknown = settings.limits.unknown_features
        servable = load_version(bundle, serving=settings.serving, unknown_features=unknown, hints_of=hints_of)
        register.admit(bundle, actor)  # what cannot be loaded leaves no digest: it may be repaired under its name
        return servable

    def load(model: str, version: str) -> ServableVersion:
        result = "failed"
        try:
            servable = attempt(model, version)
            result = "ready"
        except WeirError:
            result = "refused"
            raise
        finally:
            counters.counter("weir_model_loads_total", model=model, result=result).inc()
        return servable

    return load
