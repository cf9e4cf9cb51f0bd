"""Tensors as raw bytes, as the Open Inference Protocol's binary extension puts them behind its JSON.

Little-endian and row-major; a string is four bytes of length and then its UTF-8.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.errors import BodyMalformed

__all__ = ["RawTensors", "raw_bytes", "tensor_from"]

_LENGTH = Struct("<I")
_IS_LITTLE_ENDIAN = sys.byteorder == "little"
_BRIEF_BYTES = 4_096
"""A copy of so many bytes takes a tenth of the time of a view."""


class RawTensors:
    """The bytes behind a request's JSON, taken tensor by tensor in the order of the inputs. Copies nothing.

    Parameters
    ----------
    json_bytes
        Where they begin; ``None`` for a body that is JSON to its end.

    Raises
    ------
    BodyMalformed
        The JSON is longer than the body.
    """

    def __init__(self, body: bytes, json_bytes: int | None) -> None:
        if json_bytes is not None and not 0 <= json_bytes <= len(body):
            raise BodyMalformed(f"Inference-Header-Content-Length is {json_bytes}, the body has {len(body)} bytes")
        self._view = None if json_bytes is None else memoryview(body)[json_bytes:]

    def take(self, size: Any) -> memoryview:
        """Return the next ``size`` bytes.

        Raises
        ------
        BodyMalformed
            The body says nowhere that it has them, has fewer, or ``size`` is no size.
        """
        if self._view is None:
            raise BodyMalformed("binary tensor data needs the header Inference-Header-Content-Length")
        if type(size) is not int or size < 0:
            raise BodyMalformed("binary_data_size must be a number of bytes")
        if size > len(self._view):
            raise BodyMalformed(f"binary_data_size is {size}, the body has {len(self._view)} bytes left")
        taken, self._view = self._view[:size], self._view[size:]
        return taken

    def check_all_taken(self) -> None:
        """Refuse bytes that no input asked for.

        Raises
        ------
        BodyMalformed
        """
        if self._view:
            raise BodyMalformed(f"the body has {len(self._view)} bytes that no binary_data_size accounts for")


def tensor_from(raw: memoryview, dtype: str, shape: Sequence[int]) -> npt.NDArray[Any]:
    """Return raw bytes as an array of numpy's ``dtype``, or of ``string``: a read-only view where the place allows.

    Raises
    ------
    ValueError
        The bytes are not those of a tensor of this type and shape.

    Notes
    -----
    Bytes that do not begin where the type may begin are copied, since a runtime may assume that they do.
    """
    count = math.prod(shape)
    if dtype == "string":
        return _strings(raw, count).reshape(shape)
    kind = _little_endian(dtype)
    if len(raw) != count * kind.itemsize:
        raise ValueError(f"{len(raw)} bytes for {count} values of {kind.itemsize} bytes")
    if dtype == "bool" and count and np.frombuffer(raw, np.uint8).max() > 1:
        raise ValueError("a byte that is neither 0 nor 1")
    array = np.frombuffer(raw, kind).reshape(shape).astype(dtype, copy=False)
    return array if array.flags.aligned else array.copy()


@cache
def _little_endian(dtype: str) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("<")


def _strings(raw: memoryview, count: int) -> npt.NDArray[np.object_]:
    if count * _LENGTH.size > len(raw):
        raise ValueError(f"{len(raw)} bytes for {count} strings")
    strings = np.empty(count, np.object_)
    at = 0
    for i in range(count):
        if at + _LENGTH.size > len(raw):
            raise ValueError(f"the bytes end before string {i}")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if at + length > len(raw):
            raise ValueError(f"string {i} has {length} bytes, {len(raw) - at} are left")
        strings[i] = str(raw[at : at + length], "utf-8")
        at += length
    if at != len(raw):
        raise ValueError(f"{len(raw) - at} bytes after the last string")
    return strings


def raw_bytes(array: npt.NDArray[Any]) -> bytes | memoryview:
    """Return an array's raw bytes: its own memory where that is large and lies in the order of the protocol.

    >>> bytes(raw_bytes(np.array(["a", "bc"], object)))
    b'\\x01\\x00\\x00\\x00a\\x02\\x00\\x00\\x00bc'
    >>> bytes(raw_bytes(np.array([[1, 2]], np.uint16)))
    b'\\x01\\x00\\x02\\x00'
    """
    if array.dtype.kind in "OU":
        return b"".join(chain.from_iterable(_with_length(array.ravel().tolist())))
    if array.nbytes <= _BRIEF_BYTES and _IS_LITTLE_ENDIAN and array.dtype.isnative:
        return array.tobytes()
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return ordered.reshape(-1).view(np.uint8).data


def _with_length(strings: Iterable[object]) -> Iterable[tuple[bytes, bytes]]:
    for string in strings:
        encoded = str(string).encode("utf-8")
        yield _LENGTH.pack(len(encoded)), encoded
