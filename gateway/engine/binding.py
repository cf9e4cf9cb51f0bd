"""How a bundle's graphs become a contract: what the manifest says, and documented defaults where it is silent.

Defaults. One numeric input of rank 2 is a matrix; its columns are the manifest's features, else ``x0``, ``x1``... of
the input's dtype. Inputs of rank 1 or (n, 1) are one feature each, named as the inputs; so is a single one, unless the
manifest gives its column another name. Anything else is served as tensors. An output that is a map, or a float matrix
whose rows sum to one, is the probabilities; an integer or string output of one value a row beside it is the label; a
float output of one value a row is the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from gateway.catalog.manifest import FeatureEntry, Interface
from gateway.contract import Contract, Dtype, Feature, OutputBinding
from gateway.engine.rule_binding import rule_problems
from gateway.types import GraphInfo, TensorSpec

__all__ = ["BindingInvalid", "Hint", "bind_inputs", "bind_outputs"]

_WIDEST = 65_536
_SUM_TOLERANCE = 1e-3
_NUMBERS = frozenset(get_args(Dtype)) - {"string"}


class BindingInvalid(Exception):
    """Manifest and graph do not fit; the text says which name, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What the reference profile knows of a feature: its median or mode, and the categories it has seen."""

    fill: str | float | None = None
    categories: tuple[str, ...] = ()


def bind_inputs(interface: Interface, graph: GraphInfo, hints: Mapping[str, Hint], *, unknown: str) -> Contract:
    """Return the contract's input side.

    Raises
    ------
    BindingInvalid
        A feature has no graph input, a width differs, a policy is impossible for a dtype, or a rule does not fit.
    """
    layout, input_name, features = _layout(interface, graph)
    policy = interface.unknown_features or unknown
    bound = tuple(_with_hint(feature, hints.get(feature.name, Hint())) for feature in features)
    matrix_dtype = graph.inputs[0].dtype if layout == "matrix" else None
    for feature in bound:
        _check(feature, matrix_dtype or feature.dtype)
    if problems := rule_problems(interface.rules, bound):
        raise BindingInvalid("; ".join(problems))
    return Contract(layout, bound, OutputBinding(), input_name, policy, interface.rules)  # type: ignore[arg-type]  # literals


def _layout(interface: Interface, graph: GraphInfo) -> tuple[Any, str, tuple[Feature, ...]]:
    inputs = graph.inputs
    numbers = inputs[0].dtype if len(inputs) == 1 and inputs[0].dtype in _NUMBERS else "float32"
    declared = tuple(_declared(entry, numbers) for entry in interface.features)
    named = [feature.name for feature in declared]
    if len(inputs) == 1 and _is_matrix(inputs[0], named):
        return "matrix", inputs[0].name, _matrix_features(inputs[0], declared)
    if inputs and all(_is_column(spec) for spec in inputs):
        return "columns", "", _column_features(inputs, declared)
    if declared:
        shapes = {spec.name: list(spec.shape) for spec in inputs}
        raise BindingInvalid(f"interface.features need one matrix input or one input a feature; the graph has {shapes}")
    return "tensors", "", ()


def _is_matrix(spec: TensorSpec, named: list[str]) -> bool:
    is_column = spec.shape[1:] == (1,) and named in ([], [spec.name])
    return len(spec.shape) == 2 and spec.dtype not in ("string", "map", "other") and not is_column


def _is_column(spec: TensorSpec) -> bool:
    return spec.dtype not in ("map", "other") and (len(spec.shape) == 1 or spec.shape[1:] == (1,))


def _matrix_features(spec: TensorSpec, declared: tuple[Feature, ...]) -> tuple[Feature, ...]:
    width = spec.shape[1]
    if width > _WIDEST:
        raise BindingInvalid(f"input {spec.name!r} has {width} columns; at most {_WIDEST} are taken as features")
    if not declared:
        if width < 0:
            raise BindingInvalid(f"input {spec.name!r} has no fixed width: name the columns in interface.features")
        return tuple(Feature(f"x{j}", spec.dtype) for j in range(width))  # type: ignore[arg-type]  # numpy's names
    if width not in (-1, len(declared)):
        raise BindingInvalid(f"input {spec.name!r} has {width} columns, interface.features names {len(declared)}")
    for feature in declared:
        if feature.dtype == "string" or (_is_float(feature.dtype) and not _is_float(spec.dtype)):
            raise BindingInvalid(
                f"feature {feature.name!r} is {feature.dtype}, but input {spec.name!r} is {spec.dtype}"
            )
    return declared


def _is_float(dtype: str) -> bool:
    return dtype.startswith("float")


def _column_features(inputs: Sequence[TensorSpec], declared: tuple[Feature, ...]) -> tuple[Feature, ...]:
    by_name = {spec.name: spec for spec in inputs}
    if not declared:
        return tuple(Feature(spec.name, spec.dtype) for spec in inputs)  # type: ignore[arg-type]  # numpy's names
    if absent := by_name.keys() - {f.name for f in declared}:
        raise BindingInvalid(f"inputs {sorted(absent)} of the graph are not in interface.features")
    if unknown := {f.name for f in declared} - by_name.keys():
        raise BindingInvalid(f"features {sorted(unknown)} are not inputs of the graph, which has {sorted(by_name)}")
    return tuple(replace(f, dtype=_graph_dtype(f, by_name[f.name])) for f in declared)


def _graph_dtype(feature: Feature, spec: TensorSpec) -> Any:
    if (feature.dtype == "string") != (spec.dtype == "string"):
        raise BindingInvalid(f"feature {feature.name!r} is {feature.dtype}, its graph input is {spec.dtype}")
    return spec.dtype


def _declared(entry: FeatureEntry, numbers: str) -> Feature:
    dtype: Any = entry.dtype or ("string" if entry.categories and isinstance(entry.categories[0], str) else numbers)
    missing = entry.missing or ("flag" if entry.nullable and dtype.startswith("float") else "reject")
    return Feature(
        entry.name,
        dtype,
        minimum=entry.range.min,
        maximum=entry.range.max,
        categories=entry.categories,  # type: ignore[arg-type]  # strings or numbers, not both
        nullable=entry.nullable,
        missing=missing,
        out_of_range=entry.out_of_range or "flag",
        unseen=entry.unseen or "flag",
        fill=entry.fill,
        importance=entry.importance,
    )


def _with_hint(feature: Feature, hint: Hint) -> Feature:
    fill = hint.fill if feature.fill is None else feature.fill
    if isinstance(fill, float) and "int" in feature.dtype:
        fill = round(fill)
    categories = feature.categories or (hint.categories if feature.dtype == "string" else ())
    return replace(feature, fill=fill, categories=categories)


def _check(feature: Feature, graph_dtype: str) -> None:
    if feature.missing == "flag" and not _is_float(graph_dtype):
        raise BindingInvalid(f"feature {feature.name!r}: missing: flag passes NaN, which {graph_dtype} cannot hold")
    imputes = "impute" in (feature.missing, feature.out_of_range, feature.unseen)
    if imputes and feature.fill is None:
        raise BindingInvalid(f"feature {feature.name!r} is imputed: set its fill, or add a reference profile")
    if feature.fill is not None and isinstance(feature.fill, str) != (feature.dtype == "string"):
        raise BindingInvalid(f"feature {feature.name!r} is {feature.dtype}, its fill is {feature.fill!r}")


def bind_outputs(interface: Interface, graph: GraphInfo, probe: Mapping[str, Any], rows: int) -> OutputBinding:
    """Return which outputs carry label, probabilities and value, from the manifest, the graph and a probing run.

    Parameters
    ----------
    probe
        Outputs by name of a run of ``rows`` rows.
    """
    roles: dict[str, str] = {entry.name: entry.semantic for entry in interface.outputs if entry.semantic}
    if unknown := roles.keys() - probe.keys():
        raise BindingInvalid(f"interface.outputs names {sorted(unknown)}; the graph has {sorted(probe)}")
    specs = {spec.name: spec for spec in graph.outputs}
    for name, value in probe.items():
        if name not in roles:
            roles[name] = _role(specs[name], value, rows, roles.values())
    label = _first(roles, "label")
    probabilities = _first(roles, "probabilities")
    value = None if label or probabilities else _first(roles, "value")
    if value and (width := np.asarray(probe[value]).size // max(rows, 1)) != 1:
        raise BindingInvalid(f"output {value!r} is named the value, which is one number a row; it has {width}")
    zipmap = probabilities is not None and specs[probabilities].dtype == "map"
    answered = _answered_classes(interface, graph, probe, label, probabilities, zipmap=zipmap)
    classes = interface.classes or answered
    if len(classes) != len(answered):
        raise BindingInvalid(f"interface.classes names {len(classes)} classes, the graph has {len(answered)}")
    return OutputBinding(label, probabilities, zipmap, value, classes, answered)


def _first(roles: Mapping[str, str], role: str) -> str | None:
    return next((name for name, found in roles.items() if found == role), None)


def _role(spec: TensorSpec, value: Any, rows: int, taken: Any) -> str:
    if spec.dtype == "map":
        return "probabilities"
    array = np.asarray(value)
    if array.shape[:1] != (rows,):
        return "other"
    width = array.size // max(rows, 1)
    if array.dtype.kind in "iuOUSb":
        return "label" if width == 1 and "label" not in taken else "other"
    if width >= 2 and "probabilities" not in taken and array.ndim == 2 and _sums_to_one(array):
        return "probabilities"
    return "value" if width == 1 and "value" not in taken else "other"


def _sums_to_one(array: Any) -> bool:
    scores = array.astype(np.float64)
    return bool((scores >= -_SUM_TOLERANCE).all() and np.allclose(scores.sum(axis=1), 1, atol=_SUM_TOLERANCE))


def _answered_classes(
    interface: Interface,
    graph: GraphInfo,
    probe: Mapping[str, Any],
    label: str | None,
    probabilities: str | None,
    *,
    zipmap: bool,
) -> tuple[str | int, ...]:
    """Return the labels that the graph itself answers, in the order of the probability columns."""
    if zipmap and probabilities:
        return tuple(probe[probabilities][0])
    whole = label is not None and np.asarray(probe[label]).dtype.kind in "iu"
    width = len(interface.classes)
    if probabilities:
        scores = np.asarray(probe[probabilities])
        width = max(2, scores.size // max(len(scores), 1))
    found: tuple[str | int, ...] = tuple(range(width)) if whole or label is None else interface.classes
    if graph.class_labels:
        found = _whole_numbers(graph.class_labels) or found if whole else graph.class_labels
    if found and probabilities and len(found) != width:
        raise BindingInvalid(f"the graph names {len(found)} classes, its output {probabilities!r} has {width}")
    return found


def _whole_numbers(labels: Sequence[str]) -> tuple[int, ...]:
    """Return labels as integers; nothing where they are the names of a classifier whose answer is coded afterwards."""
    try:
        return tuple(int(label) for label in labels)
    except ValueError:
        return ()
