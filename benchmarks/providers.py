"""Does a version run on the execution provider that its manifest names, with the CPU's answers, and how fast?

Run: ``PYTHONPATH=. python benchmarks/providers.py cuda`` where ``onnxruntime-gpu`` is installed in the place of
``onnxruntime`` (``tensorrt``, ``openvino`` likewise). Needs no gateway, and little else of what that needs.

Claim: answers differ from the CPU's by no more than single precision explains; what cannot start is refused, or runs on
the CPU where the manifest declares that.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gateway.catalog.bundle import read_bundle
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from gateway.errors import VersionRefused

__all__: list[str] = []

_WIDTHS = (2_048, 2_048, 2_048, 2)
_FEATURES, _SECONDS = 30, 1.0
_BATCHES = (1, 32, 128)


def main() -> None:
    """Load the model on the CPU and on the provider, compare, time, then name a device that is not there."""
    provider = sys.argv[1] if len(sys.argv) > 1 else "cuda"
    data, x_nd = _perceptron(), np.random.default_rng(1).normal(size=(max(_BATCHES), _FEATURES)).astype(np.float32)
    on_cpu = _load(data, "{providers: [cpu]}")
    there = _load(data, f"{{providers: [{provider}]}}")
    if on_cpu is not None and there is not None:
        apart = float(np.abs(_scores(on_cpu, x_nd) - _scores(there, x_nd)).max())
        print(f"in use: {there.provider}; largest difference from the CPU: {apart:.2g}")
        for rows in _BATCHES:
            rates = _rate(on_cpu, x_nd[:rows]), _rate(there, x_nd[:rows])
            print(f"batches of {rows}: CPU {rates[0]:,.0f} rows/s, {there.provider} {rates[1]:,.0f}")
    if provider == "cuda":
        nowhere = "providers: [cuda], provider_options: {cuda: {device_id: 99}}"
        _load(data, f"{{{nowhere}}}")
        fallen = _load(data, f"{{{nowhere}, provider_fallback: cpu}}")
        print("with the fallback declared:", "refused" if fallen is None else fallen.provider)


def _perceptron() -> bytes:
    """Return three hidden layers of 2,048 as an ONNX file."""
    rng, nodes, weights, last, width = np.random.default_rng(0), [], [], "x", _FEATURES
    for i, units in enumerate(_WIDTHS):
        weight = (rng.normal(size=(width, units)) / np.sqrt(width)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{i}"))
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]))
        nodes.append(helper.make_node("Relu" if i + 1 < len(_WIDTHS) else "Softmax", [f"m{i}"], [f"r{i}"]))
        last, width = f"r{i}", units
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", _FEATURES])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", _WIDTHS[-1]])
    graph = helper.make_graph(nodes, "perceptron", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _load(data: bytes, serving: str) -> ServableVersion | None:
    """Load the model as a bundle whose manifest says ``serving``; say why where that is refused."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "m" / "1"
        bundle.mkdir(parents=True)
        (bundle / "model.onnx").write_bytes(data)
        (bundle / "model.yaml").write_text(f"schema_version: 1\nserving: {serving}\n", encoding="utf-8")
        try:
            return load_version(read_bundle(bundle, model="m", version="1"))
        except VersionRefused as refused:
            print(f"refused {serving}: {refused}")
            return None


def _scores(version: ServableVersion, x_nd: NDArray[np.float32]) -> NDArray[np.float32]:
    scores_nk = version.run({"x": x_nd}, len(x_nd)).scores_nk
    assert scores_nk is not None
    return scores_nk


def _rate(version: ServableVersion, x_nd: NDArray[np.float32]) -> float:
    """Return the rows a second of batches like this one."""
    for _ in range(5):
        version.run({"x": x_nd}, len(x_nd))
    began_s, runs = time.perf_counter(), 0
    while time.perf_counter() - began_s < _SECONDS:
        version.run({"x": x_nd}, len(x_nd))
        runs += 1
    return runs * len(x_nd) / (time.perf_counter() - began_s)


if __name__ == "__main__":
    main()
