"""Answers of the Open Inference Protocol over REST: tensors as JSON or, behind the JSON, as raw bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy.typing as npt

from gateway.codec.binary import raw_bytes
from gateway.codec.tensors import datatype_of_array

__all__ = ["V2Writer"]

_KNOWN = 256
_encode = msgspec.json.Encoder().encode


class V2Writer:
    """Writes the protocol's answers of one version in one role. For one thread.

    What never changes is encoded once. So is what is said of raw tensors: that is the same as long as batches have one
    size, and to say it anew takes as long as reading the request does. The memory is bounded, and forgets everything
    when it is full.
    """

    def __init__(self, model: str, version: str, parameters: Mapping[str, str]) -> None:
        self._head = _encode({"model_name": model, "model_version": version})[:-1] + b',"id":'
        self._middle = b',"parameters":%b,"outputs":' % _encode(parameters)
        self._known: dict[tuple[object, ...], bytes] = {}

    def write(
        self, request_id: str, outputs: Mapping[str, npt.NDArray[Any]], binary: Collection[str] = ()
    ) -> tuple[bytes, int | None]:
        """Return an inference response, and the length of its JSON where raw tensors follow that.

        In JSON a non-finite number becomes ``null``, since JSON has none; raw tensors are as the graph made them.

        Parameters
        ----------
        outputs
            What a graph of this version answered, by name.
        binary
            Names of the outputs to send as raw bytes.
        """
        if not binary:
            return self._json(request_id, [_described(name, array) for name, array in outputs.items()]), None
        raw = {name: raw_bytes(array) for name, array in outputs.items() if name in binary}
        if len(raw) < len(outputs):
            described = [_described(name, array, raw.get(name)) for name, array in outputs.items()]
            json = self._json(request_id, described)
        else:
            json = b"%b%b%b" % (self._head, _encode(request_id), self._all_raw(outputs, raw))
        return b"".join((json, *raw.values())), len(json)

    def write_raw(
        self, outputs: Mapping[str, npt.NDArray[Any]], told: Iterable[tuple[str, slice]]
    ) -> Iterator[tuple[bytes, list[bytes | memoryview]]]:
        """Give the responses to requests that a run answered together, each as its JSON and what follows that.

        Parameters
        ----------
        outputs
            What the run gave, numbers by rows; all of it is sent as raw bytes.
        told
            The id and the rows of each request.
        """
        whole = [(raw_bytes(array), array.nbytes // len(array)) for array in outputs.values()]
        tails: dict[int, bytes] = {}
        for request_id, span in told:
            start, stop = span.start, span.stop
            raw = [rows[start * row_bytes : stop * row_bytes] for rows, row_bytes in whole]
            tail = tails.get(stop - start)
            if tail is None:
                parts = {name: array[span] for name, array in outputs.items()}
                tail = tails[stop - start] = self._all_raw(parts, dict(zip(outputs, raw, strict=True)))
            yield b"%b%b%b" % (self._head, _encode(request_id), tail), raw

    def _all_raw(self, outputs: Mapping[str, npt.NDArray[Any]], raw: Mapping[str, bytes | memoryview]) -> bytes:
        """Return what follows the id where all outputs are raw."""
        key = (*raw, *[(array.shape, array.dtype, len(raw[name])) for name, array in outputs.items()])
        known = self._known.get(key)
        if known is None:
            described = [_described(name, array, raw[name]) for name, array in outputs.items()]
            known = b"%b%b}" % (self._middle, _encode(described))
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    def _json(self, request_id: str, described: list[dict[str, Any]]) -> bytes:
        return b"%b%b%b%b}" % (self._head, _encode(request_id), self._middle, _encode(described))


def _described(name: str, array: npt.NDArray[Any], raw: bytes | memoryview | None = None) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatype_of_array(array)}
    if raw is None:
        tensor["data"] = array.ravel().tolist()
    else:
        tensor["parameters"] = {"binary_data_size": len(raw)}
    return tensor
