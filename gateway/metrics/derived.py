"""What the watch derives from documents, announcements and counters: gauges of routes and fleet, totals of faults."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from gateway.metrics.totals import Series
from gateway.routing.document import FULL_BP, RouteDocument
from gateway.types import WorkerFacts
from monitors.records import FaultTotals

__all__ = ["build_gauges", "fault_totals", "fleet_gauges", "lag_gauges", "route_gauges", "versions_in_use"]

Gauge = tuple[str, dict[str, str], float]


def route_gauges(route: RouteDocument) -> Iterator[Gauge]:
    """Yield the revision of a route, whether it is in force, and the share of each of its versions."""
    yield "weir_route_revision", {"model": route.model}, float(route.revision)
    yield "weir_model_stopped", {"model": route.model}, float(route.stop is not None)
    for name, variant, share_bp in _shares(route):
        labels = {"model": route.model, "version": name, "variant": variant}
        yield "weir_variant_weight_ratio", labels, share_bp / FULL_BP


def _shares(route: RouteDocument) -> list[tuple[str, str, int]]:
    """Return version, role and share of each version that a route names."""
    shares = [(route.stable, "stable", route.stable_bp)]
    if route.canary:
        shares.append((route.canary.version, "canary", route.canary.weight_bp))
    return shares + [(shadow.version, "shadow", shadow.sample_bp) for shadow in route.shadows]


def versions_in_use(routes: Iterable[RouteDocument], fleet: Iterable[WorkerFacts]) -> set[tuple[str, str]]:
    """Return each (model, version) that a route names or that some process has, in whatever state."""
    loaded = {(model, name) for worker in fleet for model, versions in worker.versions.items() for name in versions}
    return loaded | {(route.model, name) for route in routes for name, _, _ in _shares(route)}


def lag_gauges(routes: Iterable[RouteDocument], fleet: Iterable[WorkerFacts]) -> Iterator[Gauge]:
    """Yield for each model how many processes have applied an older revision than the document's."""
    applied = [worker.routes for worker in fleet if not worker.draining]
    for route in routes:
        lagging = sum(revisions.get(route.model, route.revision) < route.revision for revisions in applied)
        yield "weir_route_lagging_workers", {"model": route.model}, float(lagging)


def fleet_gauges(roles: Mapping[str, str], fleet: Iterable[WorkerFacts]) -> Iterator[Gauge]:
    """Yield the number of live processes by role, and one info for each version that some worker has ready."""
    for role, count in sorted(Counter(roles.values()).items()):
        yield "weir_workers", {"role": role}, float(count)
    ready = {
        (model, name, status.digest)
        for worker in fleet
        for model, versions in worker.versions.items()
        for name, status in versions.items()
        if status.state == "ready"
    }
    for model, name, digest in sorted(ready):
        yield "weir_model_info", {"model": model, "version": name, "digest": digest}, 1.0


def build_gauges(revision: str) -> Iterator[Gauge]:
    """Yield the build that runs here."""
    labels = {"version": version("weir"), "revision": revision, "python": platform.python_version()}
    yield "weir_build_info", labels, 1.0


def fault_totals(series: Iterable[Series]) -> list[FaultTotals]:
    """Return the contract faults of each version, from the workers' counters.

    Examples
    --------
    >>> name = {"model": "m", "version": "1"}
    >>> fault_totals([Series("weir_contract_rows_total", name, "counter", 9.0)])
    [FaultTotals(model='m', version='1', rows=9, faults={})]
    """
    rows: dict[tuple[str, str], int] = {}
    faults: defaultdict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)
    for found in series:
        if found.name == "weir_contract_rows_total":
            rows[found.labels["model"], found.labels["version"]] = int(found.value)
        elif found.name == "weir_feature_faults_total":
            name = (found.labels["model"], found.labels["version"])
            faults[name][found.labels["feature"], found.labels["kind"]] = int(found.value)
        elif found.name == "weir_rule_broken_rows_total":
            name = (found.labels["model"], found.labels["version"])
            faults[name][found.labels["rule"], "rule"] = int(found.value)
    return [FaultTotals(model, name, rows[model, name], faults[model, name]) for model, name in sorted(rows)]
