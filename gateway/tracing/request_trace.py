"""One traced request: its server span, and what its call tells about it: who answered, and how long each phase took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

if TYPE_CHECKING:
    from gateway.arm import Arm
    from gateway.call import Call
    from gateway.http.problems import Problem

__all__ = ["CURRENT", "Attributes", "RequestTrace", "Said"]

Said = str | int | bool
Attributes = Mapping[str, Said]
_NAME_CHARS = 64
"""Of a model that nobody knows: so long are those that are known."""


class RequestTrace:
    """The server span of a request that is being answered, or the span of one message of a stream. On the event loop.

    Attributes
    ----------
    call
        What is asked of a model; ``None`` until it is, and for requests that ask none.
    problem
        What the call ended with, where that is no answer.
    replied_at
        ``perf_counter`` when the answer was encoded; 0 until it is.
    """

    __slots__ = ("_ahead_ns", "_span", "_tracer", "call", "is_stream", "problem", "replied_at")

    def __init__(self, tracer: Tracer, span: Span, *, is_stream: bool = False) -> None:
        self._tracer, self._span, self.is_stream = tracer, span, is_stream
        self._ahead_ns = time_ns() - perf_counter_ns()
        self.call: Call | None = None
        self.problem: Problem | None = None
        self.replied_at = 0.0

    @property
    def is_recording(self) -> bool:
        """Whether the trace is sampled."""
        return self._span.is_recording()

    @property
    def ids(self) -> tuple[str, str]:
        """Trace and span as log lines name them."""
        context = self._span.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def message(self, call: Call) -> RequestTrace:
        """Return the trace of one message of a stream, from when it came."""
        span = self._tracer.start_span("message", self._inside(), start_time=self._unix_ns(call.received_at))
        part = RequestTrace(self._tracer, span)
        part.call = call
        return part

    def end(self, attributes: Attributes, *, name: str | None = None, failure: str | None = None) -> None:
        """End the span, and make those of the phases, which cost the request nothing any more.

        Parameters
        ----------
        failure
            What kind of failure of the gateway's it was; ``None`` for everything that is none.
        """
        span = self._span
        if not span.is_recording():
            return
        if name is not None:
            span.update_name(name)
        span.set_attributes(attributes)
        if self.call is not None:
            span.set_attributes(_told_by(self.call))
        if self.problem is not None:
            span.set_attribute("weir.problem", self.problem.slug)
        if failure is not None:
            span.set_attribute("error.type", failure)
            span.set_status(StatusCode.ERROR)
        span.end()
        if self.call is not None:
            inside = self._inside()
            for phase, start, stop in _phases(self.call, self.replied_at):
                part = self._tracer.start_span(phase, inside, SpanKind.INTERNAL, start_time=self._unix_ns(start))
                part.end(self._unix_ns(stop))

    def _inside(self) -> Context:
        return set_span_in_context(self._span, Context())

    def _unix_ns(self, at: float) -> int:
        return self._ahead_ns + round(at * 1e9)


CURRENT: ContextVar[RequestTrace | None] = ContextVar("weir_request_trace", default=None)
"""The trace of the request on whose behalf this task runs."""


def _told_by(call: Call) -> dict[str, Said]:
    """Return what a call tells of who answered it; of the last that tried, where it failed."""
    arm: Arm | None = call.arm
    if arm is None:
        return {} if call.model is None else {"weir.model": call.model[:_NAME_CHARS]}
    told: dict[str, Said] = {"weir.model": arm.model, "weir.version": arm.version, "weir.variant": arm.variant}
    told |= {"weir.route_revision": call.route.revision, "weir.fallback": call.is_fallback}
    if call.queued_at:
        told["weir.rows"] = call.decoded.n
    if call.total_s:
        told["weir.batch_rows"] = _batch_rows(call)
    return told


def _batch_rows(call: Call) -> int:
    """Return how many rows the run took that answered a call: its own, unless it was cut out of a larger one."""
    return call.decoded.n if call.span.stop is None else len(call.run.outputs.raw[0])


def _phases(call: Call, replied_at: float) -> Iterator[tuple[str, float, float]]:
    """Give name, begin and end (``perf_counter``) of the phases that a call has been through.

    What ``weir_phase_duration_seconds`` counts, and the run between; of a call that failed only how it was decoded.
    """
    if not call.queued_at:
        return
    yield "decode", call.received_at, call.queued_at
    if call.total_s:
        run = call.run
        yield "queue", call.queued_at, run.started_at
        yield "inference", run.started_at, run.started_at + run.seconds
        if replied_at:
            yield "encode", call.received_at + call.total_s, replied_at
