"""A request on the fast path and the bytes of its answer, and what all such requests of a worker share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.admission.door import Door
from gateway.arrivals import Arrivals
from gateway.call import Call, Reply
from gateway.errors import Overloaded, QuotaExceeded, WeirError
from gateway.http.answers import answer_whole, plain_answers, v2_answers
from gateway.http.asked import Asked, HeadReader
from gateway.http.refusals import PreparedRefusals, refusal
from gateway.http.request_counts import RequestCounts
from gateway.http.request_ids import random_ids
from gateway.pipeline import Pipeline

__all__ = ["Exchange", "FastPath", "lines_of", "tell"]

_log = logging.getLogger("weir.http")
_AT_ONCE = 256


class FastPath:
    """What the connections of one worker share: the pipeline, what heads ask, the counts, and ids."""

    def __init__(
        self, pipeline: Pipeline, counts: RequestCounts, door: Door, *, key_header: str, body_bytes: int
    ) -> None:
        self.pipeline, self.counts, self.door = pipeline, counts, door
        self.heads = HeadReader(counts, door, key_header=key_header, body_bytes=body_bytes)
        self.refusals = PreparedRefusals()
        self.arrivals: Arrivals[Exchange] = Arrivals(pipeline, _submit_alone)
        self.next_id = random_ids().__next__
        self._answered_now = 0

    def may_answer_now(self) -> bool:
        """Return whether another refusal may go out within this pass of the loop; the rest wait for its end.

        Who has an answer may ask again within the pass, and libuv goes on reading for as long as it finds a thousand
        connections to read: refusals alone held the loop for three seconds, in which nothing ran that had been let in.
        """
        if not self._answered_now:
            asyncio.get_running_loop().call_soon(self._begin_pass)
        self._answered_now += 1
        return self._answered_now <= _AT_ONCE

    def _begin_pass(self) -> None:
        self._answered_now = 0

    def turned_away(self, asked: Asked, error: Overloaded | QuotaExceeded, count: int) -> bytes:
        """Return the bytes of the answers to so many requests of which nothing was made, and count them."""
        status, answers = self.refusals.row(error, self.next_id(), count, asked.path)
        self.counts.answered(asked.route, status).inc(count)
        return answers


def _submit_alone(exchange: Exchange) -> None:
    exchange.connection.submit(exchange)


class Answering(Protocol):
    """The connection that a request came by; ``is_calm`` says that this is all that it has, and that it stays open."""

    fast_path: FastPath
    is_calm: bool

    def submit(self, exchange: Exchange) -> None:
        """Hand a request to the pipeline; whatever goes wrong is answered."""

    def answer(self) -> None:
        """Write the answers whose turn has come, soon."""

    def write(self, answer: bytes) -> bool:
        """Write the answer to all that it has, and be ready for the next request; false where there is more to say."""


def tell(exchange: Exchange, outcome: Call | WeirError) -> None:
    """Reply to an exchange: its connection answers when its turn has come."""
    exchange.outcome = outcome
    exchange.connection.answer()


class Exchange(Call, eq=False, kw_only=True):
    """One request on the fast path; ``outcome`` is ``None`` until it has one."""

    connection: Answering
    asked: Asked
    outcome: Call | WeirError | None = None
    reply: Reply = tell

    @staticmethod
    def reply_together(calls: Sequence[Call]) -> Sequence[Call]:
        """Answer the requests that are all that their connections have; return the other calls of the run."""
        plain: list[Exchange] = []
        v2: list[Exchange] = []
        others: list[Call] = []
        for call in calls:
            if isinstance(call, Exchange) and call.reply is tell and call.connection.is_calm:
                (plain if call.protocol == "plain" else v2).append(call)
            else:
                others.append(call)
        return [*others, *_written(plain, plain_answers), *_written(v2, v2_answers)]

    def answer(self, standing: bytes) -> bytes:
        """Return the bytes of the answer, and count it; ``standing`` are the lines of headers that every answer has."""
        asked = self.asked
        outcome, self.outcome = self.outcome, None  # which is mostly this very object
        if outcome is self:
            try:
                answer = answer_whole(self, standing)
                asked.answered.inc()
                return answer
            except Exception:  # an answer that cannot be encoded
                self.report()
        shared = self.connection.fast_path
        if isinstance(outcome, Overloaded | QuotaExceeded) and asked.request_id is None and not standing:
            status, answer = shared.refusals.answer(outcome, self.request_id, asked.path)
        else:
            error = outcome if isinstance(outcome, WeirError) else WeirError()
            status, headers, body = refusal(error, self.request_id, asked.path)
            lines = lines_of([*headers, (b"x-request-id", self.request_id.encode("ascii"))])
            answer = b"%b%b%b\r\n%b" % (STATUS_LINE[status], lines, standing, body)
        shared.counts.answered(asked.route, status).inc()
        return answer

    def report(self) -> None:
        """Log the exception that is being handled."""
        extra = {"request_id": self.request_id}
        _log.exception("request %s to %s failed", self.request_id, self.asked.path, extra=extra)


def _written(calm: Sequence[Exchange], answers_of: Callable[[Sequence[Call], bytes], Iterable[bytes]]) -> list[Call]:
    """Write the answers to calls of one run by one protocol; return those whose answers have to say more."""
    if not calm:
        return []
    others: list[Call] = []
    rest = iter(calm)
    with suppress(Exception):  # each of the rest will say what it was
        for answer, exchange in zip(answers_of(calm, b""), rest, strict=False):
            try:
                if not exchange.connection.write(answer):
                    others.append(exchange)
            except Exception:
                exchange.report()
    others.extend(rest)
    calm[0].asked.answered.inc(len(calm) - len(others))
    return others


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as they stand in an answer."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
