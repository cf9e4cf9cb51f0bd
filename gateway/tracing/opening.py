"""Opens the tracing that the settings ask for, in the process that is to be traced: its sender is a thread."""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from time import monotonic

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from gateway.metrics.shared import SharedCounters
from gateway.settings import TracingSettings
from gateway.tracing.destination import read_headers, spans_url
from gateway.tracing.exporting import SpanQueue
from gateway.tracing.session import CollectorSession
from gateway.tracing.tracing import Tracing, trace_log_records

__all__ = ["open_tracing"]

_log = logging.getLogger("weir.tracing")
_QUIET_S = 60.0
_MESSAGE_CHARS = 500


def open_tracing(settings: TracingSettings, counters: SharedCounters, *, process: str, product_version: str) -> Tracing:
    """Return the tracing of a worker, and let its log records name their traces.

    Raises
    ------
    DocumentInvalid
        The file with the collector's headers cannot be read.
    """
    assert settings.endpoint is not None
    _tell_seldom()
    exporter = OTLPSpanExporter(
        spans_url(settings.endpoint),
        headers=read_headers(settings.headers_file),
        timeout=settings.timeout_s,
        session=CollectorSession(settings.ca_file),
    )
    resource = Resource.create(
        {
            "service.name": settings.service_name,
            "service.version": product_version,
            "service.instance.id": f"{socket.gethostname()}/{process}",
            "process.pid": os.getpid(),
        }
    )
    # Requests without a parent have been chosen when they get here, before anything was spent on the others.
    provider = TracerProvider(DEFAULT_ON, resource, shutdown_on_exit=False)
    queue = SpanQueue(exporter, counters)
    provider.add_span_processor(queue)
    trace_log_records()
    return Tracing(provider, queue, sample_ratio=settings.sample_ratio, product_version=product_version)


def _tell_seldom() -> None:
    """Have what OpenTelemetry logs told in our log, at most once a minute: a collector may be away for long."""
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [_Seldom()], False


class _Seldom(logging.Handler):
    """Passes one record a minute on of each logger, and says how many others there were.

    Of each, for what clients send makes records too, and must not hide that the collector is away.
    """

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until: dict[str, float] = {}
        self._passed_over: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, or count it."""
        name, now = record.name, monotonic()
        if now < self._quiet_until.get(name, 0.0):
            self._passed_over[name] += 1
            return
        self._quiet_until[name] = now + _QUIET_S
        passed_over = self._passed_over.pop(name, 0)
        others = f" ({passed_over} more messages since the last one of this kind)" if passed_over else ""
        _log.log(record.levelno, "OpenTelemetry: %s%s", record.getMessage()[:_MESSAGE_CHARS], others)
