"""The contract of a version: what the client may send, and how it reaches the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.rules import Rule
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["Contract", "Dtype", "Feature", "InputLayout", "OutputBinding", "Policy"]

Dtype = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
    "string",
]  # fmt: skip
Policy = Literal["reject", "impute", "flag"]
InputLayout = Literal["matrix", "columns", "tensors"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One raw feature and what happens to values that break it.

    ``categories`` are strings for a string feature, numbers for a numeric one; empty means any. ``fill`` is the value
    that ``impute`` puts in; it is always set where a policy is ``impute``. ``importance`` weighs it among what
    moved, and makes no other contract.
    """

    name: str
    dtype: Dtype
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] | tuple[float, ...] = ()
    nullable: bool = False
    missing: Policy = "reject"
    out_of_range: Policy = "flag"
    unseen: Policy = "flag"
    fill: str | float | bool | None = None
    importance: float = field(default=1.0, compare=False)

    @property
    def schema(self) -> FeatureSchema:
        """The feature as the monitors see it."""
        if self.dtype == "string":
            return FeatureSchema(self.name, "category", self.dtype, tuple(str(c) for c in self.categories))
        return FeatureSchema(self.name, "number", self.dtype)


@dataclass(frozen=True, slots=True)
class OutputBinding:
    """Which graph outputs carry label, probabilities or value. Names are ``None`` where the graph has none.

    ``classes`` are the names that clients read, ``answered`` what the graph itself answers, both in column order.
    """

    label: str | None = None
    probabilities: str | None = None
    zipmap: bool = False
    value: str | None = None
    classes: tuple[str | int, ...] = ()
    answered: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """Features in order, how they are laid out as graph inputs, and how the outputs are read.

    ``layout``: ``matrix`` is one input of shape (n, d) with ``features`` as its columns; ``columns`` is one input of
    shape (n, 1) or (n,) for each feature; ``tensors`` is anything else, served as tensors without feature names.
    """

    layout: InputLayout
    features: tuple[Feature, ...]
    outputs: OutputBinding
    input_name: str = ""
    unknown_features: Literal["reject", "ignore"] = "reject"
    rules: tuple[Rule, ...] = ()

    @property
    def output_schema(self) -> OutputSchema:
        """The outputs as the monitors see them."""
        if self.outputs.probabilities or self.outputs.label:
            return OutputSchema("classification", tuple(str(c) for c in self.outputs.classes))
        return OutputSchema("regression" if self.outputs.value else "tensor")
