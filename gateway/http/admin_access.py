"""How admin endpoints reach the control service and the watch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import Caller
from gateway.control import Control
from gateway.fleet import LoadProgress
from gateway.types import Actor

__all__ = ["Authenticate", "Call", "ControlAccess", "Endpoint", "WatchReader"]

POLL_S = 0.1
POLLS = 300
SETTLE_POLLS = 20
"""A failure that stood before the request may stand until the workers have read the new wish: 2 s."""

T = TypeVar("T")
Authenticate: TypeAlias = Callable[[Request], Caller]
Endpoint: TypeAlias = Callable[[Request, Actor], Awaitable[Response]]


class Call(Protocol):
    """Runs a blocking function in the control thread and awaits it."""

    def __call__(self, fn: Callable[..., T], /, *args: Any) -> Awaitable[T]:
        """Return what ``fn(*args)`` returns."""


class WatchReader(Protocol):
    """Asks the watch process; raises ``WatchUnavailable``."""

    async def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body."""

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Hand over a JSON document; return status and body of the answer."""


@dataclass(frozen=True, slots=True)
class ControlAccess:
    """The control service and how a coroutine calls it: ``call`` off the loop, ``pause`` between polls."""

    control: Control
    call: Call
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def settled(self, model: str, version: str) -> LoadProgress:
        """Return how far the workers are with loading a version, once that is decided or half a minute is over."""
        for poll in range(POLLS):
            progress = await self.call(self.control.progress, model, version)
            if progress.state == "ready" or (progress.state == "failed" and poll >= SETTLE_POLLS):
                break
            await self.pause(POLL_S)
        return progress

    async def behind(self, sequence: int) -> tuple[str, ...]:
        """Return the workers that do not know the store as of a record when two seconds are over, mostly none."""
        for _ in range(SETTLE_POLLS):
            workers = await self.call(self.control.tokens.behind, sequence)
            if not workers:
                break
            await self.pause(POLL_S)
        return workers
