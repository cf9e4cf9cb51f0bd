"""The admin API's part for those who watch live: the overview, once or as a stream, and the traffic of late."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.admin_access import Endpoint, WatchReader
from gateway.http.credentials import Credentials
from gateway.http.event_stream import Overviews
from gateway.types import Actor

__all__ = ["LiveApi"]

_OVERVIEW = "/admin/v1/overview"


class LiveApi:
    """The endpoints; all they tell comes from the watch."""

    def __init__(self, watch: WatchReader, credentials: Credentials, *, is_draining: Callable[[], bool]) -> None:
        self._watch, self._credentials = watch, credentials
        self._overviews = Overviews(self._read, is_draining=is_draining)

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        return [("GET", "/overview", self.once), ("GET", "/traffic", self.once), ("GET", "/events", self.events)]

    async def once(self, request: Request, actor: Actor) -> Response:
        """What the watch says under this path."""
        status, headers, body = await self._watch.get(request.url.path)
        return Response(body, status, media_type=headers.get("content-type"))

    async def events(self, request: Request, actor: Actor) -> Response:
        """The overview whenever it has changed, until session or token are over."""
        return self._overviews.follow(self._credentials.watch(request))

    async def _read(self) -> bytes:
        _, _, body = await self._watch.get(_OVERVIEW)
        return body
