"""The admin API's part on approvals, under ``/admin/v1/models/{model}/versions/{version}``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.codec.documents import encode_document
from gateway.governance.operations import ApprovalOutcome
from gateway.http.admin_access import ControlAccess, Endpoint
from gateway.http.admin_requests import admin_body, ask_of, asked_reason
from gateway.types import Actor

__all__ = ["ApprovalApi"]


class ApprovalApi:
    """The endpoints: who may take live traffic, who says so, and who goes without."""

    def __init__(self, access: ControlAccess) -> None:
        self._approvals, self._call = access.control.approvals, access.call

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        one = "/models/{model}/versions/{version}"
        return [
            ("GET", f"{one}/approvals", self.get),
            ("POST", f"{one}/approvals", self.give),
            ("DELETE", f"{one}/approvals", self.withdraw),
            ("POST", f"{one}/break-glass", self.break_glass),
            ("POST", f"{one}/break-glass/review", self.review),
        ]

    async def get(self, request: Request, actor: Actor) -> Response:
        """How a version stands, and what was said of it."""
        return _json(await self._call(self._approvals.get, *_names(request)))

    async def give(self, request: Request, actor: Actor) -> Response:
        """Approve a version."""
        body = await admin_body(request)
        return _told(await self._call(self._approvals.give, *_names(request), body, ask_of(request, actor)))

    async def withdraw(self, request: Request, actor: Actor) -> Response:
        """Take one's own approval back."""
        reason, ask = asked_reason(request), ask_of(request, actor)
        return _told(await self._call(self._approvals.withdraw, *_names(request), ask, reason))

    async def break_glass(self, request: Request, actor: Actor) -> Response:
        """Let a version do without what is missing, for a few hours."""
        body = await admin_body(request)
        return _told(await self._call(self._approvals.break_glass, *_names(request), body, ask_of(request, actor)))

    async def review(self, request: Request, actor: Actor) -> Response:
        """Say that somebody else's break-glass was looked at."""
        body = await admin_body(request)
        return _told(await self._call(self._approvals.review, *_names(request), body, ask_of(request, actor)))


def _names(request: Request) -> tuple[str, str]:
    return request.path_params["model"], request.path_params["version"]


def _told(outcome: ApprovalOutcome) -> Response:
    return _json({"approvals": outcome.view, "violations": outcome.violations, "dry_run": outcome.is_dry_run})


def _json(value: object) -> Response:
    return Response(encode_document(value), media_type="application/json")
