"""Reads that the watch process answers, and reports that it takes, over its Unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import WatchUnavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["WatchProxy"]

LIMIT_S = 1.0


class WatchProxy:
    """Ask the watch process, and give up after a second: serving never waits for it.

    Belongs to one event loop; connections are kept and opened anew after the watch was restarted.
    """

    def __init__(self, socket_path: Path, *, limit_s: float = LIMIT_S) -> None:
        self._socket_path, self._limit_s = socket_path, limit_s
        self._client: asyncio.Task[httpx.AsyncClient] | None = None

    async def get(self, path: str, *, accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of a path (with its query) of the watch's own HTTP.

        Raises
        ------
        WatchUnavailable
            No whole answer came within the limit.
        """
        return await self._ask("GET", path, {"accept": accept})

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Hand a JSON document to the watch; return status and body of its answer. Raises ``WatchUnavailable``."""
        status, _, answer = await self._ask("POST", path, {"content-type": "application/json"}, body)
        return status, answer

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        client = await self._opened()
        import httpx

        try:
            async with asyncio.timeout(self._limit_s):
                answer = await client.request(method, path, headers=headers, content=body)
        except (httpx.HTTPError, TimeoutError) as error:
            raise WatchUnavailable from error
        return answer.status_code, dict(answer.headers), answer.content

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await (await self._client).aclose()

    async def _opened(self) -> httpx.AsyncClient:
        """Return the client, made by the first who asks: importing it would take a sixth of a worker's start."""
        if self._client is None:
            self._client = asyncio.create_task(asyncio.to_thread(_client, self._socket_path, self._limit_s))
        return await asyncio.shield(self._client)


def _client(socket_path: Path, limit_s: float) -> httpx.AsyncClient:
    import httpx

    transport = httpx.AsyncHTTPTransport(uds=str(socket_path), verify=False, retries=1)
    return httpx.AsyncClient(transport=transport, base_url="http://watch", timeout=limit_s, trust_env=False)
