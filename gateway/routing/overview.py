"""All models at a glance: what is on disk, what the routes say, what the workers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gateway.fleet import Fleet
from gateway.routing.change import version_order
from gateway.routing.codec import route_view
from gateway.routing.document import RouteDocument
from gateway.types import VersionStatus

__all__ = ["models_view"]


def models_view(
    on_disk: Mapping[str, Sequence[str]],
    routes: Mapping[str, RouteDocument],
    fleet: Fleet,
    missing: Mapping[tuple[str, str], Sequence[str]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return one entry a model, by name; each with its route and the state of every version on every worker.

    Parameters
    ----------
    missing
        What keeps versions from live traffic, by model and version.
    """
    names = sorted({*on_disk, *routes})
    return [_model_view(name, on_disk.get(name, ()), routes.get(name), fleet, missing) for name in names]


def _model_view(
    model: str,
    on_disk: Sequence[str],
    route: RouteDocument | None,
    fleet: Fleet,
    missing: Mapping[tuple[str, str], Sequence[str]],
) -> dict[str, Any]:
    announced = {version for worker in fleet.workers for version in worker.versions.get(model, {})}
    roles = route.versions() if route else {}
    versions = sorted({*on_disk, *announced, *roles}, key=version_order)
    return {
        "model": model,
        "route": route_view(route) if route else None,
        "versions": [
            _version_view(name, roles.get(name), fleet.statuses(model, name), missing.get((model, name), ()))
            for name in versions
        ],
    }


def _version_view(
    version: str, role: str | None, statuses: Mapping[str, VersionStatus], missing: Sequence[str]
) -> dict[str, Any]:
    digests = [status.digest for status in statuses.values() if status.digest]
    return {
        "version": version,
        "role": role,
        "digest": digests[0] if digests else None,
        "missing": list(missing),
        "workers": {worker: _status_view(status) for worker, status in statuses.items()},
    }


def _status_view(status: VersionStatus) -> dict[str, Any]:
    """Show a status; a version that is not ready has no provider and no memory."""
    view: dict[str, Any] = {"state": status.state, "why": status.why}
    return {**view, "provider": status.provider, "memory_bytes": status.memory_bytes} if status.provider else view
