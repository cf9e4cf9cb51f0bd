"""Reads that the watch process answers, over its Unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from gateway.errors import WatchUnavailable

__all__ = ["WatchProxy"]

LIMIT_S = 1.0


class WatchProxy:
    """Ask the watch process, and give up after a second: serving never waits for it.

    Belongs to one event loop; connections are kept and opened anew after the watch was restarted.
    """

    def __init__(self, socket_path: Path, *, limit_s: float = LIMIT_S) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket_path), verify=False, retries=1)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://watch", timeout=limit_s, trust_env=False)
        self._limit_s = limit_s

    async def get(self, path: str, *, accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of a path (with its query) of the watch's own HTTP.

        Raises
        ------
        WatchUnavailable
            No whole answer came within the limit.
        """
        try:
            async with asyncio.timeout(self._limit_s):
                answer = await self._client.get(path, headers={"accept": accept})
        except (httpx.HTTPError, TimeoutError) as error:
            raise WatchUnavailable from error
        return answer.status_code, dict(answer.headers), answer.content

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
