"""Frames: records as bytes on a stream. Four bytes of length (of what follows the kind), one byte of kind, msgpack.

Arrays travel as their little-endian bytes in the dtype that the record documents, so a frame cannot bring another one;
lengths must fit the number of rows. Nothing is ever pickled.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from monitors.records import (
    Failures,
    FeatureSchema,
    Observation,
    OutputSchema,
    ShadowComparison,
    Standstill,
    StreamInfo,
    StreamKey,
)

__all__ = ["MAXIMUM_BYTES", "FrameInvalid", "FrameParser", "Record", "decode_frame", "encode_frame"]

MAXIMUM_BYTES = 16 * 1024 * 1024
HEADER = struct.Struct("<IB")

MOST_FAILURES = 1_000
LONGEST_TEXT = 1_024

Record = StreamInfo | Observation | ShadowComparison | Failures | Standstill | dict[str, Any]
T = TypeVar("T")


class FrameInvalid(ValueError):
    """Bytes that are no frame, or a record that cannot become one."""


class _Info(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    model: str
    version: str
    digest: str
    features: tuple[FeatureSchema, ...]
    output: OutputSchema
    reference: bytes
    evidence: bytes = b""
    importances: tuple[float, ...] = ()


class _Rows(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    key: StreamKey
    worker: str
    route_revision: int
    sampled_ratio: float
    request_ids: tuple[str, ...]
    columns: int
    classes: int
    answered_at_n: bytes
    key_hashes_n: bytes
    values_nd: bytes
    labels_n: bytes
    scores_nk: bytes
    durations_n: bytes
    flags_n: bytes


class _Compared(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    key: StreamKey
    answered_by: str
    worker: str
    request_ids: tuple[str, ...]
    answered_at_n: bytes
    agrees_n: bytes
    score_differences_n: bytes


def encode_frame(record: Record) -> bytes:
    """Return the frame of a record.

    Raises
    ------
    FrameInvalid
        When an array has another dtype or shape than documented, or the frame would be larger than 16 MiB.

    Examples
    --------
    >>> decode_frame(encode_frame({"kind": "hello", "pid": 7}))
    {'kind': 'hello', 'pid': 7}
    """
    kind, body = _outgoing(record)
    try:
        payload = msgspec.msgpack.encode(body)
    except (TypeError, ValueError, OverflowError) as exc:
        raise FrameInvalid(f"cannot be encoded: {exc}") from exc
    if len(payload) > MAXIMUM_BYTES:
        raise FrameInvalid(f"a frame of {len(payload)} bytes, at most {MAXIMUM_BYTES} are sent")
    return HEADER.pack(len(payload), kind) + payload


def decode_frame(frame: bytes) -> Record:
    """Return the record of one whole frame.

    Raises
    ------
    FrameInvalid
        For anything that is not exactly one valid frame.
    """
    parser = FrameParser()
    records = list(parser.feed(frame))
    if len(records) != 1 or parser.pending_bytes:
        raise FrameInvalid(f"expected one frame, found {len(records)} and {parser.pending_bytes} bytes more")
    return records[0]


class FrameParser:
    """Cut a stream of bytes into records.

    Notes
    -----
    Memory: one frame, at most 16 MiB, and what one ``feed`` brings. After ``FrameInvalid`` the stream has no known
    frame border any more and must be closed.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Record]:
        """Take bytes and yield the records that are whole now.

        Raises
        ------
        FrameInvalid
            At the first frame that is not valid.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            length, kind = HEADER.unpack_from(self._buffer)
            if length > MAXIMUM_BYTES or kind not in _DECODERS:
                raise FrameInvalid(f"a header of {length} bytes of kind {kind}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield _DECODERS[kind](payload)


def _outgoing(record: Record) -> tuple[int, Any]:
    if isinstance(record, Observation):
        return 2, _observation_out(record)
    if isinstance(record, StreamInfo):
        info = record
        about = info.features, info.output, info.reference, info.evidence, info.importances
        return 1, _Info(info.model, info.version, info.digest, *about)
    if isinstance(record, ShadowComparison):
        return 3, _comparison_out(record)
    if isinstance(record, Failures):
        return 5, record
    if isinstance(record, Standstill):
        return 6, record
    return 4, record


def _observation_out(seen: Observation) -> _Rows:
    rows = len(seen.request_ids)
    columns = seen.values_nd.shape[-1]
    classes = seen.scores_nk.shape[-1]
    return _Rows(
        key=seen.key,
        worker=seen.worker,
        route_revision=seen.route_revision,
        sampled_ratio=seen.sampled_ratio,
        request_ids=seen.request_ids,
        columns=columns,
        classes=classes,
        answered_at_n=_pack("answered_at_n", seen.answered_at_n, "<f8", (rows,)),
        key_hashes_n=_pack("key_hashes_n", seen.key_hashes_n, "<u8", (rows,)),
        values_nd=_pack("values_nd", seen.values_nd, "<f8", (rows, columns)),
        labels_n=_pack("labels_n", seen.labels_n, "<i4", (rows,)),
        scores_nk=_pack("scores_nk", seen.scores_nk, "<f8", (rows, classes)),
        durations_n=_pack("durations_n", seen.durations_n, "<f4", (rows,)),
        flags_n=_pack("flags_n", seen.flags_n, "<u2", (rows,)),
    )


def _comparison_out(compared: ShadowComparison) -> _Compared:
    rows = (len(compared.request_ids),)
    return _Compared(
        key=compared.key,
        answered_by=compared.answered_by,
        worker=compared.worker,
        request_ids=compared.request_ids,
        answered_at_n=_pack("answered_at_n", compared.answered_at_n, "<f8", rows),
        agrees_n=_pack("agrees_n", compared.agrees_n, "|b1", rows),
        score_differences_n=_pack("score_differences_n", compared.score_differences_n, "<f8", rows),
    )


def _pack(name: str, array: npt.NDArray[Any], dtype: str, shape: tuple[int, ...]) -> bytes:
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise FrameInvalid(f"{name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
    return array.tobytes()


def _unpack(name: str, data: bytes, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if min(shape) < 0 or max(shape) > MAXIMUM_BYTES or len(data) != expected:
        raise FrameInvalid(f"{name} has {len(data)} bytes, expected {expected}")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _read(payload: bytes, type_: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(payload, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise FrameInvalid(str(exc)) from exc


def _info_in(payload: bytes) -> StreamInfo:
    body = _read(payload, _Info)
    about = body.features, body.output, body.reference, body.evidence, body.importances
    return StreamInfo(body.model, body.version, body.digest, *about)


def _observation_in(payload: bytes) -> Observation:
    body = _read(payload, _Rows)
    rows = len(body.request_ids)
    if not 0.0 < body.sampled_ratio <= 1.0:
        raise FrameInvalid(f"sampled_ratio is {body.sampled_ratio}, expected a ratio above 0 and up to 1")
    return Observation(
        key=body.key,
        worker=body.worker,
        route_revision=body.route_revision,
        sampled_ratio=body.sampled_ratio,
        request_ids=body.request_ids,
        answered_at_n=_unpack("answered_at_n", body.answered_at_n, "<f8", (rows,)),
        key_hashes_n=_unpack("key_hashes_n", body.key_hashes_n, "<u8", (rows,)),
        values_nd=_unpack("values_nd", body.values_nd, "<f8", (rows, body.columns)),
        labels_n=_unpack("labels_n", body.labels_n, "<i4", (rows,)),
        scores_nk=_unpack("scores_nk", body.scores_nk, "<f8", (rows, body.classes)),
        durations_n=_unpack("durations_n", body.durations_n, "<f4", (rows,)),
        flags_n=_unpack("flags_n", body.flags_n, "<u2", (rows,)),
    )


def _comparison_in(payload: bytes) -> ShadowComparison:
    body = _read(payload, _Compared)
    rows = (len(body.request_ids),)
    agrees_n = _unpack("agrees_n", body.agrees_n, "|u1", rows)
    differences_n = _unpack("score_differences_n", body.score_differences_n, "<f8", rows)
    if agrees_n.max(initial=0) > 1 or not np.isfinite(differences_n).all():
        raise FrameInvalid("agreements must be 0 or 1, score differences finite")
    return ShadowComparison(
        key=body.key,
        answered_by=body.answered_by,
        worker=body.worker,
        request_ids=body.request_ids,
        answered_at_n=_finite_times(_unpack("answered_at_n", body.answered_at_n, "<f8", rows)),
        agrees_n=agrees_n.astype(np.bool_),
        score_differences_n=differences_n,
    )


def _finite_times(times_n: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if not np.isfinite(times_n).all():
        raise FrameInvalid("answer times must be finite")
    return times_n


def _failures_in(payload: bytes) -> Failures:
    block = _read(payload, Failures)
    if len(block.failures) > MOST_FAILURES:
        raise FrameInvalid(f"{len(block.failures)} failures, at most {MOST_FAILURES} are taken")
    for failure in block.failures:
        texts = (failure.request_id, failure.model, failure.version, failure.digest, failure.reason)
        if max(map(len, texts)) > LONGEST_TEXT:
            raise FrameInvalid(f"a text of a failure is longer than {LONGEST_TEXT} characters")
    return block


def _standstill_in(payload: bytes) -> Standstill:
    found = _read(payload, Standstill)
    names = (found.worker, found.model, found.version)
    if not -math.inf < found.began_at <= found.ended_at < math.inf or max(map(len, names)) > LONGEST_TEXT:
        raise FrameInvalid("a standstill begins before it ends, and names its worker, model and version in short")
    return found


def _plain_in(payload: bytes) -> dict[str, Any]:
    return _read(payload, dict[str, Any])


_DECODERS: dict[int, Callable[[bytes], Record]] = {
    1: _info_in,
    2: _observation_in,
    3: _comparison_in,
    4: _plain_in,
    5: _failures_in,
    6: _standstill_in,
}
