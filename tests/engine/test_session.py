"""Sessions: what they give, how they fail, and that a run can be stopped."""

import threading
from time import process_time

import numpy as np
import onnx
import pytest

from gateway.engine.session import OnnxSession, RunFailed, RunHandle, row_counts
from tests import models


def test_a_session_gives_its_outputs_in_graph_order() -> None:
    session = OnnxSession(models.multi_output())
    assert (session.input_names, session.output_names) == (("x",), ("total", "largest", "doubled"))
    total, largest, doubled = session.run({"x": np.array([[1, 2, 3]], np.float32)})
    assert (total.tolist(), largest.tolist(), doubled.tolist()) == ([[6]], [[3]], [[2, 4, 6]])


def test_a_run_that_fails_says_why_in_one_line() -> None:
    with pytest.raises(RunFailed) as caught:
        OnnxSession(models.failing_model()).run({"x": np.array([[9]], np.float32)})
    assert "\n" not in str(caught.value)
    assert "idx=9" in str(caught.value)
    assert not caught.value.terminated


def test_of_a_long_failure_both_ends_are_told() -> None:
    model = onnx.load_from_string(models.failing_model())
    for node in model.graph.node:
        node.name = f"node{'x' * 1000}"
    with pytest.raises(RunFailed) as caught:
        OnnxSession(model.SerializeToString()).run({"x": np.array([[9]], np.float32)})
    told = " ".join(str(caught.value.__cause__).split())
    assert len(told) > 1000
    assert str(caught.value) == f"{told[:150]} … {told[-350:]}"


def test_feeds_of_another_kind_are_a_failure() -> None:
    with pytest.raises(RunFailed, match="x"):
        OnnxSession(models.regressor()).run({"X": np.ones((1, 10), np.float64)})


def test_bytes_that_are_no_model_are_a_failure() -> None:
    with pytest.raises(RunFailed):
        OnnxSession(b"garbage")


def test_a_run_that_would_take_for_ever_is_stopped_at_once() -> None:
    session, handle = OnnxSession(models.slow_model()), RunHandle()
    threading.Timer(0.02, handle.terminate).start()
    started = process_time()
    with pytest.raises(RunFailed) as caught:
        session.run({"x": np.array([[1e12]], np.float32)}, handle)
    assert caught.value.terminated
    assert process_time() - started < 5.0
    assert session.run({"x": np.array([[2]], np.float32)})[0].tolist() == [[2]]


def test_a_handle_that_is_terminated_beforehand_lets_nothing_run() -> None:
    handle = RunHandle()
    handle.terminate()
    assert handle.terminated
    with pytest.raises(RunFailed) as caught:
        OnnxSession(models.regressor()).run({"X": np.ones((1, 10), np.float32)}, handle)
    assert caught.value.terminated


def test_sessions_do_not_need_external_files_on_disk() -> None:
    session = OnnxSession(models.external_data_model(), {"weights.bin": models.external_weights()})
    assert session.run({"x": np.ones((1, 4), np.float32)})[0].tolist() == [[12, 16]]
    with pytest.raises(RunFailed):
        OnnxSession(models.external_data_model())


def test_rows_of_outputs_are_counted_scalars_and_maps_included() -> None:
    assert row_counts([np.ones((3, 2)), [{0: 1.0}], np.float32(1), np.ones(())]) == [3, 1, -1, -1]
