"""A client's connection, as uvicorn with httptools speaks it, with bounds on what a client may hold, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from secrets import token_hex
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import CLOSE_HEADER, HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.errors import RequestMalformed, WeirError
from gateway.http.cycle import Cycle, head_scope, nothing
from gateway.http.head import CheckedHead
from gateway.http.known_heads import KnownHeads, lasting_scope
from gateway.http.problems import problem_bytes
from gateway.http.targets import target_of

__all__ = ["Connection", "connection_protocol"]


def connection_protocol(read_timeout_s: float) -> type[Connection]:
    """Return the protocol class for uvicorn's ``http`` option, with the time that a request may take to arrive."""
    return type(
        "BoundConnection",
        (Connection,),
        {"read_timeout_s": read_timeout_s, "known_heads": KnownHeads(), "__slots__": ()},
    )


class _Flow(FlowControl):
    """uvicorn's flow control, where reading goes on only when the connection may read."""

    def __init__(self, transport: asyncio.Transport, may_read: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._may_read = may_read

    def resume_reading(self) -> None:
        if self.read_paused and self._may_read():
            super().resume_reading()

    def end(self) -> None:
        """Let go of the connection: nothing can be read any more."""
        self._may_read = bool


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, less patient and more orderly. One instance a connection, on the event loop.

    - A request must arrive whole within ``read_timeout_s``; an idle connection ends after uvicorn's keep-alive time.
      One timer sees to both; uvicorn sets one for each request and none for a client that sends half of one.
    - Nothing is read from a client that waits for answers to several requests, or does not take its answers.
    - What is no HTTP is refused by a problem document, after the answers owed before it, since clients take answers in
      order; and when the worker stops, only the last answer says ``connection: close``.
    - A client that leaves is known to have left by all of its requests: uvicorn forgets all but the newest, and the
      older ones would be answered into a closed transport, which raises. An inference that it waited for is given up.
    """

    # uvicorn's class has nearly as many attributes as CPython looks up fast; ours beside them would slow down all
    __slots__ = ("_arriving", "_head", "_overtaken", "_refused", "_serving", "_since", "_start", "_timer")

    flow: _Flow
    read_timeout_s = 60.0
    known_heads: KnownHeads[dict[str, Any]] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = CheckedHead(self)
        self.parser = self._new_parser()
        self._overtaken: list[RequestResponseCycle] = []
        self._refused: WeirError | None = None
        self._serving: Cycle | None = None
        self._start = b""
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

    def data_received(self, data: bytes) -> None:
        """Take a whole request whose head is known; parse anything else."""
        heads = self.known_heads
        if heads is not None and self._is_between():
            known = heads.split(data)
            if known is not None and known[2] == len(data):
                self._take(*known[:2])
                return
            self._start = data
        self._parse(data)
        self._start = b""

    def _is_between(self) -> bool:
        """Return whether the last request has been answered and the next has not begun."""
        cycle: RequestResponseCycle | None = self.cycle
        return not self._arriving and (cycle is None or cycle.response_complete)

    def _take(self, said: dict[str, Any], body: bytes) -> None:
        """Start a request without its having been parsed."""
        self._overtaken.clear()
        self.expect_100_continue = False
        self.cycle = cycle = Cycle.of(self, said, keep_alive=True)
        cycle.body, cycle.more_body = body, False  # type: ignore[assignment]  # receive takes any bytes
        cycle.message_event.set()
        self._start_asgi_task(cycle, self.app)

    def _parse(self, data: bytes) -> None:
        head = self._head
        if head.is_open:
            head.note(len(data))
        try:
            self._feed(data)
            if head.is_open:
                head.check()
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError as error:
            self._refuse(_told(error))
        except WeirError as error:
            self._refuse(error)

    def _feed(self, data: bytes) -> None:
        """Have the parser read; a request that asks for another protocol is read anew, as if it did not."""
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as asked:
                if not self._head.is_put_off:
                    raise
                data = data[asked.args[0] :]
            # Not in the handler: what a callback raises there would have the upgrade as its context, and not be told.
            head = self._head.without_upgrade()
            self._start = b""
            self.parser = self._new_parser()
            self.parser.feed_data(head)

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self._head)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn: what follows is passed over
        return parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._arriving, self._since = True, self.loop.time()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Start the request, or keep it until the one before it is answered, and that one in mind."""
        version = self.parser.get_http_version()
        self._check_framing(version)
        before: RequestResponseCycle | None = self.cycle
        said = head_scope(version, self.parser.get_method(), self.url, self.headers)
        self.cycle = cycle = Cycle.of(self, said, version != "1.0" and self.parser.should_keep_alive())
        if before is None or before.response_complete:
            self._overtaken.clear()
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
            before.default_headers = [pair for pair in before.default_headers if pair != CLOSE_HEADER]
            self._overtaken.append(before)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body for who asks for it; there is nobody when the request has its answer already."""
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """See that a request has arrived whole."""
        self._arriving = False
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()
            if self._start and cycle.keep_alive and self.known_heads is not None:
                said = lasting_scope(cycle.scope)
                if said is not None:
                    self.known_heads.remember(self._start, len(cycle.body), said)
        self._start = b""

    def on_response_complete(self) -> None:
        """Go on with what waited behind the answer."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            if self.flow.read_paused:
                self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
        if not self.is_owing():
            self._rest()

    def _check_framing(self, version: str) -> None:
        codings = self._head.codings
        if version not in ("1.0", "1.1"):
            raise RequestMalformed(f"HTTP/{version} is not spoken here")
        if codings and (version == "1.0" or codings != [b"chunked"]):
            raise RequestMalformed("the only transfer encoding is chunked, and that of HTTP/1.1")

    def _rest(self) -> None:
        """Nothing is owed: refuse what came last, or wait for the next request."""
        self._since = self.loop.time()
        if self._refused is not None and not self.transport.is_closing():
            self._write_refusal(self._refused)

    def send_400_response(self, msg: str) -> None:
        """Refuse what uvicorn found to be no HTTP."""
        self._refuse(RequestMalformed(msg))

    def _refuse(self, error: WeirError) -> None:
        """Refuse what is no HTTP, now or after the answers that are owed."""
        cycle: RequestResponseCycle | None = self.cycle
        if self.is_owing():
            if self.pipeline and self.cycle.more_body:
                self.pipeline.popleft()
                self.cycle = self._overtaken.pop() if self._overtaken else None  # type: ignore[assignment]  # as uvicorn
            self._refused = error
            self.flow.pause_reading()
        elif self._arriving and not self._head.is_head and cycle is not None and cycle.response_started:
            self._end()  # the broken request has its answer: another would be taken for that of the next
        else:
            self._write_refusal(error)

    def _write_refusal(self, error: WeirError) -> None:
        request_id = token_hex(8)
        status, headers, body = problem_bytes(error, request_id)
        standing = [pair for pair in self.server_state.default_headers if pair != CLOSE_HEADER]
        headers = [*standing, *headers, (b"x-request-id", request_id.encode("ascii")), CLOSE_HEADER]
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self._end()

    def _end(self) -> None:
        """Close; the application may still be at a request that turned out to be broken, and is not to answer it."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

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
        serving = self._serving
        if serving is not None and not serving.response_started and target_of(serving.scope["path"]) is not None:
            serving.give_up()
        # What leads back here is let go of: thousands of connections would wait for the garbage collector.
        self.flow.end()
        del self._head
        for queued, _ in self.pipeline:
            queued.on_response = nothing

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start a request that is given up when it is an inference and its client leaves; others run to their end."""
        assert isinstance(cycle, Cycle)
        self._serving = cycle
        cycle.start(app, self.loop, self.tasks)

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


def _told(error: httptools.HttpParserError) -> WeirError:
    """Return our own error where one of the callbacks raised it, else the parser's words."""
    cause = error.__context__
    if isinstance(cause, WeirError):
        return cause
    return RequestMalformed("the request cannot be read" if cause is not None else f"no HTTP/1.1: {error}")
