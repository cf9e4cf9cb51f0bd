"""Traces of requests: spans named by routes, who answered, phases within, and nothing that is nobody's business."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import SpanKind, StatusCode
from starlette.routing import Router

from gateway.admission.door import Door
from gateway.http.access_log import AccessLog
from gateway.http.fast_path import FastProtocol
from gateway.http.gateway_app import GatewayApp
from gateway.http.request_counts import RequestCounts
from gateway.http.traced_app import TracedApp
from gateway.http.ways_in import WaysIn
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.settings import AdmissionSettings, Settings
from gateway.tracing.exporting import SpanQueue
from gateway.tracing.tracing import Tracing
from tests.http.front import BODY, Front
from tests.pipeline.ground import Notes

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1", "x-request-id": "r-9"}


class Spans:
    """Tracing whose spans stay here."""

    def __init__(self, counters: SharedCounters) -> None:
        self._exporter = InMemorySpanExporter()
        self._queue = SpanQueue(self._exporter, counters)
        provider = TracerProvider(DEFAULT_ON, shutdown_on_exit=False)
        provider.add_span_processor(self._queue)
        self.tracing = Tracing(provider, self._queue, sample_ratio=1.0, product_version="1.2.3")

    def taken(self) -> list[ReadableSpan]:
        """Return the spans that have ended, the server's first."""
        self._queue.force_flush()
        return list(self._exporter.get_finished_spans())

    def only(self) -> ReadableSpan:
        """Return the one span that there is."""
        (span,) = self.taken()
        return span

    def close(self) -> None:
        self._queue.shutdown()


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[SharedCounters]:
    counters = SharedCounters.create(tmp_path, "traced", role="worker")
    yield counters
    counters.close()


@pytest.fixture
def spans(front: Front, counters: SharedCounters) -> Iterator[Spans]:
    spans = Spans(counters)
    front.tracing = spans.tracing
    yield spans
    spans.close()


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def moment(at_ns: int | None) -> int:
    assert at_ns is not None
    return at_ns


def test_a_prediction_is_a_span_with_its_phases_under_the_client_s(front: Front, spans: Spans) -> None:
    answer = front("POST", "/predict/m?token=secret", json=BODY, headers=SAMPLED)
    assert answer.status_code == 200
    server, *phases = spans.taken()
    assert (server.name, server.kind, server.status.status_code) == (
        "POST /predict/{model}",
        SpanKind.SERVER,
        StatusCode.UNSET,
    )
    assert server.parent is not None
    assert (f"{server.parent.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, PARENT)
    assert server.context.trace_state.to_header() == "vendor=1"
    assert told(server) == {
        "http.request.method": "POST",
        "url.path": "/predict/m",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "http.route": "/predict/{model}",
        "http.response.status_code": 200,
        "weir.request_id": "r-9",
        "weir.model": "m",
        "weir.version": "1",
        "weir.variant": "stable",
        "weir.route_revision": 4,
        "weir.fallback": False,
        "weir.rows": 2,
        "weir.batch_rows": 2,
    }
    assert [phase.name for phase in phases] == ["decode", "queue", "inference", "encode"]
    assert {phase.parent.span_id for phase in phases if phase.parent} == {server.context.span_id}
    times = [moment(at) for phase in phases for at in (phase.start_time, phase.end_time)]
    assert times == sorted(times)
    assert moment(server.start_time) <= times[0] < times[-1] <= moment(server.end_time)


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("POST", "/predict/other", 404, "POST /predict/{model}"),
        ("POST", "/v2/models/m/versions/1/infer", 400, "POST /v2/models/{model}/versions/{version}/infer"),
        ("POST", "/v1/models/m:predict", 200, "POST /v1/models/{model}:predict"),
        ("POST", "/predict", 200, "POST /predict"),
        ("GET", "/v2/models/m", 200, "GET /v2/models/{model}"),
        ("GET", "/predict/m", 405, "GET /predict/{model}"),
        ("GET", "/nothing/here", 404, "GET"),
        ("BREW", "/v2/models/m", 405, "HTTP /v2/models/{model}"),
    ],
)
def test_a_span_is_named_after_the_route_and_never_after_what_a_client_writes(
    front: Front, spans: Spans, method: str, path: str, status: int, name: str
) -> None:
    body = BODY | {"model": "m"} if method == "POST" else None
    assert front(method, path, json=body).status_code == status
    server = spans.taken()[0]
    assert (server.name, told(server)["http.response.status_code"]) == (name, status)
    assert server.status.status_code is StatusCode.UNSET


def test_a_refusal_tells_its_problem_and_what_it_came_to(front: Front, spans: Spans) -> None:
    assert front("POST", "/predict/m", json={"instances": [{"x": "a"}]}).status_code == 422
    server = spans.only()
    assert told(server)["weir.problem"] == "input-rejected"
    assert (told(server)["weir.version"], "weir.rows" in told(server)) == ("1", False)


def test_a_failed_run_is_an_error_and_tells_how_it_was_decoded(front: Front, spans: Spans) -> None:
    assert front("POST", "/predict/m", json={"instances": [{"x": 9}]}).status_code == 500
    server, decode = spans.taken()
    assert (server.status.status_code, told(server)["error.type"]) == (StatusCode.ERROR, "500")
    assert (told(server)["weir.problem"], decode.name) == ("execution-failed", "decode")


def test_a_failure_that_no_model_is_asked_for_is_an_error_by_its_status(front: Front, spans: Spans) -> None:
    front.is_logged = True
    assert front("GET", "/openapi.json").status_code == 503
    server = spans.only()
    assert (server.status.status_code, told(server)["error.type"]) == (StatusCode.ERROR, "503")
    assert server.name == "GET /openapi.json"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/v2/health/ready", "/console"])
def test_probes_and_pages_that_are_asked_for_all_the_time_are_not_traced(front: Front, spans: Spans, path: str) -> None:
    front("GET", path, headers=SAMPLED)
    assert spans.taken() == []


def test_what_the_client_does_not_sample_is_not_traced(front: Front, spans: Spans) -> None:
    unsampled = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    assert front("POST", "/predict/m", json=BODY, headers=unsampled).status_code == 200
    assert spans.taken() == []


def test_a_client_that_left_is_no_failure_of_ours(counters: SharedCounters) -> None:
    spans = Spans(counters)

    async def leaves(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    async def scenario() -> None:
        app = TracedApp(AccessLog(GatewayApp(None, leaves, RequestCounts(counters))), spans.tracing)
        scope: Any = {"type": "http", "path": "/" + "a" * 9_000, "headers": [], "method": "GET", "client": None}
        with pytest.raises(asyncio.CancelledError):
            await app(scope, None, None)  # type: ignore[arg-type]  # neither is asked

    asyncio.run(scenario())
    left = spans.only()
    assert (told(left)["error.type"], left.status.status_code) == ("client_left", StatusCode.UNSET)
    assert "http.response.status_code" not in told(left)
    assert len(told(left)["url.path"]) < 400
    spans.close()


@pytest.mark.parametrize("is_traced", [True, False])
def test_the_fast_path_is_taken_where_nothing_is_traced(counters: SharedCounters, is_traced: bool) -> None:
    spans = Spans(counters)
    ways = WaysIn.build(
        Settings(admin_port=0),
        Pipeline(Notes()),
        Door(AdmissionSettings(), counters),
        RequestCounts(counters),
        lambda **_: Router([]),
        tracing=spans.tracing if is_traced else None,
    )
    assert ways.admin is not None
    assert issubclass(ways.public.protocol, FastProtocol) != is_traced
    assert [isinstance(port.asgi, TracedApp) for port in (ways.public, ways.admin)] == [is_traced, is_traced]
    spans.close()
