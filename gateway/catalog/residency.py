"""Which versions a process keeps loaded: a pure function of what lies on disk, the route, and what operators asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.routing.document import RouteDocument

__all__ = ["Residency", "shadow_versions", "wanted_versions"]


@dataclass(frozen=True, slots=True)
class Residency:
    """What operators asked for: the stored document ``residency/<model>``."""

    pinned: tuple[str, ...] = ()
    unloaded: tuple[str, ...] = ()


def wanted_versions(
    newest: Sequence[str], route: RouteDocument | None, residency: Residency, *, limit: int
) -> tuple[str, ...]:
    """Return the versions to keep loaded, in the order to load them.

    Routed versions come first and cannot be unloaded; then what operators pinned; then the newest up to ``limit``.

    Parameters
    ----------
    newest
        Versions on disk, newest first.

    >>> wanted_versions(["9", "8", "7"], None, Residency(pinned=("1",), unloaded=("9",)), limit=2)
    ('1', '8', '7')
    """
    routed = tuple(route.versions()) if route else ()
    fresh = [v for v in newest if v not in residency.unloaded][:limit]
    return tuple(dict.fromkeys([*routed, *residency.pinned, *fresh]))


def shadow_versions(route: RouteDocument | None) -> tuple[str, ...]:
    """Return the versions that the shadow process keeps loaded.

    >>> shadow_versions(None)
    ()
    """
    return tuple(shadow.version for shadow in route.shadows) if route else ()
