from pathlib import Path
from time import perf_counter

import pytest

from gateway.call import Call
from gateway.errors import DeadlineExceeded, ExecutionFailed, ModelUnknown, Overloaded, WeirError
from gateway.failure_feed import FailureFeed
from gateway.metrics.shared import SharedCounters
from monitors.records import Failures
from monitors.transport.frames import decode_frame, encode_frame
from tests.serving import HandClock, ListSink, counted


class Ground:
    """A feed whose frames are kept."""

    def __init__(self, folder: Path, per_s: int = 100) -> None:
        counters = SharedCounters.create(folder, "w", role="worker")
        self.sink = ListSink()
        self.feed = FailureFeed(
            self.sink, lambda block: encode_frame(block), counters, HandClock(), worker="w", key_salt=b"", per_s=per_s
        )

    def sent(self) -> Failures:
        """Return the block that a flush sends."""
        self.feed.flush()
        block = decode_frame(self.sink.frames[-1])
        assert isinstance(block, Failures)
        return block


def call(model: str | None = "m", request_id: str = "r") -> Call:
    return Call(model, None, "plain", b"", request_id, perf_counter(), key="user")


@pytest.mark.parametrize(
    ("why", "status", "reason"),
    [
        pytest.param("timeout", "masked", "timeout", id="masked"),
        pytest.param(DeadlineExceeded("m", 1.0), "timeout", "deadline-exceeded", id="timeout"),
        pytest.param(Overloaded("concurrency_limit"), "shed", "overloaded", id="shed"),
        pytest.param(ModelUnknown("m"), "client_error", "model-unknown", id="unknown"),
        pytest.param(ExecutionFailed("m", "1", "secret"), "server_error", "execution-failed", id="failed"),
    ],
)
def test_a_failure_travels_with_its_kind_and_without_its_text(
    tmp_path: Path, why: WeirError | str, status: str, reason: str
) -> None:
    ground = Ground(tmp_path)
    ground.feed.take(call(), None, why)
    (failure,) = ground.sent().failures
    assert (failure.request_id, failure.model, failure.version, failure.variant) == ("r", "m", "", None)
    assert (failure.status, failure.reason) == (status, reason)
    assert failure.key_hash
    assert b"secret" not in ground.sink.frames[-1]


def test_a_flood_is_sampled_and_counted(tmp_path: Path) -> None:
    ground = Ground(tmp_path, per_s=3)
    for _ in range(10):
        ground.feed.take(call(), None, Overloaded("concurrency_limit"))
    assert len(ground.sent().failures) == 3
    assert counted(tmp_path, "weir_prediction_log_dropped_total", reason="sampled_out") == 7


def test_a_full_channel_drops_and_counts(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.sink.is_full = True
    ground.feed.take(call(), None, "error")
    ground.feed.flush()
    assert counted(tmp_path, "weir_prediction_log_dropped_total", reason="channel_full") == 1


def test_what_a_client_calls_a_model_is_cut_and_can_be_sent(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.feed.take(call("\ud800" + "x" * 9_999, "y" * 9_999), None, ModelUnknown("x"))
    (failure,) = ground.sent().failures
    assert failure.model == "?" + "x" * 127
    assert len(failure.request_id) == 128


def test_nothing_is_sent_when_nothing_failed(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.feed.flush()
    assert ground.sink.frames == []
