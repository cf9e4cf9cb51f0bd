"""A client's connection, as uvicorn with httptools speaks it."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["Connection"]


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which forgets all but the newest of several requests that a client sent at once.

    When such a client leaves, the older ones would be answered into a closed transport, which raises. Here they know.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overtaken: list[RequestResponseCycle] = []

    def on_headers_complete(self) -> None:
        """Begin a request, and keep the one before it in mind where it is not answered yet."""
        before: RequestResponseCycle | None = self.cycle
        super().on_headers_complete()
        if before is None or before.response_complete:
            self._overtaken.clear()
        else:
            self._overtaken.append(before)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that nobody waits for it any more."""
        for cycle in self._overtaken:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)
