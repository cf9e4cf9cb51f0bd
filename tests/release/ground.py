"""Real models on breast cancer data, good and bad, and an examination of any two of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gateway.catalog.bundle import Bundle, read_bundle
from gateway.commands.release.sides import load_side
from gateway.engine.version import ServableVersion
from gateway.release.examination import Examination, HoldoutRows, answer_rows
from gateway.release.policy import GateRules
from tests import models

__all__ = ["FEATURES", "Sides", "data", "forgetful", "good", "linear", "overconfident", "poor"]

NONE: Mapping[str, bytes | str] = {}
FEATURES = 6
"""Of the thirty columns, the first so many: enough for models that differ."""


@cache
def data() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the rows (569, 6) and the class of each: 0 malignant, 1 benign."""
    x_nd, y_n = load_breast_cancer(return_X_y=True)
    return x_nd[:, :FEATURES].astype(np.float32), y_n.astype(np.int64)


@cache
def fitted() -> Any:
    """Return a pipeline that is right for nine rows of ten."""
    x_nd, y_n = data()
    return make_pipeline(StandardScaler(), LogisticRegression(C=10.0)).fit(x_nd, y_n)


@cache
def good() -> bytes:
    """Return the pipeline as a graph: ``X`` (n, 6) -> ``label``, ``probabilities``."""
    return _graph(fitted())


@cache
def poor() -> bytes:
    """Return one that saw three quarters of the labels of the second half turned around."""
    x_nd, y_n = data()
    turned_n = np.where(np.arange(len(y_n)) % 4 < 2, 1 - y_n, y_n)
    return _graph(make_pipeline(StandardScaler(), LogisticRegression()).fit(x_nd, turned_n))


@cache
def overconfident() -> bytes:
    """Return one that decides as the good one does, and is sure of everything."""
    x_nd, y_n = data()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10.0)).fit(x_nd, y_n)
    model[-1].coef_ = model[-1].coef_ * 1_000
    model[-1].intercept_ = model[-1].intercept_ * 1_000
    return _graph(model)


@cache
def forgetful() -> bytes:
    """Return one that hangs on the first feature alone."""
    x_nd, y_n = data()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x_nd, y_n)
    model[-1].coef_ = np.where(np.arange(FEATURES) == 0, model[-1].coef_ * 3, 0.0)
    return _graph(model)


def linear(scores: npt.NDArray[Any]) -> bytes:
    """Return a graph whose probabilities are ``X @ scores``, whatever these are: (6, 2)."""
    nodes = [
        helper.make_node("MatMul", ["X", "w"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", FEATURES])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
        ],
        [numpy_helper.from_array(scores.astype(np.float32), "w")],
    )
    opset = helper.make_opsetid("", models.OPSET)
    return bytes(helper.make_model(graph, opset_imports=[opset], ir_version=models.IR_VERSION).SerializeToString())


class Sides:
    """Two versions on disk and the examination of the second against the first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._loaded: dict[str, ServableVersion] = {}

    def side(
        self, version: str, graph: bytes, manifest: str = "", files: Mapping[str, bytes | str] = NONE
    ) -> tuple[Bundle, ServableVersion]:
        """Write a version of ``cancer``, read it, and load it unless these bytes are loaded already."""
        folder = self.root / "cancer" / version
        shutil.rmtree(folder, ignore_errors=True)
        named = {"model.yaml": f"schema_version: 1\n{manifest}", **files} if manifest or files else {}
        bundle = read_bundle(models.write_bundle(folder, graph, **named), model="cancer", version=version)
        if bundle.digest not in self._loaded:
            self._loaded[bundle.digest] = load_side(bundle)
        return bundle, replace(self._loaded[bundle.digest], version=version)

    def examined(
        self,
        graph: bytes,
        against: bytes | None = None,
        *,
        manifest: str = "",
        rules: GateRules = GateRules(),  # noqa: B008  # frozen
        truths_n: npt.NDArray[Any] | None = None,
        groups: dict[str, npt.NDArray[np.str_]] | None = None,
        is_first: bool = False,
        files: Mapping[str, bytes | str] = NONE,
    ) -> Examination:
        """Return what the gates look at."""
        x_nd, y_n = data()
        bundle, candidate = self.side("2", graph, manifest, files)
        serving = None if against is None else self.side("1", against)[1]
        feeds = {"X": x_nd}
        at_m = np.arange(0, len(y_n), 2)
        return Examination(
            bundle=bundle,
            candidate=candidate,
            against=serving,
            is_first=is_first,
            rules=rules,
            holdout=HoldoutRows(
                feeds=feeds,
                feeds_against=None if serving is None else feeds,
                truths_n=y_n if truths_n is None else truths_n,
                groups=groups or {},
                sample_cells=[tuple(row) for row in x_nd[at_m].tolist()],
                sample_at_m=at_m,
            ),
            answers=answer_rows(candidate, feeds, len(y_n)),
            against_answers=None if serving is None else answer_rows(serving, feeds, len(y_n)),
        )


def _graph(model: Any) -> bytes:
    inputs = [("X", FloatTensorType([None, FEATURES]))]
    graph = to_onnx(model, initial_types=inputs, options={"zipmap": False}, target_opset=models.OPSETS)
    return bytes(graph.SerializeToString())
