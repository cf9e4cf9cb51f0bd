"""The models: 30 float features to two probabilities, from microseconds to milliseconds a row."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

__all__ = ["FEATURES", "MODELS", "perceptron", "rows", "small", "watched", "write_models"]

FEATURES = 30
_OPSET = 17
_REFERENCE_ROWS = 20_000


def rows(count: int) -> NDArray[np.float32]:
    """Return (count, 30) rows with three decimals, as a client would type them."""
    x_nd: NDArray[np.float64] = np.random.default_rng(7).normal(size=(count, FEATURES))
    return np.round(x_nd, 3).astype(np.float32)


def _weights(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    w: NDArray[np.float64] = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return w.astype(np.float32)


def _model(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    """Close nodes from ``x`` to ``scores`` with a softmax into a model."""
    graph = helper.make_graph(
        [*nodes, helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1)],
        "benchmark",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


def small() -> onnx.ModelProto:
    """Make a logistic regression: about 5 microseconds."""
    rng = np.random.default_rng(1)
    gemm = helper.make_node("Gemm", ["x", "w", "b"], ["scores"], transB=1)
    return _model([gemm], {"w": _weights(rng, 2, FEATURES), "b": _weights(rng, 2)})


def trees() -> onnx.ModelProto:
    """Make a random forest of 200 trees, its label output cut off: about 7 microseconds."""
    x_nd, y_n = make_classification(n_samples=4000, n_features=FEATURES, n_informative=12, random_state=2)
    forest = RandomForestClassifier(n_estimators=200, max_depth=8, random_state=2).fit(x_nd.astype(np.float32), y_n)
    model: onnx.ModelProto = to_onnx(forest, x_nd[:1].astype(np.float32), options={"zipmap": False})
    model.graph.output.remove(next(output for output in model.graph.output if output.name == "label"))
    model.graph.input[0].name = "x"
    for node in model.graph.node:
        node.input[:] = ["x" if name == "X" else name for name in node.input]
    return model


def mlp() -> onnx.ModelProto:
    """Make a perceptron of four hidden layers of 2,048: about 2 milliseconds a row, far less in a batch."""
    return perceptron(4, 2048)


def large() -> onnx.ModelProto:
    """Make a perceptron whose weights take 100 MB: five hidden layers of 2,500."""
    return perceptron(5, 2500)


def perceptron(hidden: int, width: int) -> onnx.ModelProto:
    """Make a perceptron of any size."""
    rng = np.random.default_rng(3)
    widths = [FEATURES, *[width] * hidden, 2]
    nodes, constants, last = [], {}, "x"
    for layer, (inner, outer) in enumerate(pairwise(widths)):
        constants[f"w{layer}"] = _weights(rng, outer, inner) * np.float32(1.4)
        constants[f"b{layer}"] = np.zeros(outer, np.float32)
        final = layer == len(widths) - 2
        out = "scores" if final else f"h{layer}"
        nodes.append(helper.make_node("Gemm", [last, f"w{layer}", f"b{layer}"], [out], transB=1))
        if not final:
            nodes.append(helper.make_node("Relu", [out], [f"r{layer}"]))
        last = f"r{layer}"
    return _model(nodes, constants)


def cnn() -> onnx.ModelProto:
    """Make a convolution over the 30 values, 8 layers of 256 channels: milliseconds a row, in a batch too."""
    rng = np.random.default_rng(4)
    constants: dict[str, NDArray[Any]] = {"axis": np.array([1], np.int64)}
    nodes, last, inner = [helper.make_node("Unsqueeze", ["x", "axis"], ["u"])], "u", 1
    for layer in range(8):
        constants[f"w{layer}"] = _weights(rng, 256, inner, 3) * np.float32(1.4)
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], kernel_shape=[3], pads=[1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        last, inner = f"r{layer}", 256
    constants["w"], constants["b"] = _weights(rng, 2, 256), np.zeros(2, np.float32)
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], axis=1))
    nodes.append(helper.make_node("Gemm", ["flat", "w", "b"], ["scores"], transB=1))
    return _model(nodes, constants)


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {"small": small, "trees": trees, "mlp": mlp, "cnn": cnn}
"""Those of the campaign."""

_FURTHER = {"large": large}


def write_models(folder: Path, names: list[str]) -> dict[str, Path]:
    """Write each model as ``folder/name/name/1/model.onnx``, a model repository of its own; return the files."""
    files = {}
    for name in names:
        file = folder / name / name / "1" / "model.onnx"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            model = (MODELS | _FURTHER)[name]()
            onnx.checker.check_model(model)
            file.write_bytes(model.SerializeToString())
        files[name] = file
    return files


def watched(file: Path) -> Path:
    """Return the model beside a reference profile of 20,000 rows, in a model repository of its own."""
    repository = file.parents[2].with_name(f"{file.parents[2].name}-watched")
    copy = repository / file.relative_to(file.parents[2])
    if not copy.with_name("reference.json").exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        copy.hardlink_to(file)
        table = repository.with_suffix(".csv")
        head = ",".join(f"x{i}" for i in range(FEATURES))
        np.savetxt(table, rows(_REFERENCE_ROWS), fmt="%.3f", delimiter=",", header=head, comments="")
        *_, model, version, _ = copy.parts
        command = [sys.executable, "-m", "gateway.cli", "profile", str(repository), model, version]
        subprocess.run([*command, "--table", str(table)], check=True)
    return copy
