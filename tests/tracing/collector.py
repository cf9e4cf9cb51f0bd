"""A collector that takes spans by OTLP over HTTP on a free port, refuses them, sends them elsewhere, or lets wait."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.certificates import Certificate

__all__ = ["Collector", "Manner", "Received"]

Manner = Literal["take", "refuse", "redirect", "hang"]


@dataclass(frozen=True, slots=True)
class Received:
    """A span as it came: ids in hexadecimal, attributes as plain values; ``resource`` is whose it is."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    start_ns: int
    end_ns: int
    status: int
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector:
    """Listens while it is entered, over TLS where it has a certificate."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self._manner: Manner = "take"
        self.spans: list[Received] = []
        self.headers: dict[str, str] = {}
        self.asked = threading.Semaphore(0)
        self._come = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_address[1]}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.cert, certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Collector:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.behave("refuse")
        self._server.shutdown()
        self._server.server_close()

    def behave(self, manner: Manner) -> None:
        """Behave so from now on, also to a sender who waits."""
        with self._come:
            self._manner = manner
            self._come.notify_all()

    def trace(self, trace_id: str, *, spans: int, timeout_s: float = 30.0) -> list[Received]:
        """Wait for so many spans of a trace; return them, the earliest first."""

        def of_trace() -> list[Received]:
            return [span for span in self.spans if span.trace_id == trace_id]

        with self._come:
            arrived = self._come.wait_for(lambda: len(of_trace()) >= spans, timeout_s)
            assert arrived, [span.name for span in of_trace()]
            return sorted(of_trace(), key=lambda span: (span.start_ns, -span.end_ns))

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self.asked.release()
        with self._come:
            self._come.wait_for(lambda: self._manner != "hang")
            if self._manner == "redirect":
                return 308
            if self._manner != "take" or path != "/v1/traces":
                return 400
            self.headers = headers
            self.spans += _read(ExportTraceServiceRequest.FromString(body))
            self._come.notify_all()
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(take(self.path, headers, body))
                self.send_header("location", "http://elsewhere.example/v1/traces")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def _read(request: Any) -> list[Received]:
    return [
        Received(
            span.name,
            span.kind,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.trace_state,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code,
            _plain(span.attributes),
            _plain(of_process.resource.attributes),
        )
        for of_process in request.resource_spans
        for of_scope in of_process.scope_spans
        for span in of_scope.spans
    ]


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
