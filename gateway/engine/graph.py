"""What an ONNX file says of itself, read from its bytes without running it and without touching any other file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no type stubs

from gateway.types import GraphInfo, TensorSpec

__all__ = ["GraphInvalid", "inspect_graph"]

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.preview.training", "com.microsoft.nchwc"})
_OF_ANY_COST = frozenset((
    "BeamSearch", "CenterCropPad", "ConstantOfShape", "Expand", "GreedySearch", "If", "Loop", "OneHot", "Pad", "Range",
    "Resize", "Sampling", "Scan", "SequenceMap", "Tile", "Upsample", "WhisperBeamSearch",
))  # fmt: skip
"""Operators that may take any time, or make a tensor of any size, by what a row says."""
_CLASS_ATTRIBUTES = frozenset({"classlabels_strings", "classlabels_int64s", "classlabels_ints"})
_DTYPES: dict[int, str] = {
    onnx.TensorProto.BOOL: "bool",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.INT16: "int16",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.UINT16: "uint16",
    onnx.TensorProto.UINT32: "uint32",
    onnx.TensorProto.UINT64: "uint64",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.STRING: "string",
}


class GraphInvalid(ValueError):
    """The bytes are not an ONNX graph that may be loaded here; the text says why and names the file."""


def inspect_graph(model_bytes: bytes, *, source: str) -> GraphInfo:
    """Return what the graph takes, gives and needs.

    Parameters
    ----------
    model_bytes
        Content of an ONNX file.
    source
        What to call it in errors, such as ``model.onnx``.

    Raises
    ------
    GraphInvalid
        The bytes are not ONNX, the graph has no output, an operator needs a custom-op library or reads files of its
        own, or external data has no file name.

    Notes
    -----
    Parsing loads no external data. Operators must be of a domain that ONNX Runtime has built in, or be functions that
    the file itself defines. Nesting is bounded by the limit of the protobuf parser (100 levels).
    """
    model = _parsed(model_bytes, source)
    _check_operators(model, source)
    graph = model.graph
    stored = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs = tuple(_spec(value) for value in graph.input if value.name not in stored)
    return GraphInfo(
        inputs=inputs,
        outputs=tuple(_spec(value) for value in graph.output),
        class_labels=_class_labels(model),
        external_files=tuple(dict.fromkeys(_external_files(model, source))),
        ir_version=model.ir_version,
        opsets={entry.domain: entry.version for entry in model.opset_import},
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        is_steady=all(map(_is_steady, inputs)) and _OF_ANY_COST.isdisjoint(node.op_type for node in _nodes(model)),
    )


def _is_steady(spec: TensorSpec) -> bool:
    """Return whether all rows of an input are equally large."""
    return spec.dtype != "string" and bool(spec.shape) and min(spec.shape[1:], default=1) > 0


def _parsed(model_bytes: bytes, source: str) -> onnx.ModelProto:
    try:
        model = onnx.ModelProto()
        model.ParseFromString(model_bytes)
    except DecodeError as exc:
        raise GraphInvalid(f"{source} is not an ONNX file") from exc
    if not model.ir_version or not model.HasField("graph"):
        raise GraphInvalid(f"{source} is not an ONNX file: it has no graph")
    if not model.graph.output:
        raise GraphInvalid(f"{source} has no output")
    return model


def _check_operators(model: onnx.ModelProto, source: str) -> None:
    local = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if node.domain not in _DOMAINS and (node.domain, node.op_type) not in local:
            raise GraphInvalid(
                f"{source} uses the operator {node.op_type} of domain {node.domain!r}, which is not built in; "
                "custom-op libraries are not loaded"
            )
        # Its attribute may name a compiled blob anywhere on the disk.
        if node.domain == "com.microsoft" and node.op_type == "EPContext":
            raise GraphInvalid(f"{source} holds a precompiled EPContext node; export the graph without it")


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        yield from function.node
        for graph in _subgraphs(function.node):
            yield from graph.node


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    yield from _subgraphs(graph.node)


def _subgraphs(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    for attribute in _attributes(nodes):
        for graph in [attribute.g, *attribute.graphs]:
            yield from _graphs(graph)


def _attributes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.AttributeProto]:
    for node in nodes:
        yield from node.attribute


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    kind = value.type.WhichOneof("value")
    if kind == "sequence_type" and value.type.sequence_type.elem_type.WhichOneof("value") == "map_type":
        return TensorSpec(value.name, "map", ())
    if kind != "tensor_type":
        return TensorSpec(value.name, "map" if kind == "map_type" else "other", ())
    tensor = value.type.tensor_type
    axes = (axis.dim_value if axis.dim_value > 0 else -1 for axis in tensor.shape.dim)
    return TensorSpec(value.name, _DTYPES.get(tensor.elem_type, "other"), tuple(axes))


def _class_labels(model: onnx.ModelProto) -> tuple[str, ...]:
    found = {
        tuple(text.decode(errors="replace") for text in attribute.strings)
        or tuple(str(number) for number in attribute.ints)
        for node in _nodes(model)
        if node.domain == "ai.onnx.ml"
        for attribute in node.attribute
        if attribute.name in _CLASS_ATTRIBUTES
    } - {()}
    return found.pop() if len(found) == 1 else ()


def _external_files(model: onnx.ModelProto, source: str) -> Iterator[str]:
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            if not location:
                raise GraphInvalid(f"{source} keeps tensor {tensor.name!r} in external data without naming the file")
            yield location


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        yield from _dense_parts(graph.sparse_initializer)
    for graph in (g for function in model.functions for g in _subgraphs(function.node)):
        yield from graph.initializer
        yield from _dense_parts(graph.sparse_initializer)
    for attribute in _attributes(_nodes(model)):
        yield from [attribute.t, *attribute.tensors]
        yield from _dense_parts([attribute.sparse_tensor, *attribute.sparse_tensors])


def _dense_parts(sparse_tensors: Iterable[onnx.SparseTensorProto]) -> Iterator[onnx.TensorProto]:
    for sparse in sparse_tensors:
        yield sparse.values
        yield sparse.indices
