"""JSON Schemas of what one version takes and answers, from its contract.

A schema refuses exactly what the decoder refuses: ranges and categories whose policy lets values pass are told in
words, beside the schema.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gateway.contract import Contract, Feature
from gateway.engine.version import ServableVersion
from gateway.types import TensorSpec

__all__ = ["answer_schema", "example_request", "feature_schema", "request_schema"]

Schema = dict[str, Any]
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
"""A non-finite number leaves as ``null``."""


def request_schema(version: ServableVersion) -> Schema:
    """Return the schema of a plain body for this version."""
    return {
        "type": "object",
        "properties": {
            "instances": {"type": "array", "minItems": 1, "items": _row_schema(version)},
            "model": {"type": ["string", "null"], "enum": [version.model, None]},
        },
        "required": ["instances"],
        "additionalProperties": False,
    }


def answer_schema(version: ServableVersion) -> Schema:
    """Return the schema of this version's answer; another version that a canary routes to may differ in classes."""
    outputs = version.contract.outputs
    properties: Schema = {
        "id": {"type": "string"},
        "model": {"const": version.model},
        "version": {"type": "string"},
        "variant": {"enum": ["stable", "canary", "pinned", "constant"]},
        "predictions": {"type": "array", "items": _prediction_schema(version)},
    }
    if outputs.probabilities and outputs.classes:
        size = len(outputs.classes)
        row = {"type": "array", "items": NUMBER_OR_NULL, "minItems": size, "maxItems": size}
        properties["classes"] = {"type": "array", "const": list(outputs.classes)}
        properties["probabilities"] = {"type": "array", "items": row}
    return {"type": "object", "properties": properties, "required": list(properties)}


def feature_schema(feature: Feature, matrix_dtype: str | None = None) -> Schema:
    """Return the schema of one value, which a matrix of another type may have to hold too.

    Examples
    --------
    >>> feature_schema(Feature("age", "float32", minimum=0.0, maximum=120.0, out_of_range="reject"))
    {'type': 'number', 'minimum': 0.0, 'maximum': 120.0, 'description': 'float32.'}
    >>> feature_schema(Feature("size", "string", categories=("s", "m"), missing="impute", fill="m"))["type"]
    ['string', 'null']
    """
    kind = _json_type(feature.dtype)
    schema: Schema = {"type": kind if feature.missing == "reject" else [kind, "null"]}
    schema |= _held_by(feature.dtype, matrix_dtype or feature.dtype)
    if feature.out_of_range == "reject":
        bounds = {"minimum": feature.minimum, "maximum": feature.maximum}
        schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if feature.unseen == "reject" and feature.categories:
        schema["enum"] = [*feature.categories, *([] if feature.missing == "reject" else [None])]
    return schema | {"description": " ".join([f"{feature.dtype}.", *_policies(feature)])}


def example_request(version: ServableVersion) -> Schema | None:
    """Return a body that the version accepts, made from fills, categories and ranges; ``None`` for tensors."""
    features = version.contract.features
    return {"instances": [{feature.name: _typical(feature) for feature in features}]} if features else None


def _row_schema(version: ServableVersion) -> Schema:
    contract = version.contract
    if contract.layout == "tensors":
        return _tensor_schema(next(iter(version.inputs.values()))) if len(version.inputs) == 1 else {"not": {}}
    dtype = version.inputs[contract.input_name].dtype if contract.layout == "matrix" else None
    return {"anyOf": [_named_row(contract, dtype), _listed_row(contract, dtype)]}


def _named_row(contract: Contract, dtype: str | None) -> Schema:
    schema: Schema = {
        "title": "Features by name",
        "type": "object",
        "properties": {feature.name: feature_schema(feature, dtype) for feature in contract.features},
        "additionalProperties": contract.unknown_features == "ignore",
    }
    required = [feature.name for feature in contract.features if feature.missing == "reject"]
    return {**schema, "required": required} if required else schema


def _listed_row(contract: Contract, dtype: str | None) -> Schema:
    size = len(contract.features)
    return {
        "title": "Values in the order of the features",
        "type": "array",
        "prefixItems": [{"title": feature.name, **feature_schema(feature, dtype)} for feature in contract.features],
        "minItems": size,
        "maxItems": size,
    }


def _tensor_schema(spec: TensorSpec) -> Schema:
    schema: Schema = {"type": _json_type(spec.dtype), **_held_by(spec.dtype)}
    for axis in reversed(spec.shape[1:]):
        schema = {"type": "array", "items": schema, **({} if axis < 0 else {"minItems": axis, "maxItems": axis})}
    return schema


def _prediction_schema(version: ServableVersion) -> Schema:
    outputs = version.contract.outputs
    if outputs.classes:
        return {"enum": list(outputs.classes)}
    if outputs.label:
        return {"type": ["string", "integer", "boolean"]}
    if outputs.value is None:
        return {"description": "The row's part of the graph's first output."}
    is_single = _width(version.outputs[outputs.value].shape) == 1
    return NUMBER_OR_NULL if is_single else {"type": "array", "items": NUMBER_OR_NULL}


def _width(shape: Sequence[int]) -> int:
    """Return the numbers of one row; -1 where an axis is free."""
    width = 1
    for axis in shape[1:]:
        width = -1 if axis < 0 or width < 0 else width * axis
    return width


def _json_type(dtype: str) -> str:
    if dtype in ("string", "bool"):
        return {"string": "string", "bool": "boolean"}[dtype]
    return "number" if dtype.startswith("float") else "integer"


def _held_by(*dtypes: str) -> Schema:
    """Return the bounds of what all these types can hold; a number beyond them is refused by every policy."""
    low: float = -math.inf
    high: float = math.inf
    for dtype in dtypes:
        if dtype not in ("string", "bool"):
            facts = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
            low, high = max(low, _plain(facts.min)), min(high, _plain(facts.max))
    return {} if math.isinf(low) or dtypes[0] == "float64" == dtypes[-1] else {"minimum": low, "maximum": high}


def _plain(bound: Any) -> int | float:
    return bound if isinstance(bound, int) else float(bound)


def _policies(feature: Feature) -> list[str]:
    """Say what happens to values that break the contract and are not refused."""
    fates = {"flag": "is counted and passed on", "impute": f"is counted and replaced by {feature.fill!r}"}
    missing = {"flag": "reaches the model as NaN", "impute": f"is replaced by {feature.fill!r}"}
    told = []
    if feature.missing != "reject":
        told.append(f"A missing value {missing[feature.missing]}.")
    if feature.out_of_range != "reject" and (feature.minimum, feature.maximum) != (None, None):
        low = "" if feature.minimum is None else f" from {feature.minimum:g}"
        high = "" if feature.maximum is None else f" to {feature.maximum:g}"
        told.append(f"Expected{low}{high}; a value outside {fates[feature.out_of_range]}.")
    if feature.unseen != "reject" and feature.categories:
        listed = ", ".join(str(category) for category in feature.categories)
        told.append(f"Expected one of {listed}; any other value {fates[feature.unseen]}.")
    return told


def _typical(feature: Feature) -> str | int | float | bool:
    if feature.fill is not None:
        return feature.fill
    if feature.categories:
        return feature.categories[0]
    if feature.dtype in ("string", "bool"):
        return "" if feature.dtype == "string" else False
    bounds = [bound for bound in (feature.minimum, feature.maximum) if bound is not None]
    middle = sum(bounds) / len(bounds) if bounds else 0.0
    return middle if feature.dtype.startswith("float") else round(middle)
