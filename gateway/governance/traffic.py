"""Which versions a change of a route gives live traffic that they did not have before, or more of it. Pure."""

from __future__ import annotations

from gateway.routing.document import RouteDocument

__all__ = ["raised"]


def raised(before: RouteDocument | None, after: RouteDocument) -> tuple[str, ...]:
    """Return the versions whose share of live traffic a change raises; shadows have none.

    A version that is stable before and after takes what a canary leaves and is not raised by it. A stop counts for
    nothing: it ends, and the route behind it comes into force as it is.

    Examples
    --------
    >>> from gateway.routing.document import CanaryRoute
    >>> calm = RouteDocument("loan", 1, "1", "")
    >>> raised(calm, RouteDocument("loan", 2, "1", "", CanaryRoute("2", 500)))
    ('2',)
    >>> raised(RouteDocument("loan", 2, "1", "", CanaryRoute("2", 500)), calm)
    ()
    """
    had, has = _shares(before), _shares(after)
    kept = before.stable if before is not None and before.stable == after.stable else None
    return tuple(version for version, share in has.items() if share > had.get(version, 0) and version != kept)


def _shares(route: RouteDocument | None) -> dict[str, int]:
    if route is None:
        return {}
    canary = {route.canary.version: route.canary.weight_bp} if route.canary else {}
    return {route.stable: route.stable_bp, **canary}
