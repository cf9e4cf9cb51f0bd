"""A client's connection, as uvicorn with httptools speaks it, with bounds on what a client may hold, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

from uvicorn.protocols.http.flow_control import CLOSE_HEADER, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

__all__ = ["Connection", "connection_protocol"]


def connection_protocol(read_timeout_s: float) -> type[Connection]:
    """Return the protocol class for uvicorn's ``http`` option, with the time that a request may take to arrive."""
    return type("BoundConnection", (Connection,), {"read_timeout_s": read_timeout_s})


class _Flow(FlowControl):
    """uvicorn's flow control, where reading goes on only when the connection may read."""

    def __init__(self, transport: asyncio.Transport, may_read: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._may_read = may_read

    def resume_reading(self) -> None:
        if self.read_paused and self._may_read():
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, less patient and more orderly. One instance a connection, on the event loop.

    - A request must arrive whole within ``read_timeout_s``; an idle connection ends after uvicorn's keep-alive time.
      One timer sees to both; uvicorn sets one for each request and none for a client that sends half of one.
    - Nothing is read from a client that waits for answers to several requests, or does not take its answers.
    - What is no HTTP is refused after the answers owed before it, since clients take answers in order; and when the
      worker stops, only the last answer says ``connection: close``.
    - A client that leaves is known to have left by all of its requests: uvicorn forgets all but the newest, and the
      older ones would be answered into a closed transport, which raises.
    """

    read_timeout_s = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overtaken: list[RequestResponseCycle] = []
        self._refused: str | None = None
        self._arriving = False
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin, idle."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.may_read)
        self._since = self.loop.time()
        self._look()

    def may_read(self) -> bool:
        """Return whether more may come in."""
        return not (self.flow.write_paused or self.pipeline or self._refused)

    def is_owing(self) -> bool:
        """Return whether a request that has arrived whole waits for its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete and bool(self.pipeline or not cycle.more_body)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._arriving, self._since = True, self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Keep the request before this one in mind where it is not answered yet."""
        before: RequestResponseCycle | None = self.cycle
        super().on_headers_complete()
        if before is None or before.response_complete:
            self._overtaken.clear()
        else:
            before.default_headers = [pair for pair in before.default_headers if pair != CLOSE_HEADER]
            self._overtaken.append(before)

    def on_message_complete(self) -> None:
        """See that a request has arrived whole."""
        self._arriving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what waited behind the answer."""
        super().on_response_complete()
        if not self.is_owing():
            self._unset_keepalive_if_required()
            self._rest()

    def _rest(self) -> None:
        """Nothing is owed: refuse what came last, or wait for the next request."""
        self._since = self.loop.time()
        if self._refused is not None and not self.transport.is_closing():
            super().send_400_response(self._refused)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, now or after the answers that are owed."""
        if not self.is_owing():
            super().send_400_response(msg)
            return
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()
            self.cycle = self._overtaken.pop() if self._overtaken else None  # type: ignore[assignment]  # as uvicorn
        self._refused = msg
        self.flow.pause_reading()

    def _unsupported_upgrade_warning(self) -> None:
        """Answer this request last: the parser has passed over its body, and would take that for the next request."""
        self.shutdown()

    def pause_writing(self) -> None:
        """A client that does not take its answers is not read from either."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        super().resume_writing()
        self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request that nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()
        for cycle in self._overtaken:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def _look(self) -> None:
        """End the connection when it has been for too long as it is, else look again when that could be so."""
        patience = inf if self.is_owing() else self.read_timeout_s if self._arriving else self.timeout_keep_alive
        left = self._since + patience - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(min(left, self.read_timeout_s, self.timeout_keep_alive), self._look)
        elif self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()
