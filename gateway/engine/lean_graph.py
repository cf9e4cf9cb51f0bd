"""The graph of an ONNX file without its large weights: each becomes a reference to its place in that same file.

Parsing protobuf copies every weight and holds the interpreter's lock meanwhile, once for a look at the graph and once
more in ONNX Runtime; a file of 100 MB stops the event loop for 50 ms each time. The rest of a graph is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

__all__ = ["Buffer", "lean_graph"]

Buffer: TypeAlias = bytes | memoryview

LARGE_BYTES: Final = 1 << 16
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_TENSOR_RAW_DATA, _TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 9, 13, 14
_EXTERNAL: Final = 1


class _Unreadable(Exception):
    """The bytes are not laid out as expected; the parser proper is to judge them."""


class _Field(NamedTuple):
    """One field of a message: where it begins with its tag, where its value begins, and where it ends."""

    number: int
    wire: int
    start: int
    value: int
    end: int

    def is_large(self, number: int) -> bool:
        """Whether this is the field of that number, and has a long value."""
        return self.number == number and self.wire == _LENGTH and self.end - self.value >= LARGE_BYTES


def lean_graph(data: Buffer, *, source: str) -> bytes:
    """Return the file without the raw data of its large initializers.

    Parameters
    ----------
    data
        Content of an ONNX file.
    source
        File name by which each such tensor names its place: location ``source`` with offset and length, which ONNX
        Runtime and ``onnx`` know as external data.

    Returns
    -------
    bytes
        An ONNX file of the same graph. Bytes that are no ONNX file are returned as they are.

    Notes
    -----
    Holds the interpreter's lock for the fields of the graph, some microseconds a node, and copies no weight. Tensors of
    subgraphs and attributes stay where they are.
    """
    view = memoryview(data)
    try:
        return b"".join(_lean_model(view, source))
    except _Unreadable:
        return bytes(data)


def _lean_model(view: memoryview, source: str) -> Iterator[Buffer]:
    for field in _fields(view, 0, len(view)):
        if field.is_large(_MODEL_GRAPH):
            yield from _message(field, list(_lean_graph(view, field, source)))
        else:
            yield view[field.start : field.end]


def _lean_graph(view: memoryview, graph: _Field, source: str) -> Iterator[Buffer]:
    for field in _fields(view, graph.value, graph.end):
        if field.is_large(_GRAPH_INITIALIZER):
            yield from _message(field, list(_lean_tensor(view, field, source)))
        else:
            yield view[field.start : field.end]


def _lean_tensor(view: memoryview, tensor: _Field, source: str) -> Iterator[Buffer]:
    fields = list(_fields(view, tensor.value, tensor.end))
    raw = [field for field in fields if field.number == _TENSOR_RAW_DATA]
    is_plain = len(raw) == 1 and raw[0].is_large(_TENSOR_RAW_DATA)
    if not is_plain or any(f.number in (_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION) for f in fields):
        yield view[tensor.value : tensor.end]
        return
    for field in fields:
        if field.number != _TENSOR_RAW_DATA:
            yield view[field.start : field.end]
    place = {"location": source, "offset": str(raw[0].value), "length": str(raw[0].end - raw[0].value)}
    for key, value in place.items():
        yield _packed(_TENSOR_EXTERNAL_DATA, _packed(1, key.encode()) + _packed(2, value.encode()))
    yield _varint(_TENSOR_DATA_LOCATION << 3 | _VARINT) + _varint(_EXTERNAL)


def _message(field: _Field, parts: list[Buffer]) -> Iterator[Buffer]:
    yield _varint(field.number << 3 | _LENGTH) + _varint(sum(map(len, parts)))
    yield from parts


def _packed(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH) + _varint(len(value)) + value


def _fields(view: memoryview, at: int, end: int) -> Iterator[_Field]:
    while at < end:
        start = at
        tag, at = _read_varint(view, at, end)
        value, wire = at, tag & 7
        if wire == _LENGTH:
            length, value = _read_varint(view, at, end)
            at = value + length
        elif wire == _VARINT:
            _, at = _read_varint(view, at, end)
        elif wire in (_FIXED32, _FIXED64):
            at += 4 if wire == _FIXED32 else 8
        else:
            raise _Unreadable
        if at > end:
            raise _Unreadable
        yield _Field(tag >> 3, wire, start, value, at)


def _read_varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _Unreadable
        byte = view[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
    raise _Unreadable


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
