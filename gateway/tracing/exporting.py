"""From ended spans to the collector: a bounded queue that counts what it drops, and a thread that sends batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gateway.metrics.shared import SharedCounters

__all__ = ["MOST_SPANS", "SpanQueue"]

MOST_SPANS = 4_096
_BATCH_SPANS, _EVERY_MS = 512, 1_000


class SpanQueue(SpanProcessor):
    """Takes ended spans on the event loop; OpenTelemetry's own batch processor sends them from its thread.

    That processor drops without telling how many, so nothing is handed to it that it would have to drop.

    Parameters
    ----------
    exporter
        Brings a batch to the collector; may take its time.
    most
        Spans that wait at most; one holds about 2 kB.
    """

    def __init__(self, exporter: SpanExporter, counters: SharedCounters, *, most: int = MOST_SPANS) -> None:
        def counter(outcome: str) -> Callable[[int], None]:
            return counters.counter("weir_trace_spans_total", outcome=outcome).inc

        self._full, self._unsent = counter("queue_full"), counter("unsent")
        self._sent = _CountedExporter(exporter, counter("exported"), counter("refused"))
        self._most, self._taken = most, 0
        self._batches = BatchSpanProcessor(
            self._sent,
            max_queue_size=most,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=min(_BATCH_SPANS, most),
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: only whole spans are of use."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span, or count it as dropped."""
        if self._taken - self._sent.begun >= self._most:
            self._full(1)
            return
        self._taken += 1
        self._batches.on_end(span)

    def shutdown(self) -> None:
        """Send what waits; blocks for as long as the collector makes it."""
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # it has no annotations

    def force_flush(self, timeout_millis: int | None = 30_000) -> bool:
        """Send what waits now; blocks as ``shutdown`` does."""
        return self._batches.force_flush(timeout_millis)

    def give_up(self) -> None:
        """Count what was not sent until now as lost."""
        self._unsent(self._taken - self._sent.ended)


class _CountedExporter(SpanExporter):
    """Counts what becomes of batches. In the thread that sends them, one at a time."""

    def __init__(self, exporter: SpanExporter, exported: Callable[[int], None], refused: Callable[[int], None]) -> None:
        self._exporter, self._exported, self._refused = exporter, exported, refused
        self.begun = self.ended = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        self.begun += len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            count = self._exported if result is SpanExportResult.SUCCESS else self._refused
            count(len(spans))
            self.ended += len(spans)
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()
