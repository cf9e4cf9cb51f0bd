"""The fast path: plain POSTs to inference routes go from uvicorn's parser straight to the pipeline.

An ASGI scope, a task and two messages cost more than decoding, running and encoding a small model together. A request
takes this path when it is an HTTP/1.1 POST to an inference route with a ``Content-Length`` within the limit and a body
that says it is JSON, or JSON and raw tensors; everything else falls through to the ASGI application, also what comes
while an ASGI answer is under way, and most of what comes when the worker is about to stop. Answers, errors, counts,
keep-alive, back-pressure and the end are the same on both ways.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from time import perf_counter
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.admission.deadline import NORMAL
from gateway.errors import Overloaded, QuotaExceeded, WeirError
from gateway.http.asked import Asked
from gateway.http.connection import Connection
from gateway.http.exchange import Exchange, FastPath, lines_of, tell
from gateway.http.refusals import ROW, Headers

__all__ = ["FastProtocol", "fast_protocol"]

_PIPELINED = 64
_REFUSED_BYTES = 65_536
_BREATHER_S = 0.05
"""How long the next request waits on a connection whose last was refused for want of room."""


def fast_protocol(shared: FastPath, read_timeout_s: float) -> type[FastProtocol]:
    """Return the protocol class for uvicorn's ``http`` option, bound to one worker's pipeline."""
    return type(
        "BoundFastProtocol", (FastProtocol,), {"fast_path": shared, "read_timeout_s": read_timeout_s, "__slots__": ()}
    )


class FastProtocol(Connection):
    """uvicorn's protocol with the fast path in front. One instance a connection, on the event loop."""

    __slots__ = (
        "_arrivals",
        "_asked_before",
        "_client",
        "_door",
        "_exchange",
        "_held_back",
        "_is_corked",
        "_is_refused",
        "_is_stopping",
        "_known",
        "_next_id",
        "_parts",
        "_pipeline",
        "_refusals",
        "_rests_until",
        "_waiting",
        "is_calm",
    )

    fast_path: FastPath

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._exchange: Exchange | None = None
        self._parts: list[bytes] = []
        self._client: bytes | None = None
        self._asked_before: Asked | None = None
        self._waiting: deque[Exchange] = deque()
        self._is_stopping = self._is_refused = self._is_corked = self.is_calm = False
        self._rests_until, self._held_back, self._refusals = 0.0, b"", b""
        shared = self.fast_path
        self._pipeline, self._door, self._next_id = shared.pipeline, shared.door, shared.next_id
        self._known, self._arrivals = shared.heads.known, shared.arrivals

    def may_read(self) -> bool:
        """Return whether more may come in."""
        is_full = len(self._waiting) >= _PIPELINED or len(self._refusals) >= _REFUSED_BYTES
        return not (is_full or self._held_back) and super().may_read()

    def is_owing(self) -> bool:
        """Return whether a request that has arrived whole waits for its answer."""
        waiting = self._waiting
        return bool(self._refusals or (waiting and waiting[0] is not self._exchange)) or super().is_owing()

    def data_received(self, data: bytes) -> None:
        """Take a request that is all that the connection has; look closer at anything else.

        A plain one that comes alone, as most do, is submitted with what else comes in this pass of the loop.
        """
        if self._rests_until and self._is_early(data):
            return
        if not self._waiting and (self.is_calm or self._is_at_rest()):
            taken = self._known.split(data)
            if taken is not None and taken[2] == len(data):
                asked, body, _ = taken
                self.is_calm = asked.keep_alive
                if asked.comes_together and (calls := self._arrivals.of(asked.model)) is not None:
                    calls.append(self._begun(asked, body))
                    return
                if self._is_taken_alone(asked, body):
                    return
        self.is_calm = False
        self._take_in_turn(data)

    def _take_in_turn(self, data: bytes) -> None:
        """Take whole requests whose heads are known; let the parser read anything else.

        What is answered here goes out when the pass is over, but for the first refusals.
        """
        at, size = 0, len(data)
        is_due, self._is_corked = self._is_corked, True
        gate = self._pipeline.gate
        if (gate.is_crowded or not self._door.is_open) and not self._waiting and not self._arriving:
            at = self._turn_away(data)
            if at and not is_due:
                if at == size and self.fast_path.may_answer_now():
                    self._write_refusals()
                    return
                is_due = True
                self.loop.call_soon(self.answer_all)
        takes = not self._arriving and self._refused is None and self._may_take()
        while takes and at < size:
            taken = self._known.split(data, at)
            if taken is None:
                self._start = data[at:]
                self._parse(self._start)
                self._start, at = b"", size
                break
            asked, body, at = taken
            exchange = self._begun(asked, body)
            if self._door.is_open or self._is_let_in(exchange):
                self._let_in(exchange)
        if at < size:
            super().data_received(data[at:])
        if is_due:
            return
        waiting = self._waiting
        if waiting and waiting[0].outcome is not None:
            self.loop.call_soon(self.answer_all)
        else:
            self._is_corked = False

    def _is_at_rest(self) -> bool:
        """Return whether nothing is under way or owed, and there are no quotas.

        What would make it false comes by ``data_received``, ``answer_all`` or ``shutdown``; so it is asked for the
        first of a row of such requests.
        """
        if self._arriving or self._is_corked or self._refused is not None:
            return False
        return self._door.is_open and self._may_take()

    def _is_taken_alone(self, asked: Asked, body: bytes) -> bool:
        """Submit, or refuse, a request that is all that the connection has; false where there is more to it."""
        if not self._pipeline.gate.has_room(asked.urgency.priority):
            return self._is_turned_away(asked)
        exchange = self._begun(asked, body)
        self._is_corked = True
        self._let_in(exchange)
        if exchange.outcome is None:
            self._is_corked = False
        else:
            self.loop.call_soon(self.answer_all)
        return True

    def _let_in(self, exchange: Exchange) -> None:
        """Submit a request; where the worker sheds and nobody else can come in, all that were let in run at once."""
        self.submit(exchange)
        gate = self._pipeline.gate
        if gate.is_shedding and exchange.outcome is None and not gate.has_room(NORMAL):
            self._pipeline.run_now(exchange)

    def _is_turned_away(self, asked: Asked) -> bool:
        """Refuse the only request at once; false where that is to wait, or to be said in another way."""
        state, shared = self.server_state, self.fast_path
        if state.default_headers or not shared.may_answer_now():
            return False
        error = self._pipeline.turns_away(asked.model, asked.urgency.priority)
        if error is None:
            return False
        state.total_requests += 1
        self._since = now_s = self.loop.time()
        self._rests_until = now_s + _BREATHER_S
        self.transport.write(shared.turned_away(asked, error, 1))
        return True

    def _turn_away(self, data: bytes) -> int:
        """Refuse the first requests of some data where there is no room, or quota, for them; return where they end.

        What comes together to one path is counted, and answered, as one: 1 us each of 8, where one alone takes 3.
        """
        if not self._may_take():
            return 0
        answers: list[bytes] = []
        asked, stops = self._known.skim(data)
        first, past = 0, len(asked)
        while first < past:
            refused_as, last = asked[first].refused_as, first
            while (last := last + 1) < past and last < first + ROW and asked[last].refused_as == refused_as:
                pass
            error = self._refusal_of(asked[first], last - first)
            if error is None:
                break
            answers.append(self.fast_path.turned_away(asked[first], error, last - first))
            first = last
            if isinstance(error, Overloaded):
                self._rests_until = self.loop.time() + _BREATHER_S
        if not first:
            return 0
        self.server_state.total_requests += first
        self._refusals = b"".join((self._refusals, *answers))
        if len(self._refusals) >= _REFUSED_BYTES:
            self.flow.pause_reading()
        return stops[first - 1]

    def _refusal_of(self, asked: Asked, count: int) -> Overloaded | QuotaExceeded | None:
        """Refuse so many requests, and count them.

        ``None``, and nothing done, where one would come as far as the gate, where there are quotas, or be let in; or
        where somebody wants to see them.
        """
        if self._door.is_open:
            return self._pipeline.turns_away(asked.model, asked.urgency.priority, count)
        client = self._client_of(asked)
        return None if self._door.may_pass(client) else self._door.turned_away(client, count)

    def _write_refusals(self) -> None:
        """Write the refusals where nothing else is owed, and wait for the next request."""
        refusals, self._refusals = self._refusals, b""
        self._is_corked = False
        self._since = self.loop.time()
        self.transport.write(refusals)
        if self.flow.read_paused:
            self.flow.resume_reading()

    def on_message_begin(self) -> None:
        """Begin a request without its ASGI scope, which most never need."""
        self._arriving, self._since = True, self.loop.time()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Decide which way the request takes."""
        asked = self._asked()
        if asked is None:
            self._exchange = None
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            HttpToolsProtocol.on_message_begin(self)
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()
        else:
            self._exchange = exchange = self._begun(asked, b"")
            self._parts = []
            self._is_refused = not (self._door.is_open or self._is_let_in(exchange))

    def on_body(self, body: bytes) -> None:
        """Collect the body, which mostly comes in one piece."""
        if self._exchange is None:
            super().on_body(body)
        elif not self._is_refused:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Submit the request; its reply may come before this returns."""
        exchange = self._exchange
        if exchange is None:
            super().on_message_complete()
            return
        self._exchange = None
        self._arriving = False
        exchange.body = b"".join(self._parts)
        if self._start:
            self.fast_path.heads.remember(self._start, exchange.asked)
            self._start = b""
        if not self._is_refused:
            self.submit(exchange)

    def _begun(self, asked: Asked, body: bytes) -> Exchange:
        """Take note of a request whose answer is owed from now on."""
        request_id, now_s = asked.request_id or self._next_id(), perf_counter()
        exchange = Exchange(
            asked.model,
            asked.version,
            asked.protocol,
            body,
            request_id,
            now_s,
            asked.key,
            asked.json_bytes,
            connection=self,
            asked=asked,
        )
        if asked.is_urgent:
            exchange.deadline, exchange.priority = asked.urgency.deadline_at(now_s, inf), asked.urgency.priority
        waiting = self._waiting
        waiting.append(exchange)
        if len(waiting) >= _PIPELINED:
            self.flow.pause_reading()
        return exchange

    def submit(self, exchange: Exchange) -> None:
        """Hand a request to the pipeline; whatever goes wrong is answered."""
        try:
            self._pipeline.submit(exchange)
        except Exception:  # the outermost frame of a request, as the ASGI application is on its way
            exchange.report()
            if exchange.outcome is None:
                tell(exchange, WeirError())

    def _is_let_in(self, exchange: Exchange) -> bool:
        """Answer a client over its quota at once; its body, if it is yet to come, is passed over."""
        try:
            self._door.pass_through(self._client_of(exchange.asked))
        except QuotaExceeded as refusal:
            tell(exchange, refusal)
            return False
        return True

    def _client_of(self, asked: Asked) -> bytes:
        """Return whose request it is; a known head's client is known too."""
        if self._client is None or asked is not self._asked_before:
            peer = self.client[0] if self.client else None
            self._client, self._asked_before = self._door.client(asked.of_client, peer), asked
        return self._client

    def _may_take(self) -> bool:
        """Return whether a request may take this way now."""
        cycle: RequestResponseCycle | None = self.cycle
        if self.pipeline or self._is_stopping or not (cycle is None or cycle.response_complete):
            return False
        waiting = self._waiting
        is_last = waiting and not waiting[-1].asked.keep_alive  # the client said that nothing comes behind it
        return not (is_last or self.server_state.default_headers)

    def _asked(self) -> Asked | None:
        """Return what a request for the fast path asks, ``None`` for one that takes the ASGI way."""
        parser = self.parser
        if not self._may_take() or self.expect_100_continue:
            return None
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        return self.fast_path.heads.read(self.url, self.headers, keep_alive=parser.should_keep_alive())

    def answer(self) -> None:
        """Answer now, or, where several answers are owed, together with what else is answered in this pass."""
        if self._is_corked:
            return
        if len(self._waiting) == 1:
            self.answer_all()
        else:
            self._is_corked = True
            self.loop.call_soon(self.answer_all)

    def write(self, answer: bytes) -> bool:
        """Write the answer to a request, which is all that is owed; false where it has to say more."""
        state = self.server_state
        if state.default_headers:
            return False
        state.total_requests += 1
        self._waiting.clear()
        self._since = self.loop.time()
        self.transport.write(answer)
        return True

    def answer_all(self) -> None:
        """Write every answer whose turn has come in one piece, then go on with what waited behind them."""
        waiting, state = self._waiting, self.server_state
        self._is_corked = self.is_calm = False
        may_go_on = not (self._is_stopping or state.default_headers)
        answers: list[bytes] = []
        if self._refusals:
            answers.append(self._refusals)
            self._refusals = b""
        while waiting and (outcome := waiting[0].outcome) is not None:
            exchange = waiting.popleft()
            state.total_requests += 1
            if outcome is not exchange and isinstance(outcome, Overloaded):
                self._rests_until = self.loop.time() + _BREATHER_S
            if may_go_on and exchange.asked.keep_alive:
                answers.append(exchange.answer(b""))
                continue
            standing = self._standing(exchange)
            answers.append(exchange.answer(lines_of(standing)))
            if CLOSE_HEADER in standing:
                self.transport.write(b"".join(answers))
                self.transport.close()
                return
        if not answers:
            return
        self.transport.write(b"".join(answers))
        self._go_on()

    def _go_on(self) -> None:
        """Wait for the next request, or turn to what waited behind the answers."""
        if not self._waiting:
            self._since = self.loop.time()
            serving = self._serving
            is_idle = serving is None or serving.response_complete  # what came behind refusals began at once
            if is_idle and (self.pipeline or self._refused is not None):
                self._rest()
        if self.flow.read_paused:
            self.flow.resume_reading()

    def _is_early(self, data: bytes) -> bool:
        """Keep what a refused client asks again at once for a moment: it would cost what an answer to another costs."""
        left_s = self._rests_until - self.loop.time()
        if left_s <= 0.0:
            self._rests_until = 0.0
            return False
        if not self._held_back:
            self.flow.pause_reading()
            self.loop.call_later(left_s, self._take_held_back)
        self._held_back += data
        return True

    def _take_held_back(self) -> None:
        data, self._held_back, self._rests_until = self._held_back, b"", 0.0
        if data and not self.transport.is_closing():
            self.data_received(data)
            self.flow.resume_reading()

    def _standing(self, exchange: Exchange) -> Headers:
        """Return the headers that every answer carries; the last one says so when the connection is to end."""
        standing, keep_alive = self.server_state.default_headers, exchange.asked.keep_alive
        is_ending = self._is_stopping or CLOSE_HEADER in standing
        is_last = not keep_alive or (is_ending and not self._waiting and not self.pipeline)
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

    def eof_received(self) -> None:
        """Write what is ready, or is as soon as it is submitted: the connection ends once this returns."""
        if self._waiting:
            self._arrivals.submit()
        if self._is_corked:
            self.answer_all()

    def connection_lost(self, exc: Exception | None) -> None:
        """Do not start work for a client that has gone."""
        super().connection_lost(exc)
        for exchange in self._waiting:
            if exchange.outcome is None and exchange is not self._exchange:
                exchange.cancel()
            self.fast_path.counts.answered(exchange.asked.route, 0).inc()
        self._waiting.clear()
        self._exchange, self._refusals = None, b""

    def shutdown(self) -> None:
        """Close when nothing is owed, else after the last answer."""
        self._take_held_back()
        self.is_calm = False
        if self._waiting:
            self._is_stopping = True
        elif self._refusals:
            self.answer_all()
            super().shutdown()
        else:
            super().shutdown()
