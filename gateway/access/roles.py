"""Roles, and what each covers: operators and approvers stand side by side above viewers, and admins above both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from gateway.types import Role

__all__ = ["ROLES", "Role", "acting_role", "covered"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Every role, those that may less first."""

_COVERS: Mapping[Role, tuple[Role, ...]] = {
    "viewer": ("viewer",),
    "operator": ("viewer", "operator"),
    "approver": ("viewer", "approver"),
    "admin": ROLES,
}


def covered(held: Iterable[Role]) -> tuple[Role, ...]:
    """Return the roles whose work somebody may do that holds these.

    >>> covered(["approver"]), covered(["operator", "approver"]), covered([])
    (('viewer', 'approver'), ('viewer', 'operator', 'approver'), ())
    """
    found = {role for each in held for role in _COVERS[each]}
    return tuple(role for role in ROLES if role in found)


def acting_role(held: Iterable[Role], needed: Role) -> Role | None:
    """Return the least of the held roles that may do what ``needed`` may; ``None`` where none may.

    >>> acting_role(["admin", "operator"], "viewer"), acting_role(["approver"], "operator")
    ('operator', None)
    """
    able = {role for role in held if needed in _COVERS[role]}
    return next((role for role in ROLES if role in able), None)
