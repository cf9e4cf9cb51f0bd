"""The one way a process loads a version: read the folder, hold it to its first digest, build, probe, check."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gateway.catalog.bundle import Bundle
from gateway.catalog.digests import DigestRegister
from gateway.catalog.repository import Repository
from gateway.engine.loading import HintsOf, load_version
from gateway.engine.memory import heap_bytes, return_free_memory
from gateway.engine.threads import ThreadBudget, cores_of_one_worker
from gateway.engine.version import ServableVersion
from gateway.errors import WeirError
from gateway.gently import gently
from gateway.governance.declared import DeclaredRegister
from gateway.metrics.catalogue import METRICS
from gateway.metrics.shared import SharedCounters
from gateway.roster import Loader
from gateway.settings import Settings
from gateway.signing.trust import Trust
from gateway.types import Actor

__all__ = ["measured", "version_loader"]

_log = logging.getLogger("weir.loading")


def version_loader(
    settings: Settings,
    repository: Repository,
    register: DigestRegister,
    actor: Actor,
    counters: SharedCounters,
    hints_of: HintsOf,
    declared: DeclaredRegister | None = None,
) -> Loader:
    """Return a function that loads one version and counts the attempt. It blocks, and raises ``WeirError``.

    Parameters
    ----------
    declared
        Keeps what bundles declare for the guard of a gateway with a policy.
    """

    budget = ThreadBudget(settings.serving.threads or cores_of_one_worker(settings.workers))

    def attempt(model: str, version: str) -> ServableVersion:
        bundle = gently(repository.read, model, version)
        _warn_unsigned(bundle, repository.trust)
        register.check(bundle)
        threads = _granted(budget, bundle)
        build = partial(
            load_version,
            bundle,
            serving=settings.serving,
            unknown_features=settings.limits.unknown_features,
            hints_of=hints_of,
            threads=threads,
        )
        servable = measured(bundle, build if _starts_threads(bundle, threads) else partial(gently, build))
        budget.hold(servable, model, threads)
        register.admit(bundle, actor)  # what cannot be loaded leaves no digest: it may be repaired under its name
        if declared is not None:
            declared.note(bundle, actor)
        return servable

    def load(model: str, version: str) -> ServableVersion:
        result = "failed"
        for outcome in METRICS["weir_model_loads_total"].values["result"]:  # a rate needs the value from before
            counters.counter("weir_model_loads_total", model=model, result=outcome)
        try:
            servable = attempt(model, version)
            result = "ready"
        except WeirError:
            result = "refused"
            raise
        finally:
            counters.counter("weir_model_loads_total", model=model, result=result).inc()
            gently(return_free_memory)
        return servable

    return load


def _warn_unsigned(bundle: Bundle, trust: Trust) -> None:
    rule, tier = trust.of_unsigned(bundle.model, bundle.manifest.identity.risk_tier)
    if rule == "warn" and not bundle.signed_by:
        _log.warning("%s version %s of the tier %s is not signed by a trusted key", bundle.model, bundle.version, tier)


def _granted(budget: ThreadBudget, bundle: Bundle) -> int:
    asked = bundle.manifest.serving.threads or 1
    threads = budget.grant(bundle.model, asked)
    if threads < asked:
        _log.warning("%s version %s asks for %d threads and gets %d", bundle.model, bundle.version, asked, threads)
    return threads


def _starts_threads(bundle: Bundle, threads: int) -> bool:
    """Return whether its sessions have threads of their own, which would keep a low priority for good."""
    return threads > 1 or bool(set(bundle.manifest.serving.providers) - {"cpu"})


def measured(bundle: Bundle, build: Callable[[], ServableVersion]) -> ServableVersion:
    """Build a version and note how much memory that took; loads come one at a time."""
    before = heap_bytes()
    servable = build()
    graphs = [graph for graph in (bundle.graph, bundle.features_graph) if graph is not None]
    weights = sum(len(data) for graph in graphs for data in (graph.data, *graph.external.values()))
    return replace(servable, memory_bytes=max(heap_bytes() - before, weights))
