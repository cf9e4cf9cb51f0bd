"""uvicorn that waits to be told to stop, where it would look ten times a second whether it was."""

from __future__ import annotations

import asyncio
from types import FrameType

import uvicorn

__all__ = ["ToldServer"]


class ToldServer(uvicorn.Server):
    """A server that costs nothing while nobody asks. It writes no ``date`` header and counts no requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    def stop(self) -> None:
        """Begin to stop."""
        self.should_exit = True
        self._told.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, as a signal asks."""
        super().handle_exit(sig, frame)
        self._told.set()

    async def main_loop(self) -> None:
        """Serve until told to stop."""
        self.server_state.default_headers = self.config.encoded_headers
        await self._told.wait()
