"""The fast path: plain POSTs to inference routes go from uvicorn's parser straight to the pipeline.

An ASGI scope, a task and two messages cost more than decoding, running and encoding a small model together. A request
takes this path when it is an HTTP/1.1 POST to an inference route with a ``Content-Length`` within the limit and a body
that says it is JSON; everything else falls through to the ASGI application, also what comes while an ASGI answer is
under way or the worker is about to stop. Answers, errors, counts, keep-alive, back-pressure and the end are the same
on both ways.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.errors import WeirError
from gateway.http.connection import Connection
from gateway.http.predict import answer_body, answer_lines
from gateway.http.reading import request_id_of, says_json
from gateway.http.refusals import Headers, refusal
from gateway.http.request_counts import RequestCounts
from gateway.pipeline import Answer, Call, Pipeline, Ticket

__all__ = ["FastPath", "fast_protocol"]

_NAME = rb"[A-Za-z0-9._-]{1,64}"
_ROUTE = re.compile(rb"/predict(?:/(%b))?|/v2/models/(%b)(?:/versions/(%b))?/infer" % (_NAME, _NAME, _NAME))
_TELLING = (
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"inference-header-content-length",
    b"transfer-encoding",
    b"upgrade",
)
_TARGETS = 1024
_PIPELINED = 64
_log = logging.getLogger("weir.http")


@dataclass(frozen=True, slots=True)
class _Target:
    """What an inference URL asks for."""

    path: str
    route: str
    protocol: Literal["plain", "v2"]
    model: str | None
    version: str | None


class FastPath:
    """What the connections of one worker share: the pipeline, the limit and the counts."""

    def __init__(self, pipeline: Pipeline, counts: RequestCounts, *, key_header: str, body_bytes: int) -> None:
        self.pipeline, self.counts, self.body_bytes = pipeline, counts, body_bytes
        self.key_header = key_header.lower().encode("ascii")
        self.telling = frozenset((*_TELLING, self.key_header))
        self._targets: dict[bytes, _Target] = {}

    def target(self, url: bytes) -> _Target | None:
        """Return what a URL asks for; ``None`` where it is no plain inference route. A look-up when it was seen before;
        no client can keep another's URL out, nor make the table large.
        """
        target = self._targets.get(url)
        if target is None and (match := _ROUTE.fullmatch(url)) is not None:
            if len(self._targets) >= _TARGETS:
                self._targets.clear()
            target = self._targets[url] = _parsed(url, match)
        return target


def _parsed(url: bytes, match: re.Match[bytes]) -> _Target:
    plain, model, version = (None if name is None else name.decode("ascii") for name in match.groups())
    path = url.decode("ascii")
    protocol: Literal["plain", "v2"] = "v2" if url.startswith(b"/v2") else "plain"
    return _Target(path, RequestCounts.route_of(path), protocol, plain or model, version)


def fast_protocol(shared: FastPath, read_timeout_s: float) -> type[FastProtocol]:
    """Return the protocol class for uvicorn's ``http`` option, bound to one worker's pipeline."""
    return type("BoundFastProtocol", (FastProtocol,), {"fast_path": shared, "read_timeout_s": read_timeout_s})


class _Exchange:
    """One request on the fast path, then its answer: ``head`` is ``None`` until there is one, ``body`` is of either."""

    __slots__ = ("body", "call_key", "head", "keep_alive", "request_id", "started_at", "target", "ticket")

    def __init__(self, target: _Target, headers: Headers, key: bytes | None, *, keep_alive: bool) -> None:
        self.target, self.keep_alive = target, keep_alive
        self.request_id = request_id_of(headers)
        self.call_key = None if key is None else key.decode("latin-1")
        self.started_at = perf_counter()
        self.body: bytes | bytearray = b""
        self.head: bytes | None = None
        self.ticket: Ticket | None = None

    def call(self) -> Call:
        """Return the call that the request is, once its body is whole."""
        return Call(
            self.target.model,
            self.target.version,
            protocol=self.target.protocol,
            body=bytes(self.body),
            request_id=self.request_id,
            key=self.call_key,
            received_at=self.started_at,
        )

    def settle(self, outcome: Answer | WeirError) -> int:
        """Write the answer down and return its status."""
        if isinstance(outcome, WeirError):
            status, headers, self.body = refusal(outcome, self.request_id, self.target.path)
            self.head = STATUS_LINE[status] + _lines([*headers, (b"x-request-id", self.request_id.encode("ascii"))])
            return status
        media, self.body = answer_body(outcome)
        self.head = b"%b%bcontent-length: %d\r\n%b" % (
            STATUS_LINE[200],
            _lines(media),
            len(self.body),
            answer_lines(outcome),
        )
        return 200


def _report(exchange: _Exchange) -> None:
    _log.exception("request %s to %s failed", exchange.request_id, exchange.target.path)


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


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
        self._is_logged = self.access_log and config.access_log
        self._exchange: _Exchange | None = None
        self._waiting: deque[_Exchange] = deque()
        self._is_stopping = False

    def may_read(self) -> bool:
        """Return whether more may come in."""
        return len(self._waiting) < _PIPELINED and super().may_read()

    def is_owing(self) -> bool:
        """Return whether a request that has arrived whole waits for its answer."""
        waiting = self._waiting
        return bool(waiting and waiting[0] is not self._exchange) or super().is_owing()

    def on_message_begin(self) -> None:
        """Begin a request without its ASGI scope, which most never need."""
        self._arriving, self._since = True, self.loop.time()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Decide which way the request takes."""
        self._exchange = exchange = self._accepted()
        if exchange is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            HttpToolsProtocol.on_message_begin(self)
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()
        else:
            self.fast_path.counts.begin()
            self._waiting.append(exchange)
            if len(self._waiting) >= _PIPELINED:
                self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        """Collect the body, which mostly comes in one piece."""
        exchange = self._exchange
        if exchange is None:
            super().on_body(body)
        elif not exchange.body:
            exchange.body = body
        else:
            if isinstance(exchange.body, bytes):
                exchange.body = bytearray(exchange.body)
            exchange.body += body

    def on_message_complete(self) -> None:
        """Submit the request; its reply may come before this returns."""
        exchange = self._exchange
        if exchange is None:
            super().on_message_complete()
            return
        self._exchange = None
        self._arriving = False
        try:
            exchange.ticket = self.fast_path.pipeline.submit(
                exchange.call(), lambda outcome: self._reply(exchange, outcome)
            )
        except Exception:  # the outermost frame of a request, as the ASGI application is on its way
            _report(exchange)
            if exchange.head is None:
                self._reply(exchange, WeirError())

    def _accepted(self) -> _Exchange | None:
        """Return the exchange of a request for the fast path, ``None`` for one that takes the ASGI way."""
        if self._is_logged or self._asgi_is_busy() or self._is_stopping or self.server_state.default_headers:
            return None
        parser, target = self.parser, self.fast_path.target(self.url)
        if target is None or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if self.expect_100_continue:
            return None
        shared, length, key = self.fast_path, -1, None
        for name, value in self.headers:
            if name not in shared.telling:
                continue
            if name == b"content-length":
                length = int(value)
            elif name in (b"transfer-encoding", b"upgrade") or not says_json(name, value, target.protocol):
                return None
            elif name == shared.key_header and key is None:
                key = value
        if not 0 <= length <= shared.body_bytes:
            return None
        return _Exchange(target, self.headers, key, keep_alive=parser.should_keep_alive())

    def _asgi_is_busy(self) -> bool:
        """Return whether an ASGI request is under way, or waits behind answers of this way."""
        cycle: RequestResponseCycle | None = self.cycle
        return bool(self.pipeline) or not (cycle is None or cycle.response_complete)

    def _reply(self, exchange: _Exchange, outcome: Answer | WeirError) -> None:
        """Take the pipeline's reply; write it if its turn has come."""
        try:
            status = exchange.settle(outcome)
        except Exception:  # an answer that cannot be encoded
            _report(exchange)
            status = exchange.settle(WeirError())
        self.fast_path.counts.end(exchange.target.route, status)
        if self._waiting and self._waiting[0] is exchange:
            self._write()

    def _write(self) -> None:
        """Write every answer whose turn has come, then go on with what waited behind them."""
        waiting = self._waiting
        while waiting and (head := waiting[0].head) is not None:
            exchange = waiting.popleft()
            standing = self._standing(exchange)
            self.transport.write(b"".join((head, _lines(standing), b"\r\n", exchange.body)))
            self.server_state.total_requests += 1
            if CLOSE_HEADER in standing:
                self.transport.close()
                return
        if not waiting:
            self._rest()
        self.flow.resume_reading()

    def _standing(self, exchange: _Exchange) -> Headers:
        """Return the headers that every answer carries; the last one says so when the connection is to end."""
        standing = self.server_state.default_headers
        if exchange.keep_alive and not standing and not self._is_stopping:
            return standing
        is_ending = self._is_stopping or CLOSE_HEADER in standing
        is_last = not exchange.keep_alive or (is_ending and not self._waiting and not self.pipeline)
        others = [pair for pair in standing if pair != CLOSE_HEADER]
        return [CLOSE_HEADER, *others] if is_last else others

    def _rest(self) -> None:
        """Nothing is owed here: begin an ASGI request that waited, or wait for the next request."""
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            super()._rest()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start an ASGI request, after the answers that are still owed."""
        if self._is_stopping and not self.pipeline:
            cycle.keep_alive = False
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
            if exchange.head is None:
                self.fast_path.counts.end(exchange.target.route, 0)
        self._waiting.clear()

    def shutdown(self) -> None:
        """Close when nothing is owed, else after the last answer."""
        if self._waiting:
            self._is_stopping = True
        else:
            super().shutdown()
