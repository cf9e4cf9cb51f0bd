"""Tracing of one worker: begins traces under the parents that clients name, and brings what is left out at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from random import random
from threading import Thread
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.pipeline import Predictor
from gateway.tracing.exporting import SpanQueue
from gateway.tracing.predictor import TracedPredictor
from gateway.tracing.request_trace import CURRENT, Attributes, RequestTrace

__all__ = ["Tracing", "parent_of", "trace_log_records"]

_PROPAGATOR = TraceContextTextMapPropagator()
_CLOSE_S = 2.0


class Tracing:
    """Makes traces of requests. On the event loop.

    Parameters
    ----------
    sample_ratio
        Share of the requests without a parent that are traced; a parent decides for its children.

    Notes
    -----
    A sampled request costs some 0.7 ms of the worker's processor time, half of it in the thread that sends, for
    OpenTelemetry makes and encodes spans in Python (``benchmarks/tracing_cost.py``); others cost a random number.
    """

    def __init__(
        self, provider: TracerProvider, queue: SpanQueue, *, sample_ratio: float, product_version: str
    ) -> None:
        self._provider, self._queue, self._sample_ratio = provider, queue, sample_ratio
        self._tracer = provider.get_tracer("weir", product_version)

    def parent(self, headers: Iterable[tuple[bytes, bytes]]) -> Context | None:
        """Return where the trace of a request belongs, as its headers name it; ``None`` where it is to have none."""
        parents, states = list[bytes](), list[bytes]()
        for key, value in headers:
            if key == b"traceparent":
                parents.append(value)
            elif key == b"tracestate":
                states.append(value)
        if len(parents) == 1 and (context := parent_of(parents[0], states)):
            return context
        return Context() if random() < self._sample_ratio else None

    @contextmanager
    def begun(
        self, name: str, parent: Context, attributes: Attributes, *, is_stream: bool = False
    ) -> Iterator[RequestTrace]:
        """Begin the server span of a request under its parent; the trace is the current one in the block."""
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        trace = RequestTrace(self._tracer, span, is_stream=is_stream)
        token = CURRENT.set(trace)
        try:
            yield trace
        finally:
            CURRENT.reset(token)

    def before(self, pipeline: Predictor) -> Predictor:
        """Return the pipeline as requests see it that are begun here."""
        return TracedPredictor(pipeline)

    async def close(self, within_s: float = _CLOSE_S) -> None:
        """Send what waits, for so long at most; what is left then is counted and lost."""
        loop = asyncio.get_running_loop()
        closed = asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # nobody has waited for so long
                loop.call_soon_threadsafe(closed.set)

        Thread(target=shut_down, name="trace-close", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(closed.wait(), within_s)
        self._queue.give_up()


def parent_of(parent: bytes, states: Iterable[bytes]) -> Context:
    """Return the context that ``traceparent`` and ``tracestate`` name (W3C Trace Context); empty where malformed."""
    carrier = {"traceparent": [parent.decode("latin-1")], "tracestate": [state.decode("latin-1") for state in states]}
    return _PROPAGATOR.extract(carrier, Context())


def trace_log_records() -> None:
    """Let every log record that is made on behalf of a request name its trace. Called by composition roots only."""
    make = logging.getLogRecordFactory()

    def traced(*args: Any, **named: Any) -> logging.LogRecord:
        record = make(*args, **named)
        if (trace := CURRENT.get()) is not None:
            record.trace_id, record.span_id = trace.ids
        return record

    logging.setLogRecordFactory(traced)
