"""Small real ONNX models for tests: trained on scikit-learn's bundled data, or built node by node.

Every builder is cached for the life of the process and gives the bytes of ``model.onnx``. The names of inputs and
outputs are part of each docstring, so that a test can feed the model without looking into it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

OPSET = 20
OPSETS = {"": OPSET, "ai.onnx.ml": 3}
IR_VERSION = 10
IRIS_SIZES = ("long", "medium", "short")


@cache
def matrix_classifier() -> bytes:
    """Breast cancer by logistic regression: ``X`` (n, 30) float32 -> ``label`` int64, ``probabilities`` (n, 2)."""
    x_nd, y_n = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_nd.astype(np.float32), y_n)
    return _converted(model, [("X", FloatTensorType([None, 30]))], zipmap=False)


@cache
def columns_classifier() -> bytes:
    """Iris from a table: ``petal_length``, ``petal_width`` (n, 1) float32 and ``sepal`` (n, 1) string, one of
    ``IRIS_SIZES`` -> ``label`` string (setosa, versicolor, virginica), ``probabilities`` (n, 3).
    """
    iris = load_iris()
    table = np.empty((150, 3), object)
    table[:, 0:2] = iris.data[:, 2:4]
    table[:, 2] = [IRIS_SIZES[2 - int(np.searchsorted([5.4, 6.3], length))] for length in iris.data[:, 0]]
    encode = make_column_transformer((StandardScaler(), [0, 1]), (OneHotEncoder(handle_unknown="ignore"), [2]))
    model = make_pipeline(encode, LogisticRegression()).fit(table, iris.target_names[iris.target])
    inputs = [("petal_length", FloatTensorType([None, 1])), ("petal_width", FloatTensorType([None, 1]))]
    return _converted(model, [*inputs, ("sepal", StringTensorType([None, 1]))], zipmap=False)


@cache
def zipmap_classifier() -> bytes:
    """Iris: ``X`` (n, 4) float32 -> ``output_label`` int64, ``output_probability``: a map from class to float a row."""
    x_nd, y_n = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(x_nd.astype(np.float32), y_n)
    return _converted(model, [("X", FloatTensorType([None, 4]))], zipmap=True)


@cache
def regressor() -> bytes:
    """Diabetes by linear regression: ``X`` (n, 10) float32 -> ``variable`` (n, 1) float32."""
    x_nd, y_n = load_diabetes(return_X_y=True)
    model = LinearRegression().fit(x_nd.astype(np.float32), y_n)
    return bytes(to_onnx(model, initial_types=[("X", FloatTensorType([None, 10]))]).SerializeToString())


@cache
def multi_output() -> bytes:
    """``x`` (n, 3) float32 -> ``total`` (n, 1), ``largest`` (n, 1), ``doubled`` (n, 3), all float32."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["total"]),
        helper.make_node("ReduceMax", ["x", "axes"], ["largest"]),
        helper.make_node("Add", ["x", "x"], ["doubled"]),
    ]
    outputs = [_floats("total", 1), _floats("largest", 1), _floats("doubled", 3)]
    return _serialized(nodes, [_floats("x", 3)], outputs, [_constant("axes", np.array([1], np.int64))])


@cache
def echo_model() -> bytes:
    """``x`` (n, 1) float32 -> ``y`` (n, 1) equal to x, at once: what the next two models are beside."""
    return _serialized([helper.make_node("Identity", ["x"], ["y"])], [_floats("x", 1)], [_floats("y", 1)], [])


@cache
def failing_model() -> bytes:
    """``x`` (n, 1) float32 -> ``y`` (n, 1): 10, 20, 30 for 0, 1, 2; raises for the whole batch for anything more."""
    nodes = [
        helper.make_node("Cast", ["x"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["y"], axis=0),
    ]
    table = _constant("table", np.array([10, 20, 30], np.float32))
    return _serialized(nodes, [_floats("x", 1)], [_floats("y", 1)], [table])


@cache
def slow_model() -> bytes:
    """``x`` (n, 1) float32 -> ``y`` (n, 1) equal to x, after max(x) turns of a loop: 0 is at once, 1e12 is for ever."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["carried"], ["carried_on"])],
        "turn",
        [
            helper.make_tensor_value_info("turn_number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            _floats("carried", 1),
        ],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), _floats("carried_on", 1)],
    )
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["turns"], to=TensorProto.INT64),
        helper.make_node("Loop", ["turns", "always", "x"], ["y"], body=body),
    ]
    return _serialized(nodes, [_floats("x", 1)], [_floats("y", 1)], [_constant("always", np.array(True))])


@cache
def endless_model() -> bytes:
    """``x`` (n, 2) float32 -> ``y`` (n, 2), after 2^62 turns of a loop whatever x is."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["carried"], ["carried_on"])],
        "turn",
        [
            helper.make_tensor_value_info("turn_number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            _floats("carried", 2),
        ],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), _floats("carried_on", 2)],
    )
    loop = helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body)
    return _serialized([loop], [_floats("x", 2)], [_floats("y", 2)], [_constant("turns", np.array(2**62))])


@cache
def crashing_model() -> bytes:
    """``x`` (n, 1) float32 -> ``y`` (n, 1) equal to x; 12345 ends the process, by an overflow of a division.

    There is one division a run, whatever n: ONNX Runtime divides several at once by instructions that never trap.
    """
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT32),
        helper.make_node("Equal", ["whole", "fatal"], ["is_fatal"]),
        helper.make_node("Where", ["is_fatal", "minus_one", "one"], ["divisors"]),
        helper.make_node("ReduceMin", ["divisors"], ["divisor"], keepdims=1),
        helper.make_node("Div", ["least", "divisor"], ["quotient"]),
        helper.make_node("Mul", ["quotient", "zero"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["nothing_more"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "nothing_more"], ["y"]),
    ]
    numbers = {"fatal": 12345, "minus_one": -1, "one": 1, "least": -(2**31), "zero": 0}
    constants = [_constant(name, np.array([[number]], np.int32)) for name, number in numbers.items()]
    return _serialized(nodes, [_floats("x", 1)], [_floats("y", 1)], constants)


@cache
def elementwise(operator: str, width: int = 1, element_type: int = TensorProto.FLOAT) -> bytes:
    """``x`` (n, width) -> ``y`` (n, width) by one operator, such as ``Identity`` or ``Reciprocal`` (infinite for 0)."""
    x, y = (helper.make_tensor_value_info(name, element_type, ["n", width]) for name in "xy")
    return _serialized([helper.make_node(operator, ["x"], ["y"])], [x], [y], [])


@cache
def image_model() -> bytes:
    """``image`` (n, 3, 8, 8) float32 -> ``means`` (n, 3), the mean of each channel."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["means"]),
    ]
    return _serialized(nodes, [_floats("image", 3, 8, 8)], [_floats("means", 3)], [])


@cache
def external_data_model(location: str = "weights.bin") -> bytes:
    """``x`` (n, 4) float32 -> ``y`` (n, 2) = x @ w, with w kept in the file ``location``: see ``external_weights``."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "32"}.items():
        weight.external_data.add(key=key, value=value)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    return _serialized(nodes, [_floats("x", 4)], [_floats("y", 2)], [weight])


def external_weights() -> bytes:
    """The bytes of the file beside ``external_data_model``: 0 to 7 as float32."""
    return np.arange(8, dtype="<f4").tobytes()


@cache
def custom_domain_model() -> bytes:
    """A graph whose node only a custom-op library could run."""
    node = helper.make_node("Anything", ["x"], ["y"], domain="com.example.custom")
    return _serialized([node], [_floats("x", 1)], [_floats("y", 1)], [], {"com.example.custom": 1})


def write_bundle(folder: Path, model_bytes: bytes, **files: bytes | str) -> Path:
    """Write a version folder; further files by name: ``write_bundle(f, m, **{"model.yaml": "schema_version: 1"})``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"model.onnx": model_bytes, **files}.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def _converted(model: Any, inputs: list[tuple[str, Any]], *, zipmap: bool) -> bytes:
    options = {"zipmap": zipmap}
    return bytes(to_onnx(model, initial_types=inputs, options=options, target_opset=OPSETS).SerializeToString())


def _floats(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])


def _constant(name: str, values: npt.NDArray[Any]) -> TensorProto:
    return numpy_helper.from_array(values, name)


def _serialized(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[TensorProto],
    domains: dict[str, int] | None = None,
) -> bytes:
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    opsets = [helper.make_opsetid(domain, number) for domain, number in {"": OPSET, **(domains or {})}.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="weir-tests")
    return bytes(model.SerializeToString())
