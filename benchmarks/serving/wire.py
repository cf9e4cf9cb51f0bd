"""The request that carries some rows, and the probabilities in its answer, in each of the formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ARRAY", "BINARY", "PLAIN", "V2", "Wire"]

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wire:
    """How rows become a body and a body becomes (n, 2) probabilities."""

    encode: Callable[[Rows], tuple[bytes, bytes]]
    decode: Callable[[bytes], NDArray[np.float64]]

    def request(self, path: str, x_nd: Rows, deadline_ms: int | None = None, *, key: str = "") -> bytes:
        """Return a whole HTTP request; deadline and routing key are headers that servers without the notion ignore."""
        headers, body = self.encode(x_nd)
        if key:
            headers += b"x-route-key: %s\r\n" % key.encode()
        if deadline_ms is not None:
            headers += b"x-request-deadline-ms: %d\r\n" % deadline_ms
        start = b"POST %s HTTP/1.1\r\nhost: localhost\r\n%scontent-length: %d\r\n\r\n"
        return start % (path.encode(), headers, len(body)) + body


def _text(x_nd: Rows) -> str:
    return ",".join("[" + ",".join(f"{value:.7g}" for value in row) + "]" for row in x_nd)


def _encode_plain(x_nd: Rows) -> tuple[bytes, bytes]:
    return b"content-type: application/json\r\n", b'{"instances":[%s]}' % _text(x_nd).encode()


def _decode_plain(body: bytes) -> NDArray[np.float64]:
    return np.array(json.loads(body)["probabilities"], dtype=np.float64).reshape(-1, 2)


def _decode_array(body: bytes) -> NDArray[np.float64]:
    return np.array(json.loads(body), dtype=np.float64).reshape(-1, 2)


def _encode_v2(x_nd: Rows) -> tuple[bytes, bytes]:
    flat = _text(x_nd).replace("[", "").replace("]", "")
    tensor = b'{"name":"x","shape":[%d,%d],"datatype":"FP32","data":[%s]}' % (*x_nd.shape, flat.encode())
    return b"content-type: application/json\r\n", b'{"inputs":[%s]}' % tensor


def _decode_v2(body: bytes) -> NDArray[np.float64]:
    found = next(tensor for tensor in json.loads(body)["outputs"] if tensor["name"] == "probabilities")
    return np.array(found["data"], dtype=np.float64).reshape(-1, 2)


def _encode_binary(x_nd: Rows) -> tuple[bytes, bytes]:
    tensor = {"name": "x", "shape": x_nd.shape, "datatype": "FP32", "parameters": {"binary_data_size": x_nd.nbytes}}
    wanted = {"name": "probabilities", "parameters": {"binary_data": True}}
    head = json.dumps({"inputs": [tensor], "outputs": [wanted]}).encode()
    headers = b"content-type: application/octet-stream\r\ninference-header-content-length: %d\r\n" % len(head)
    return headers, head + x_nd.tobytes()


def _decode_binary(body: bytes) -> NDArray[np.float64]:
    head, used = json.JSONDecoder().raw_decode(body.decode("latin-1"))
    (tensor,) = head["outputs"]
    if "data" in tensor:
        raise ValueError("the tensor came as JSON, binary was asked for")
    values = np.frombuffer(body, dtype="<f4", offset=used, count=tensor["parameters"]["binary_data_size"] // 4)
    return values.astype(np.float64).reshape(-1, 2)


PLAIN = Wire(_encode_plain, _decode_plain)
ARRAY = Wire(_encode_plain, _decode_array)
V2 = Wire(_encode_v2, _decode_v2)
BINARY = Wire(_encode_binary, _decode_binary)
