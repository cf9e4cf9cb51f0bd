"""Lean graphs: the same graph without its large weights, which are found at their place in the file."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gateway.engine.lean_graph import LARGE_BYTES, lean_graph
from gateway.engine.session import OnnxSession
from tests import models


def layer(width: int = 256) -> onnx.ModelProto:
    """Return ``x`` (n, width) float32 -> ``y`` (n, width) = relu(x @ w + b), where only w is large."""
    random = np.random.default_rng(7)
    weights = [
        numpy_helper.from_array(random.normal(size=(width, width)).astype(np.float32), "w"),
        numpy_helper.from_array(random.normal(size=width).astype(np.float32), "b"),
    ]
    return model_of(weights, width)


def model_of(weights: Sequence[TensorProto], width: int = 256) -> onnx.ModelProto:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], list(weights))
    opsets = [helper.make_opsetid("", models.OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=models.IR_VERSION, producer_name="weir-tests")


def test_large_weights_are_found_in_the_file_and_everything_else_stays() -> None:
    model = layer()
    data = model.SerializeToString()
    lean = onnx.load_from_string(lean_graph(data, source="model.onnx"))
    place = {entry.key: entry.value for entry in lean.graph.initializer[0].external_data}
    at, length = int(place["offset"]), int(place["length"])
    assert place["location"] == "model.onnx"
    assert data[at : at + length] == model.graph.initializer[0].raw_data
    lean.graph.initializer[0].CopyFrom(model.graph.initializer[0])
    assert lean == model


def test_a_session_of_a_lean_graph_answers_as_the_whole_one_does() -> None:
    data = layer().SerializeToString()
    lean = lean_graph(data, source="model.onnx")
    x_nd = np.random.default_rng(3).normal(size=(5, 256)).astype(np.float32)
    whole = OnnxSession(data).run({"x": x_nd})[0]
    assert len(lean) < LARGE_BYTES < len(data)
    assert OnnxSession(lean, {"model.onnx": memoryview(data)}).run({"x": x_nd})[0].tolist() == whole.tolist()


def test_a_graph_of_small_weights_is_unchanged() -> None:
    data = models.matrix_classifier()
    assert lean_graph(data, source="model.onnx") == data


def test_weights_that_are_elsewhere_or_not_raw_stay_as_they_are() -> None:
    outside = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[256, 256], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="w" * LARGE_BYTES)
    typed = helper.make_tensor("b", TensorProto.FLOAT, [LARGE_BYTES], np.ones(LARGE_BYTES, np.float32))
    data = model_of([outside, typed]).SerializeToString()
    assert lean_graph(data, source="model.onnx") == data


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda data: data + b"\x80", id="a tag that does not end"),
        pytest.param(lambda data: data + b"\x0b\x0c", id="a group"),
        pytest.param(lambda data: data + b"\x80" * 11, id="a number without end"),
        pytest.param(lambda data: data + b"\x0a\xff\xff\xff\xff\x7f", id="a length beyond the end"),
        pytest.param(lambda _data: b"", id="nothing"),
    ],
)
def test_what_cannot_be_read_is_left_to_the_parser(damage: object) -> None:
    assert callable(damage)
    data = damage(layer().SerializeToString())
    assert lean_graph(data, source="model.onnx") == data


def test_fields_of_every_kind_are_carried_over() -> None:
    data = layer().SerializeToString() + b"\xf9\x3f" + bytes(8) + b"\xfd\x3f" + bytes(4)
    lean = lean_graph(data, source="model.onnx")
    assert lean != data
    assert lean.endswith(b"\xf9\x3f" + bytes(8) + b"\xfd\x3f" + bytes(4))
