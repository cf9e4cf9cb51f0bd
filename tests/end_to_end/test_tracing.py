"""Traces of a real gateway, taken by a real collector over OTLP."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests import loopback, models
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import TOKEN, RunningGateway, free_port
from tests.tracing.collector import Collector, Received

PARENT = "b7ad6b7169203331"
PHASES = ["decode", "queue", "inference", "encode"]
ROWS = {"instances": [{"x": 1}, {"x": 2}]}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, collector: Collector, grpc_port: int) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("traced")
    models.write_bundle(folder / "models" / "table" / "1", models.failing_model())
    models.write_bundle(folder / "models" / "sums" / "1", models.multi_output())
    environ = {
        "WEIR_TRACING__ENDPOINT": collector.endpoint,
        "WEIR_TRACING__SERVICE_NAME": "river",
        "WEIR_TRACING__SAMPLE_RATIO": "1",
        "WEIR_ACCESS_LOG": "true",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=mine",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "NO_PROXY": "127.0.0.1",
    }
    flags = ("--grpc-port", str(grpc_port))
    running = RunningGateway(folder / "models", folder / "weir.db", *flags, workers=1, environ=environ)
    with running:
        running.wait_for_workers("table", "1")
        running.wait_for_workers("sums", "1")
        yield running


@dataclass(frozen=True, slots=True)
class Story:
    """What was asked of the gateway, each thing in a trace of its own: what is known of a trace is its id."""

    collector: Collector
    traces: dict[str, str]

    def spans(self, name: str, n: int) -> tuple[Received, ...]:
        """Return the spans of what was asked under a name, the earliest first."""
        return tuple(self.collector.trace(self.traces[name], spans=n))


@pytest.fixture(scope="module")
def story(gateway: RunningGateway, collector: Collector, grpc_port: int) -> Story:
    told = Story(collector, {})

    def begun(name: str) -> dict[str, str]:
        told.traces[name] = trace_id = secrets.token_hex(16)
        return {"traceparent": f"00-{trace_id}-{PARENT}-01", "tracestate": "vendor=1", "x-request-id": name}

    with gateway.client() as client:
        assert client.post("/predict/table", json=ROWS, headers=begun("answered")).status_code == 200
        assert client.post("/predict/nothing", json=ROWS, headers=begun("refused")).status_code == 404
        assert client.get("/admin/v1/models/table/route", headers=begun("operator")).status_code == 200
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        unknown = service_pb2.ModelInferRequest(model_name="nothing")
        stub.ModelInfer(message(), metadata=tuple(begun("rpc").items()))
        with pytest.raises(grpc.RpcError):
            stub.ModelInfer(unknown, metadata=tuple(begun("refused-rpc").items()))
        answers = stub.ModelStreamInfer(iter([message(), unknown]), metadata=tuple(begun("stream").items()))
        assert len(list(answers)) == 2
    return told


def message() -> service_pb2.ModelInferRequest:
    x_nd = np.ones((2, 3), np.float32)
    tensor = {"name": "x", "datatype": "FP32", "shape": x_nd.shape, "contents": {"fp32_contents": x_nd.ravel()}}
    return service_pb2.ModelInferRequest(model_name="sums", inputs=[tensor])


def test_a_request_s_spans_reach_the_collector_under_the_client_s_parent(story: Story) -> None:
    server, *phases = story.spans("answered", 5)
    assert (server.name, server.parent_id, server.trace_state) == ("POST /predict/{model}", PARENT, "vendor=1")
    said = [server.attributes[key] for key in ("url.path", "weir.request_id", "weir.model", "weir.version")]
    assert said == ["/predict/table", "answered", "table", "1"]
    assert [(phase.name, phase.parent_id) for phase in phases] == [(name, server.span_id) for name in PHASES]
    assert server.resource["service.name"] == "river"
    assert "/worker-0-" in server.resource["service.instance.id"]
    assert server.resource["deployment.environment.name"] == "test"
    assert story.collector.headers["x-team"] == "mine"


def test_the_access_log_names_the_trace(gateway: RunningGateway, story: Story) -> None:
    (server,) = story.spans("refused", 1)
    assert server.attributes["weir.problem"] == "model-unknown"
    gateway.wait_until(lambda: server.trace_id in gateway.log.read_text(), "a line of the request")
    (line,) = [json.loads(line) for line in gateway.log.read_text().splitlines() if server.trace_id in line]
    assert (line["logger"], line["status"], line["span_id"]) == ("weir.access", 404, server.span_id)


def test_operators_requests_are_traced(story: Story) -> None:
    (server,) = story.spans("operator", 1)
    assert server.name == "GET /admin/v1/models/{model}/route"
    assert TOKEN not in str(server)


def test_an_rpc_is_traced_as_a_request_is(story: Story) -> None:
    server, *phases = story.spans("rpc", 5)
    assert (server.name, server.parent_id) == ("inference.GRPCInferenceService/ModelInfer", PARENT)
    said = [server.attributes[key] for key in ("rpc.response.status_code", "weir.model", "weir.batch_rows")]
    assert said == ["OK", "sums", 2]
    assert [phase.name for phase in phases] == PHASES


def test_a_refused_rpc_tells_its_status(story: Story) -> None:
    (server,) = story.spans("refused-rpc", 1)
    said = [server.attributes[key] for key in ("rpc.response.status_code", "weir.problem", "weir.request_id")]
    assert said == ["NOT_FOUND", "model-unknown", "refused-rpc"]
    assert (server.status, "error.type" in server.attributes) == (0, False)


def test_each_message_of_a_stream_is_a_span_of_its_own(story: Story) -> None:
    spans = story.spans("stream", 6)
    (server,) = [span for span in spans if span.parent_id == PARENT]
    sound, refused = [span for span in spans if span.parent_id == server.span_id]
    said = [(span.attributes["weir.request_id"], span.attributes["weir.model"]) for span in (sound, refused)]
    assert said == [("stream.1", "sums"), ("stream.2", "nothing")]
    assert refused.attributes["weir.problem"] == "model-unknown"
    assert [span.name for span in spans if span.parent_id == sound.span_id] == PHASES[:3]


def test_a_collector_in_trouble_disturbs_nobody_and_what_it_loses_is_counted(
    gateway: RunningGateway, collector: Collector
) -> None:
    def refused() -> float:
        return MetricsPage.of(gateway.url).sum("weir_trace_spans_total", outcome="refused")

    collector.behave("hang")
    with gateway.client() as client:
        assert {client.post("/predict/table", json=ROWS).status_code for _ in range(200)} == {200}
    collector.behave("refuse")
    gateway.wait_until(lambda: refused() > 0, "counted as refused")
    assert "OpenTelemetry: Failed to export spans batch code: 400" in gateway.log.read_text()


def test_the_last_request_s_spans_are_sent_when_the_gateway_stops(
    gateway: RunningGateway, collector: Collector
) -> None:
    collector.behave("take")
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{PARENT}-01"}
    assert loopback.post(f"{gateway.url}/predict/table", json=ROWS, headers=headers).status_code == 200
    assert gateway.stop() == 0
    assert len(collector.trace(trace_id, spans=5, timeout_s=0.0)) == 5
    assert '"traceback"' not in gateway.log.read_text()
