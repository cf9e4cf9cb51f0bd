"""The fast path: plain POSTs to inference routes go from uvicorn's parser straight to the pipeline.

An ASGI scope, a task and two messages cost more than decoding, running and encoding a small model together. A request
takes this path when it is an HTTP/1.1 POST to an inference route with a ``Content-Length`` within the limit and a body
that says it is JSON; everything else falls through to the ASGI application, also what comes while an ASGI answer is
under way. Answers, errors, counts, keep-alive, back-pressure and shutdown are the same on both ways.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.errors import WeirError
from gateway.http.connection import Connection
from gateway.http.predict import answer_headers, plain_body, v2_body
from gateway.http.reading import request_id_of, says_json
from gateway.http.refusals import Headers, refusal
from gateway.http.request_counts import RequestCounts
from gateway.pipeline import Answer, Call, Pipeline, Ticket

__all__ = ["FastPath", "fast_protocol"]

_NAME = rb"[A-Za-z0-9._-]{1,64}"
_ROUTE = re.compile(rb"/predict(?:/(%b))?|/v2/models/(%b)(?:/versions/(%b))?/infer" % (_NAME, _NAME, _NAME))
_TARGETS = 1024
_PIPELINED = 64
_CLOSE = (b"connection", b"close")
_JSON_HEAD = STATUS_LINE[200] + b"content-type: application/json\r\ncontent-length: %d\r\n"
_log = logging.getLogger("weir.http")


@dataclass(frozen=True, slots=True)
class _Target:
    """What an inference URL asks for."""

    path: str
    protocol: Literal["plain", "v2"]
    model: str | None
    version: str | None


class FastPath:
    """What the connections of one worker share: the pipeline, the limit and the counts."""

    def __init__(self, pipeline: Pipeline, counts: RequestCounts, *, key_header: str, body_bytes: int) -> None:
        self.pipeline, self.counts, self.body_bytes = pipeline, counts, body_bytes
        self.key_header = key_header.lower().encode("ascii")
        self._targets: dict[bytes, _Target | None] = {}

    def target(self, url: bytes) -> _Target | None:
        """Return what a URL asks for; ``None`` where it is no plain inference route. A dictionary look-up when
        known.
        """
        try:
            return self._targets[url]
        except KeyError:
            match = _ROUTE.fullmatch(url)
            target = None if match is None else _parsed(url, match)
            if len(self._targets) < _TARGETS:
                self._targets[url] = target
            return target


def _parsed(url: bytes, match: re.Match[bytes]) -> _Target:
    plain, model, version = (None if name is None else name.decode("ascii") for name in match.groups())
    return _Target(url.decode("ascii"), "v2" if url.startswith(b"/v2") else "plain", plain or model, version)


def fast_protocol(shared: FastPath) -> type[Connection]:
    """Return the protocol class for uvicorn's ``http`` option, bound to one worker's pipeline."""

    class BoundFastProtocol(FastProtocol):
        fast_path = shared

    return BoundFastProtocol


class _Exchange:
    """One request on the fast path and, once there is one, its answer; answers leave in the order of the requests."""

    __slots__ = ("answer", "body", "call_key", "keep_alive", "request_id", "started_at", "target", "ticket")

    def __init__(self, target: _Target, headers: Headers, key: bytes | None, *, keep_alive: bool) -> None:
        self.target, self.keep_alive = target, keep_alive
        self.request_id = request_id_of(headers)
        self.call_key = None if key is None else key.decode("latin-1")
        self.started_at = perf_counter()
        self.body = b""
        self.answer: bytes | None = None
        self.ticket: Ticket | None = None


class FastProtocol(Connection):
    """uvicorn's protocol with the fast path in front. One instance a connection, on the event loop."""

    fast_path: FastPath

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._exchange: _Exchange | None = None
        self._waiting: deque[_Exchange] = deque()
        self._is_stopping = False

    def on_message_begin(self) -> None:
        """Begin a request without its ASGI scope, which most never need."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._exchange = None

    def on_headers_complete(self) -> None:
        """Decide which way the request takes."""
        self._exchange = exchange = self._accepted()
        if exchange is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()
        else:
            self.fast_path.counts.begin()
            self._waiting.append(exchange)
            if len(self._waiting) >= _PIPELINED:
                self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        if self._exchange is None:
            super().on_body(body)
        else:
            self._exchange.body += body

    def on_message_complete(self) -> None:
        """Submit the request; its reply may come before this returns."""
        exchange = self._exchange
        if exchange is None:
            super().on_message_complete()
            return
        self._exchange = None
        target = exchange.target
        call = Call(
            target.model,
            target.version,
            protocol=target.protocol,
            body=exchange.body,
            request_id=exchange.request_id,
            key=exchange.call_key,
            received_at=exchange.started_at,
        )
        try:
            exchange.ticket = self.fast_path.pipeline.submit(call, lambda outcome: self._reply(exchange, outcome))
        except Exception:
            _log.exception("request %s to %s failed", exchange.request_id, target.path)
            self._reply(exchange, WeirError())

    def _accepted(self) -> _Exchange | None:
        """Return the exchange of a request for the fast path, ``None`` for one that takes the ASGI way."""
        if self._asgi_is_busy() or self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        target = self.fast_path.target(self.url)
        if target is None or self.expect_100_continue or self.access_log_wanted:
            return None
        length, key, key_header = -1, None, self.fast_path.key_header
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit():
                length = int(value)
            elif name == b"transfer-encoding" or name == b"upgrade" or not says_json(name, value, target.protocol):
                return None
            elif name == key_header and key is None:
                key = value
        if not 0 <= length <= self.fast_path.body_bytes:
            return None
        return _Exchange(target, self.headers, key, keep_alive=self.parser.should_keep_alive())

    def _asgi_is_busy(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return bool(self.pipeline) or not (cycle is None or cycle.response_complete)

    @property
    def access_log_wanted(self) -> bool:
        """Whether requests are logged, which only the ASGI way does."""
        return self.access_log and self.config.access_log

    def _reply(self, exchange: _Exchange, outcome: Answer | WeirError) -> None:
        """Take the pipeline's reply; write it if its turn has come."""
        status = 200
        if isinstance(outcome, WeirError):
            status, headers, body = refusal(outcome, exchange.request_id, exchange.target.path)
            head = STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % pair for pair in headers)
            head += b"x-request-id: %b\r\n" % exchange.request_id.encode("ascii")
        else:
            body = plain_body(outcome) if exchange.target.protocol == "plain" else v2_body(outcome)
            head = _JSON_HEAD % len(body) + b"".join(b"%b: %b\r\n" % pair for pair in answer_headers(outcome))
        exchange.answer = head + self._standing_headers(exchange) + b"\r\n" + body
        self.fast_path.counts.end(exchange.target.path, status)
        if self._waiting and self._waiting[0] is exchange:
            self._write()

    def _standing_headers(self, exchange: _Exchange) -> bytes:
        """Return the headers that every answer carries now: none, until the worker or the client wants to end."""
        standing = self.server_state.default_headers
        exchange.keep_alive &= not self._is_stopping and _CLOSE not in standing
        if not exchange.keep_alive and _CLOSE not in standing:
            standing = [*standing, _CLOSE]
        return b"".join(b"%b: %b\r\n" % pair for pair in standing)

    def _write(self) -> None:
        """Write every answer whose turn has come, then go on with what waited behind them."""
        waiting = self._waiting
        while waiting and (answer := waiting[0].answer) is not None:
            exchange = waiting.popleft()
            if self.transport.is_closing():
                return
            self.transport.write(answer)
            self.server_state.total_requests += 1
            if not exchange.keep_alive:
                self.transport.close()
                return
        if not waiting:
            self._rest()

    def _rest(self) -> None:
        """Nothing is under way here: begin an ASGI request that waited, end, or wait for the next request."""
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._is_stopping:
            self.transport.close()
        else:
            self.flow.resume_reading()
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Start an ASGI request, after the answers that are still owed."""
        if self._waiting:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))
        else:
            super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Do not start work for a client that has gone."""
        super().connection_lost(exc)
        for exchange in self._waiting:
            if exchange.ticket is not None:
                exchange.ticket.cancel()
            if exchange.answer is None:
                self.fast_path.counts.end(exchange.target.path, 0)
        self._waiting.clear()

    def shutdown(self) -> None:
        """Close when nothing is owed, else after the last answer."""
        if self._waiting:
            self._is_stopping = True
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read from either."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        super().resume_writing()
        self.flow.resume_reading()
