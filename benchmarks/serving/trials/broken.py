"""The small model in versions that load and warm up well, and break on live rows: those whose first value is a mark."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.serving.floor import load_model
from benchmarks.serving.models import rows, small

__all__ = ["MARK", "VERSIONS", "marked_rows", "write_versions"]

MARK = 9.0
"""First value of every live row. A warm-up row, made up or recorded, stays below 8."""

VERSIONS = {"stable": "1", "healthy": "2", "raises": "3", "hangs": "4", "not finite": "5", "50x slower": "6"}
_THRESHOLD = 8.0
_FOR_EVER = 2**62
_SLOWDOWN = 50
_TRIAL_TURNS = 2_000


def marked_rows(count: int) -> NDArray[np.float32]:
    """Return rows that break what can break."""
    x_nd = rows(count)
    x_nd[:, 0] = MARK
    return x_nd


def write_versions(folder: Path, model: str) -> Path:
    """Write ``folder/model/<version>/model.onnx`` of every version; return the folder."""
    plain = small()
    built = {
        "stable": plain,
        "healthy": plain,
        "raises": _raising(),
        "hangs": _looping("marked", _FOR_EVER),
        "not finite": _not_finite(),
    }
    for name, made in built.items():
        _write(folder / model / VERSIONS[name], made)
    _write(folder / model / VERSIONS["50x slower"], _looping("always", _turns(folder / model)))
    return folder


def _write(version: Path, model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model)
    version.mkdir(parents=True, exist_ok=True)
    version.joinpath("model.onnx").write_bytes(model.SerializeToString())


def _turns(folder: Path) -> int:
    """Return how many turns of a loop make the model so much slower on this machine."""
    probe = folder / ".probe"
    _write(probe, _looping("always", _TRIAL_TURNS))
    fast_s = _seconds(folder / VERSIONS["stable"] / "model.onnx")
    turn_s = (_seconds(probe / "model.onnx") - fast_s) / _TRIAL_TURNS
    return max(int(_SLOWDOWN * fast_s / turn_s), 1)


def _seconds(file: Path) -> float:
    run, batch = load_model(file), rows(1)
    run(batch)
    took_s = []
    for _ in range(50):
        began_s = time.perf_counter()
        run(batch)
        took_s.append(time.perf_counter() - began_s)
    return float(np.median(took_s))


def _marked() -> list[onnx.NodeProto]:
    """``marked``: whether the first value of any row is the mark."""
    return [
        helper.make_node("ReduceMax", ["x"], ["highest"], keepdims=0),
        helper.make_node("Greater", ["highest", "threshold"], ["marked"]),
    ]


def _raising() -> onnx.ModelProto:
    """Take an entry behind the end of a table."""
    nodes = [
        *_marked(),
        helper.make_node("Cast", ["marked"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["factor"], axis=0),
        helper.make_node("Mul", ["raw", "factor"], ["scores"]),
    ]
    return _model(nodes, {"table": np.ones(1, np.float32)})


def _not_finite() -> onnx.ModelProto:
    """Divide by zero."""
    nodes = [
        *_marked(),
        helper.make_node("Not", ["marked"], ["unmarked"]),
        helper.make_node("Cast", ["unmarked"], ["divisor"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["raw", "divisor"], ["scores"]),
    ]
    return _model(nodes, {})


def _looping(when: str, turns: int) -> onnx.ModelProto:
    """Turn so many times through a loop that does nothing, when ``marked`` or ``always``."""
    carried = helper.make_tensor_value_info("carried", TensorProto.FLOAT, ["n", 2])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["carried"], ["carried_on"])],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            carried,
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried_on", TensorProto.FLOAT, ["n", 2]),
        ],
    )
    nodes = [
        *_marked(),
        helper.make_node("Loop", ["turns", when, "raw"], ["scores"], body=body),
    ]
    return _model(nodes, {"turns": np.array(turns, np.int64), "always": np.array(True)})


def _model(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    """Put the nodes between the small model's scores, here ``raw``, and its softmax."""
    model = small()
    gemm, softmax = model.graph.node
    gemm.output[0] = "raw"
    constants = {"threshold": np.array(_THRESHOLD, np.float32), **constants}
    used = {name for node in nodes for name in node.input}
    del model.graph.node[:]
    model.graph.node.extend([gemm, *nodes, softmax])
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items() if name in used
    )
    return model
