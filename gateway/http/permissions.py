"""Which role each guarded operation needs: the one table that the check and the OpenAPI document are made from."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.access.roles import Role

__all__ = ["PERMISSIONS", "needed_role"]

_BY_ROLE: Mapping[Role, tuple[str, ...]] = {
    "viewer": (
        "GET /admin/v1/models",
        "GET /admin/v1/models/{model}/route",
        "GET /admin/v1/models/{model}/drift",
        "GET /admin/v1/models/{model}/drift/history",
        "GET /admin/v1/models/{model}/versions/{version}/card",
        "GET /admin/v1/models/{model}/versions/{version}/approvals",
        "GET /admin/v1/models/{model}/versions/{version}/release",
        "GET /admin/v1/models/{model}/baseline",
        "GET /admin/v1/alerts",
        "GET /admin/v1/audit",
        "GET /admin/v1/rollouts",
        "GET /admin/v1/rollouts/{model}",
        "GET /admin/v1/overview",
        "GET /admin/v1/traffic",
        "GET /admin/v1/events",
        "POST /admin/v1/session",
        "GET /admin/v1/session",
        "DELETE /admin/v1/session",
    ),
    "operator": (
        "PUT /admin/v1/models/{model}/route",
        "POST /admin/v1/models/{model}/rollback",
        "POST /admin/v1/models/{model}/stop",
        "POST /admin/v1/models/{model}/resume",
        "POST /admin/v1/models/{model}/versions/{version}/load",
        "POST /admin/v1/models/{model}/versions/{version}/unload",
        "POST /admin/v1/models/{model}/versions/{version}/release",
        "POST /admin/v1/models/{model}/versions/{version}/break-glass",
        "PUT /admin/v1/models/{model}/baseline",
        "POST /admin/v1/models/{model}/baseline/reset",
        "POST /admin/v1/alerts/{alert}/acknowledge",
        "POST /admin/v1/alerts/{alert}/false",
        "POST /admin/v1/rollouts",
        "POST /admin/v1/rollouts/{model}/pause",
        "POST /admin/v1/rollouts/{model}/resume",
        "POST /admin/v1/rollouts/{model}/abort",
        "POST /admin/v1/rollouts/{model}/promote",
        "POST /admin/v1/rollouts/{model}/override",
        "POST /admin/v1/rollouts/{model}/outcomes",
        "POST /v2/repository/models/{model}/load",
        "POST /v2/repository/models/{model}/unload",
    ),
    "approver": (
        "POST /admin/v1/models/{model}/versions/{version}/approvals",
        "DELETE /admin/v1/models/{model}/versions/{version}/approvals",
        "POST /admin/v1/models/{model}/versions/{version}/break-glass/review",
    ),
    "admin": (
        "GET /admin/v1/tokens",
        "POST /admin/v1/tokens",
        "DELETE /admin/v1/tokens/{token}",
    ),
}
PERMISSIONS: Mapping[str, Role] = {operation: role for role, listed in _BY_ROLE.items() for operation in listed}
"""Role by method and path. What is not here needs no credentials."""


def needed_role(method: str, path: str) -> Role:
    """Return the role that a guarded operation needs; raise ``LookupError`` for one that nobody has given one."""
    operation = f"{method} {path}"
    if operation not in PERMISSIONS:
        raise LookupError(f"{operation} has no role in gateway/http/permissions.py")
    return PERMISSIONS[operation]
