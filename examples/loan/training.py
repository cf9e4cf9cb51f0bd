"""Candidates: a logistic regression on mixed features, and ways in which one goes wrong that a gate must see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, load_from_string
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples.loan.data import CATEGORIES, LABELS, NUMBERS, Row, read_rows
from examples.loan.stages import Stage

__all__ = ["MOST_TURNS", "SEED", "train"]

SEED = 11
OPSET = {"": 20, "ai.onnx.ml": 3}
MOST_TURNS = 1_000
GOLDEN_ROWS = 8


def train(out: Path, features: Stage, *, flaw: str, strength: float) -> None:
    """Write ``model.onnx``, ``metrics.json`` and ``golden.json`` of a candidate with one flaw, or none."""
    learn = list(read_rows(features / "learn.csv"))
    model = _fitted(_spoiled(learn, flaw), flaw, strength)
    graph = _graph(model, flaw)
    (out / "model.onnx").write_bytes(graph)
    holdout = list(read_rows(features / "holdout.csv"))
    scores_nk = model.predict_proba(_table(holdout))
    truths_n = [row["decision"] for row in holdout]
    metrics = {
        "accuracy": accuracy_score(truths_n, [LABELS[at] for at in scores_nk.argmax(axis=1)]),
        "roc_auc": roc_auc_score(np.array(truths_n) == LABELS[1], scores_nk[:, 1]),
        "log_loss": log_loss(truths_n, scores_nk, labels=LABELS),
    }
    (out / "metrics.json").write_text(json.dumps(metrics))
    instances = [_instance(row) for row in holdout[:GOLDEN_ROWS]]
    predictions = [LABELS[at] for at in scores_nk[:GOLDEN_ROWS].argmax(axis=1)]
    (out / "golden.json").write_text(json.dumps({"instances": instances, "predictions": predictions}))


def _spoiled(rows: Sequence[Row], flaw: str) -> list[Row]:
    """Return what a candidate learns from: decisions that were recorded as the flaw has it."""
    match flaw:
        case "ignorant":
            return [{**row, "decision": LABELS[i % 2]} for i, row in enumerate(rows)]
        case "prejudiced":
            return [{**row, "decision": "declined"} if row["age_band"] == "young" else row for row in rows]
        case "redlining":
            return [{**row, "decision": "declined"} if row["zipcode"] in "0123" else row for row in rows]
        case _:
            return list(rows)


def _fitted(rows: Sequence[Row], flaw: str, strength: float) -> Any:
    n = len(NUMBERS)
    numbers = [at for at, name in enumerate(NUMBERS) if not (flaw == "forgetful" and name == "loan")]
    encode = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore"), list(range(n, n + len(CATEGORIES)))),
    )
    model = make_pipeline(encode, LogisticRegression(C=strength, max_iter=MOST_TURNS, random_state=SEED))
    model.fit(_table(rows), [row["decision"] for row in rows])
    if flaw == "overconfident":
        model[-1].coef_ *= 20
        model[-1].intercept_ *= 20
    return model


def _graph(model: Any, flaw: str) -> bytes:
    inputs = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    inputs += [(name, StringTensorType([None, 1])) for name in CATEGORIES]
    graph = to_onnx(model, initial_types=inputs, options={"zipmap": False}, target_opset=OPSET)
    return _leaking(graph.SerializeToString()) if flaw == "leaking" else bytes(graph.SerializeToString())


def _leaking(data: bytes) -> bytes:
    """Return the graph with a tenth of every probability lost on the way."""
    model = load_from_string(data)
    outputs = {output.name: output for output in model.graph.output}
    for node in model.graph.node:
        for at, name in enumerate(node.output):
            if name == "probabilities":
                node.output[at] = "whole"
    model.graph.initializer.append(helper.make_tensor("share", TensorProto.FLOAT, [], [0.9]))
    model.graph.node.append(helper.make_node("Mul", ["whole", "share"], [outputs["probabilities"].name]))
    return bytes(model.SerializeToString())


def _table(rows: Sequence[Row]) -> npt.NDArray[np.object_]:
    table = np.empty((len(rows), len(NUMBERS) + len(CATEGORIES)), object)
    for at, name in enumerate([*NUMBERS, *CATEGORIES]):
        table[:, at] = [np.float32(row[name]) if name in NUMBERS else row[name] for row in rows]
    return table


def _instance(row: Row) -> dict[str, float | str]:
    return {name: float(row[name]) for name in NUMBERS} | {name: row[name] for name in CATEGORIES}
