"""Spans on their way to a collector that takes them, refuses them, or leaves the sender waiting."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.context import Context

from gateway.metrics.shared import SharedCounters
from gateway.settings import TracingSettings
from gateway.tracing.exporting import MOST_SPANS
from gateway.tracing.opening import open_tracing
from gateway.tracing.tracing import Tracing
from tests.certificates import make_certificate
from tests.serving import counted
from tests.tracing.collector import Collector, Manner


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(autouse=True)
def logs_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    logger, factory = logging.getLogger("opentelemetry"), logging.getLogRecordFactory()
    handlers, propagates = logger.handlers, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagates
    logging.setLogRecordFactory(factory)


class Ground:
    """One worker's tracing, its counters and its end."""

    def __init__(self, folder: Path, settings: TracingSettings) -> None:
        self._folder = folder
        self._counters = SharedCounters.create(folder, "w", role="worker")
        self.tracing: Tracing = open_tracing(settings, self._counters, process="worker-0", product_version="1.2.3")

    def ask(self, times: int = 1, headers: Sequence[tuple[bytes, bytes]] = ()) -> str:
        """Trace so many requests; return the last one's trace."""
        last = ""
        for _ in range(times):
            if (parent := self.tracing.parent(headers)) is not None:
                with self.tracing.begun("GET", parent, {}) as trace:
                    trace.end({"http.route": "/v1"})
                    last = trace.ids[0]
        return last

    def close(self, within_s: float) -> None:
        asyncio.run(self.tracing.close(within_s))

    def counted(self, outcome: str) -> float:
        return counted(self._folder, "weir_trace_spans_total", outcome=outcome)


def settings_of(collector: Collector, **more: object) -> TracingSettings:
    return TracingSettings(endpoint=collector.endpoint, **{"sample_ratio": 1.0} | more)  # type: ignore[arg-type]  # what each test wants


def test_the_end_sends_what_waits_with_the_headers_of_the_file(tmp_path: Path, collector: Collector) -> None:
    (tmp_path / "headers").write_text("authorization: Bearer of-the-test\n")
    settings = settings_of(collector, service_name="river", headers_file=tmp_path / "headers")
    ground = Ground(tmp_path, settings)
    trace_id = ground.ask()
    ground.close(within_s=20.0)
    (span,) = collector.trace(trace_id, spans=1)
    assert (span.name, span.kind, span.attributes) == ("GET", 2, {"http.route": "/v1"})
    named = {key: span.resource[key] for key in ("service.name", "service.version")}
    assert named == {"service.name": "river", "service.version": "1.2.3"}
    assert span.resource["service.instance.id"].endswith("/worker-0")
    assert collector.headers["authorization"] == "Bearer of-the-test"
    assert [ground.counted(name) for name in ("exported", "refused", "queue_full", "unsent")] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        pytest.param("refuse", "Failed to export spans batch code: 400", id="refused"),
        pytest.param("redirect", "308 leads to http://elsewhere.example/v1/traces: name it", id="sent elsewhere"),
    ],
)
def test_what_a_collector_does_not_take_is_counted_and_told_once(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture, manner: Manner, says: str
) -> None:
    collector.behave(manner)
    with caplog.at_level(logging.WARNING, "weir.tracing"):
        ground = Ground(tmp_path, settings_of(collector))
        ground.ask(1_200)
        ground.close(within_s=20.0)
    assert [ground.counted(name) for name in ("exported", "refused", "unsent")] == [0, 1_200, 0]
    told = [record.getMessage() for record in caplog.records if record.name == "weir.tracing"]
    assert len(told) == 1
    assert says in told[0]


def test_what_clients_send_does_not_hide_what_becomes_of_the_spans(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.behave("refuse")
    with caplog.at_level(logging.WARNING, "weir.tracing"):
        ground = Ground(tmp_path, settings_of(collector))
        for _ in range(3):
            ground.ask(headers=[(b"traceparent", b"0" * 10_000)])
        ground.close(within_s=20.0)
    told = [record.getMessage() for record in caplog.records if record.name == "weir.tracing"]
    assert [text.partition("OpenTelemetry: ")[2][:11] for text in told] == ["traceparent", "Failed to e"]


def test_a_collector_that_hangs_bounds_what_waits_and_does_not_hold_up_the_end(
    tmp_path: Path, collector: Collector
) -> None:
    collector.behave("hang")
    ground = Ground(tmp_path, settings_of(collector))
    ground.ask(512)
    assert collector.asked.acquire(timeout=20.0)
    ground.ask(MOST_SPANS + 3)
    assert ground.counted("queue_full") == 3
    ground.close(within_s=0.05)
    assert ground.counted("unsent") == 512 + MOST_SPANS
    collector.behave("take")
    for thread in threading.enumerate():
        if thread.name == "trace-close":  # which nobody but a test has to wait for
            thread.join(20.0)


def test_nobody_who_listens_is_a_refusal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Collector() as gone:
        settings = settings_of(gone, timeout_s=0.1)
    with caplog.at_level(logging.WARNING, "weir.tracing"):
        ground = Ground(tmp_path, settings)
        ground.ask(2)
        ground.close(within_s=20.0)
    assert ground.counted("refused") == 2


@pytest.mark.parametrize(("is_trusted", "outcome"), [(True, "exported"), (False, "refused")])
def test_the_certificates_of_the_settings_come_before_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trusted: bool, outcome: str
) -> None:
    of_collector, another = (make_certificate(tmp_path, name) for name in ("collector", "another"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(another.cert if is_trusted else of_collector.cert))
    with Collector(of_collector) as collector:
        trusted, timeout_s = (of_collector, 10.0) if is_trusted else (another, 0.5)  # a refusal is tried again
        ground = Ground(tmp_path, settings_of(collector, ca_file=trusted.cert, timeout_s=timeout_s))
        ground.ask(2)
        ground.close(within_s=20.0)
    assert ground.counted(outcome) == 2


@pytest.mark.parametrize(("ratio", "least", "most"), [(0.0, 0, 0), (0.5, 100, 200), (1.0, 300, 300)])
def test_the_ratio_is_for_requests_without_a_sound_parent_and_a_parent_decides_for_its_children(
    tmp_path: Path, collector: Collector, ratio: float, least: int, most: int
) -> None:
    ground = Ground(tmp_path, settings_of(collector, sample_ratio=ratio))
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-%b"
    ground.ask(100)
    ground.ask(100, [(b"traceparent", b"00-what")])
    ground.ask(100, [(b"traceparent", parent % b"01")] * 2)
    ground.ask(7, [(b"traceparent", parent % b"01")])
    ground.ask(7, [(b"traceparent", parent % b"00")])
    ground.close(within_s=20.0)
    assert least <= ground.counted("exported") - 7 <= most


def test_log_records_of_a_request_name_its_trace(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    ground = Ground(tmp_path, settings_of(collector, sample_ratio=0.0))
    with caplog.at_level(logging.INFO, "weir.test"):
        with ground.tracing.begun("GET", Context(), {}) as trace:
            logging.getLogger("weir.test").info("inside")
        logging.getLogger("weir.test").info("outside")
    inside, outside = (vars(record) for record in caplog.records)
    assert (inside["trace_id"], inside["span_id"]) == trace.ids
    assert "trace_id" not in outside
    ground.close(within_s=20.0)
