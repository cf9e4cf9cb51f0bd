"""Which wanted versions rest on disk for now: a pure function of roles, sizes and idle times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.catalog.residency import Residency
from gateway.routing.document import RouteDocument

__all__ = ["BUSY_S", "Candidate", "Role", "resting_versions", "role_of"]

Name: TypeAlias = tuple[str, str]
Role: TypeAlias = Literal["stable", "previous", "canary", "shadow", "pinned", "extra"]

BUSY_S: Final = 60.0
"""Seconds after a use in which a version is not evicted: below that, models that share too little memory would do
nothing but load."""

_ROLES: Final[tuple[Role, ...]] = ("stable", "previous", "pinned", "extra")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version that the routes, the operators or the folder want loaded.

    Parameters
    ----------
    memory_bytes
        What it took when it was last loaded; else what its files hold.
    idle_s
        Seconds since it was last used or asked for, or since it was loaded.
    """

    name: Name
    role: Role
    memory_bytes: int
    idle_s: float
    is_loaded: bool


def role_of(version: str, route: RouteDocument | None, residency: Residency) -> Role:
    """Return what a version is kept for: its role in the route, else a pin, else that it is new.

    >>> role_of("7", None, Residency(pinned=("7",)))
    'pinned'
    """
    routed = route.versions().get(version) if route else None
    roles: Mapping[str, Role] = {
        "canary": "canary",
        "shadow": "shadow",
        "previous": "previous",
        "stable": "stable",
        "fallback": "canary",  # never rests: nobody would wake it
    }
    return roles[routed] if routed else "pinned" if version in residency.pinned else "extra"


def resting_versions(
    candidates: Iterable[Candidate], *, budget_bytes: int = 0, idle_ttl_s: float = 0.0
) -> Mapping[Name, str]:
    """Return the versions that are not to be in memory now, each with the reason in words.

    Canaries, shadows and the stable version beside them never rest, and neither does a loaded stable version that was
    used in the last ``BUSY_S``. All others rest after ``idle_ttl_s``. Of those that are left, the budget goes to stable
    versions first, then to previous ones, to pins, and to what is merely new; within each to the ones used last.

    Parameters
    ----------
    budget_bytes
        Memory of all versions together; 0 for any. What never rests is kept even beyond it.
    idle_ttl_s
        Seconds without use after which a version rests; 0 for never.

    Examples
    --------
    >>> old = Candidate(("a", "1"), "stable", 60, idle_s=900.0, is_loaded=True)
    >>> asked = Candidate(("b", "1"), "stable", 60, idle_s=0.0, is_loaded=False)
    >>> dict(resting_versions([old, asked], budget_bytes=100))
    {('a', '1'): 'the memory budget is used by others'}
    """
    every = list(candidates)
    tried = {candidate.name[0] for candidate in every if candidate.role in ("canary", "shadow")}
    kept = [c for c in every if _stays(c, tried)]
    others = [c for c in every if c not in kept]
    idle = {c.name: f"not used for {idle_ttl_s:g} s" for c in others if 0 < idle_ttl_s < c.idle_s}
    if not budget_bytes:
        return idle
    left = budget_bytes - sum(c.memory_bytes for c in kept)
    resting = dict(idle)
    for candidate in sorted((c for c in others if c.name not in idle), key=_rank):
        if candidate.memory_bytes <= left:
            left -= candidate.memory_bytes
        else:
            resting[candidate.name] = "the memory budget is used by others"
    return resting


def _stays(candidate: Candidate, tried: set[str]) -> bool:
    if candidate.role in ("canary", "shadow"):
        return True
    if candidate.role == "stable" and candidate.name[0] in tried:
        return True
    return candidate.role == "stable" and candidate.is_loaded and candidate.idle_s < BUSY_S


def _rank(candidate: Candidate) -> tuple[int, float]:
    return _ROLES.index(candidate.role), candidate.idle_s
