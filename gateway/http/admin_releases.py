"""The admin API's part on release records, under ``/admin/v1/models/{model}/versions/{version}/release``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.codec.documents import encode_document
from gateway.http.admin_access import ControlAccess, Endpoint
from gateway.http.admin_requests import request_id_of
from gateway.http.reading import read_body
from gateway.release.document import MOST_REPORT_BYTES
from gateway.release.stored import ReleaseRecord, release_view
from gateway.types import Actor

__all__ = ["ReleaseApi"]


class ReleaseApi:
    """The endpoints."""

    def __init__(self, access: ControlAccess) -> None:
        self._releases, self._call = access.control.releases, access.call

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        one = "/models/{model}/versions/{version}/release"
        return [("GET", one, self.get), ("POST", one, self.submit)]

    async def get(self, request: Request, actor: Actor) -> Response:
        """The record of a version's present bytes, its revision as ``ETag``."""
        names = request.path_params["model"], request.path_params["version"]
        return _told(await self._call(self._releases.get, *names))

    async def submit(self, request: Request, actor: Actor) -> Response:
        """Keep what a report says."""
        body = await read_body(request.scope, request.receive, MOST_REPORT_BYTES)
        names = request.path_params["model"], request.path_params["version"]
        return _told(await self._call(self._releases.submit, *names, body, actor, request_id_of(request)))


def _told(record: ReleaseRecord) -> Response:
    headers = {"etag": f'"{record.revision}"'}
    return Response(encode_document(release_view(record)), headers=headers, media_type="application/json")
