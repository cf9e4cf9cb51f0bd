"""The admin API's part on baselines, under ``/admin/v1/models/{model}/baseline``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.baseline.document import MOST_EVIDENCE_BYTES, BaselineDocument, baseline_view
from gateway.codec.documents import encode_document
from gateway.http.admin_access import ControlAccess, Endpoint
from gateway.http.admin_requests import read_reason, request_id_of, revision_of
from gateway.http.reading import read_body
from gateway.types import Actor

__all__ = ["BaselineApi"]

_BODY_BYTES = 2 * MOST_EVIDENCE_BYTES
"""A text within JSON has its quotation marks escaped."""


class BaselineApi:
    """The endpoints; the watch learns of a change from the store."""

    def __init__(self, access: ControlAccess) -> None:
        self._baselines, self._call = access.control.baselines, access.call

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        one = "/models/{model}/baseline"
        return [("GET", one, self.get), ("PUT", one, self.accept), ("POST", f"{one}/reset", self.reset)]

    async def get(self, request: Request, actor: Actor) -> Response:
        """A model's accepted baseline, its revision as ``ETag``."""
        return _told(await self._call(self._baselines.get, request.path_params["model"]))

    async def accept(self, request: Request, actor: Actor) -> Response:
        """Accept a baseline; ``If-Match`` names the revision that is replaced."""
        body = await read_body(request.scope, request.receive, _BODY_BYTES)
        model, revision = request.path_params["model"], revision_of(request)
        return _told(await self._call(self._baselines.accept, model, body, revision, actor, request_id_of(request)))

    async def reset(self, request: Request, actor: Actor) -> Response:
        """Take the baseline away."""
        reason, model = await read_reason(request), request.path_params["model"]
        return _told(await self._call(self._baselines.reset, model, actor, reason, request_id_of(request)))


def _told(baseline: BaselineDocument) -> Response:
    headers = {"etag": f'"{baseline.revision}"'}
    return Response(encode_document(baseline_view(baseline)), headers=headers, media_type="application/json")
