"""The route document of a model: which version is stable, which is canary with what weight, which run as shadows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

__all__ = ["FULL_BP", "CanaryRoute", "RouteDocument", "ShadowRoute", "Stop", "without_canary"]

FULL_BP = 10_000
"""All of the traffic, in basis points: weights are integers that sum to this."""


@dataclass(frozen=True, slots=True)
class CanaryRoute:
    """The canary's version and its share of the routing keys in basis points (0 to 10,000)."""

    version: str
    weight_bp: int


@dataclass(frozen=True, slots=True)
class ShadowRoute:
    """A shadow version and the share of stable's answers that it repeats, in basis points."""

    version: str
    sample_bp: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The safe state of a model: one version answers everything or, without it, every request is refused.

    With ``answer`` it does so without being asked: that is one row of its outputs by name, given for every row.
    """

    reason: str
    since: str
    by: str
    version: str | None = None
    answer: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RouteDocument:
    """One model's route. ``revision`` is the store's; ``salt`` stays while the canary's version stays.

    ``stop`` puts everything else out of force and leaves it as it is, for the time after; ``resumed_at`` says in Unix
    seconds when a stop ended last, 0 for never.
    """

    model: str
    revision: int
    stable: str
    salt: str
    canary: CanaryRoute | None = None
    shadows: tuple[ShadowRoute, ...] = ()
    previous_stable: str | None = None
    reason: str = ""
    updated_at: str = ""
    updated_by: str = ""
    stop: Stop | None = None
    resumed_at: float = 0.0

    @property
    def stable_bp(self) -> int:
        """Share of the stable version in basis points: what the canary leaves."""
        return FULL_BP - (self.canary.weight_bp if self.canary else 0)

    def versions(self) -> dict[str, str]:
        """Return every version that the route needs loaded, with its role."""
        roles = {self.stable: "stable"}
        if self.canary:
            roles.setdefault(self.canary.version, "canary")
        for shadow in self.shadows:
            roles.setdefault(shadow.version, "shadow")
        if self.previous_stable:
            roles.setdefault(self.previous_stable, "previous")
        if self.stop and self.stop.version:
            # Over any other role but stable's: what answers while the model is stopped must be kept.
            roles[self.stop.version] = "stable" if self.stop.version == self.stable else "fallback"
        return roles


def without_canary(route: RouteDocument) -> RouteDocument:
    """Return the route with all traffic on stable; the canary stays loaded."""
    return replace(route, canary=replace(route.canary, weight_bp=0)) if route.canary else route
