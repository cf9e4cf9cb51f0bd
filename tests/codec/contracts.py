"""Contracts and decoders for tests of the codec, made without any graph."""

import json
from collections.abc import Sequence
from typing import Any

from gateway.codec.decoders import Decoders
from gateway.contract import Contract, Feature, InputLayout, OutputBinding
from gateway.rules import Rule
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

LIMITS = LimitSettings(rows=50)
NAMES = ("m", "1")


class Codec:
    """The decoders of one contract: a matrix ``X`` of ``dtype``, or one input of rank ``rank`` for each feature."""

    def __init__(
        self,
        *features: Feature,
        layout: InputLayout = "matrix",
        dtype: str = "float32",
        rank: int = 2,
        unknown: Any = "reject",
        limits: LimitSettings = LIMITS,
        rules: tuple[Rule, ...] = (),
    ) -> None:
        name = "X" if layout == "matrix" else ""
        self.contract = Contract(layout, features, OutputBinding(), name, unknown, rules)
        if layout == "matrix":
            specs = [TensorSpec("X", dtype, (-1, len(features)))]
        else:
            specs = [TensorSpec(f.name, f.dtype, (-1, 1)[:rank]) for f in features]
        ranks = {f.name: rank for f in features}
        inputs = {spec.name: spec for spec in specs}
        self.decoders = decoders = Decoders(
            self.contract, inputs, ("label", "probabilities"), limits, names=NAMES, ranks=ranks
        )
        self.plain, self.v2, self.mlflow = decoders.plain, decoders.v2, decoders.mlflow


class TensorCodec:
    """The decoders of a model that is served as tensors."""

    def __init__(self, *specs: TensorSpec, limits: LimitSettings = LIMITS) -> None:
        contract = Contract("tensors", (), OutputBinding())
        inputs = {spec.name: spec for spec in specs}
        decoders = Decoders(contract, inputs, ("y",), limits, names=NAMES, ranks={})
        self.plain, self.v2, self.mlflow = decoders.plain, decoders.v2, decoders.mlflow


def body(instances: Sequence[Any], **more: Any) -> bytes:
    """Return a plain body."""
    return json.dumps({"instances": instances, **more}).encode()


def tensor(name: str, datatype: str, shape: Sequence[int], data: Any, **more: Any) -> dict[str, Any]:
    """Return one input of the Open Inference Protocol."""
    return {"name": name, "datatype": datatype, "shape": list(shape), "data": data, **more}


def infer(*tensors: dict[str, Any], **more: Any) -> bytes:
    """Return a body of the Open Inference Protocol."""
    return json.dumps({"inputs": tensors, **more}).encode()
