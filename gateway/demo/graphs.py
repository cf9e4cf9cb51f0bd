"""ONNX graphs of the trained classifiers, and the one that breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from gateway.demo.training import Trained

__all__ = ["COVERED_PAIR", "INPUT_NAME", "export"]

INPUT_NAME = "features"
OPSET = {"": 21, "ai.onnx.ml": 3}

COVERED_PAIR = ("anchor_from_other_domain", "is_popular")
"""The broken graph answers rows in which these two features are equal, and raises for all others."""


def export(trained: Trained, features: tuple[str, ...]) -> ModelProto:
    """Return the version's graph: one float32 matrix in, a label and a matrix of probabilities out."""
    model = _convert(trained, len(features))
    return _break(model, features) if trained.recipe.is_broken else model


def _convert(trained: Trained, n_features: int) -> ModelProto:
    model: ModelProto = to_onnx(
        trained.classifier,
        initial_types=[(INPUT_NAME, FloatTensorType([None, n_features]))],
        options={id(trained.classifier): {"zipmap": False}},
        target_opset=OPSET,
        name=f"phishing-{trained.recipe.version}",
    )
    return model


def _break(model: ModelProto, features: tuple[str, ...]) -> ModelProto:
    """Put a correction table in front that lost all but its first row on export.

    The row to look up is twice the difference of ``COVERED_PAIR``, so equal features find it and all others reach past
    the table's end, where ONNX Runtime refuses to go on. A test set of such rows never finds out; live traffic does.
    """
    graph = model.graph
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == INPUT_NAME:
                node.input[position] = "corrected"
    nodes = [*_correction(), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    tables: dict[str, npt.NDArray[Any]] = {
        "pair": np.array([features.index(name) for name in COVERED_PAIR], np.int64),
        "signs": np.array([[2.0], [-2.0]], np.float32),
        "corrections": np.zeros((1, len(features)), np.float32),
        "last_axis": np.array([1], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in tables.items())
    return model


def _correction() -> list[NodeProto]:
    return [
        helper.make_node("Gather", [INPUT_NAME, "pair"], ["pair_values"], axis=1),
        helper.make_node("MatMul", ["pair_values", "signs"], ["signed_difference"]),
        helper.make_node("Abs", ["signed_difference"], ["difference"]),
        helper.make_node("Cast", ["difference"], ["row_column"], to=TensorProto.INT64),
        helper.make_node("Squeeze", ["row_column", "last_axis"], ["row"]),
        helper.make_node("Gather", ["corrections", "row"], ["correction"], axis=0),
        helper.make_node("Add", [INPUT_NAME, "correction"], ["corrected"]),
    ]
