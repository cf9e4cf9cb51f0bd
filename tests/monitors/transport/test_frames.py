"""Frames: what goes in comes out, and nothing else comes in."""

import struct
from dataclasses import fields, is_dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from monitors.records import Failure, Failures, ShadowComparison, Standstill, StreamKey
from monitors.transport.frames import MAXIMUM_BYTES, FrameInvalid, FrameParser, Record, decode_frame, encode_frame
from tests.monitors.material import info, observe, rows

KEY = StreamKey("m", "1", "d", "shadow")
ROWS = rows(np.random.default_rng(0), 3)
ROWS[0, 0] = np.nan
COMPARISON = ShadowComparison(
    KEY, "1", "s", ("a", "b"), np.array([1.0, 2.0]), np.array([True, False]), np.array([0.0, 0.5])
)
FAILURE = Failure(
    request_id="r", failed_at=1.5, model="m", version="1", digest="d", variant="canary", route_revision=3,
    key_hash=2**64 - 1, status="masked", reason="error", duration_s=0.5, sampled_ratio=1.0,
)  # fmt: skip


def same(a: Any, b: Any) -> bool:
    """Whether two records are equal, arrays by dtype and every bit."""
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return bool(a == b)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(info(), id="info"),
        pytest.param(replace(info(), importances=(1.0, 0.0, 2.5)), id="info-with-importances"),
        pytest.param(observe(ROWS, 1000.5), id="observation"),
        pytest.param(observe(ROWS, 1.0, scores_nk=np.empty((3, 0))), id="no-scores"),
        pytest.param(observe(ROWS[:0], 1.0), id="no-rows"),
        pytest.param(COMPARISON, id="comparison"),
        pytest.param(Failures("w", (FAILURE, replace(FAILURE, variant=None))), id="failures"),
        pytest.param(Standstill("w", 1.5, 2.5), id="standstill"),
        pytest.param(Standstill("w", 1.5, 2.5, "m", "2"), id="standstill-of-a-version"),
        pytest.param({"kind": "hello", "pid": 7, "x": [1.5, None, b"raw"]}, id="plain"),
    ],
)
def test_a_record_survives_its_frame(record: Record) -> None:
    assert same(record, decode_frame(encode_frame(record)))


def test_a_stream_may_be_cut_anywhere() -> None:
    records: list[Record] = [info(), observe(ROWS, 1.0), {"a": 1}]
    data = b"".join(encode_frame(record) for record in records)
    parser = FrameParser()
    found = [record for i in range(0, len(data), 7) for record in parser.feed(data[i : i + 7])]
    assert [type(record) for record in found] == [type(record) for record in records]
    assert parser.pending_bytes == 0


def test_arrays_that_are_not_contiguous_are_sent_as_they_read() -> None:
    flipped = observe(np.asfortranarray(ROWS), 1.0)
    assert same(observe(ROWS, 1.0).values_nd, decode_frame(encode_frame(flipped)).values_nd)  # type: ignore[union-attr]  # an observation comes back


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(replace(observe(ROWS, 1.0), values_nd=ROWS.astype(np.float32)), id="dtype"),
        pytest.param(replace(observe(ROWS, 1.0), answered_at_n=np.zeros(2)), id="rows"),
        pytest.param(replace(observe(ROWS, 1.0), values_nd=np.zeros((2, 3))), id="matrix"),
        pytest.param({"x": object()}, id="object"),
        pytest.param({"x": bytes(MAXIMUM_BYTES)}, id="size"),
    ],
)
def test_what_is_not_as_documented_is_not_sent(record: Record) -> None:
    with pytest.raises(FrameInvalid):
        encode_frame(record)


def tampered(**changes: Any) -> bytes:
    """Return an observation's frame with some members of its body changed."""
    frame = encode_frame(observe(ROWS, 1.0))
    names = [
        "key", "worker", "route_revision", "sampled_ratio", "request_ids", "columns", "classes", "answered_at_n",
        "key_hashes_n", "values_nd", "labels_n", "scores_nk", "durations_n", "flags_n",
    ]  # fmt: skip
    body = dict(zip(names, msgspec.msgpack.decode(frame[5:]), strict=True)) | changes
    payload = msgspec.msgpack.encode(list(body.values()))
    return struct.pack("<IB", len(payload), 2) + payload


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\x00", id="half-a-header"),
        pytest.param(encode_frame({"a": 1})[:-1], id="cut"),
        pytest.param(encode_frame({"a": 1}) * 2, id="two"),
        pytest.param(struct.pack("<IB", MAXIMUM_BYTES + 1, 4), id="too-long"),
        pytest.param(struct.pack("<IB", 1, 9) + b"\x00", id="unknown-kind"),
        pytest.param(struct.pack("<IB", 1, 2) + b"\xc1", id="not-msgpack"),
        pytest.param(struct.pack("<IB", 1, 4) + b"\x90", id="not-a-document"),
        pytest.param(tampered(values_nd=bytes(8)), id="short-array"),
        pytest.param(tampered(columns=2), id="other-shape"),
        pytest.param(tampered(columns=-3), id="negative-shape"),
        pytest.param(tampered(columns=2**62), id="huge-shape"),
        pytest.param(tampered(request_ids=["a"]), id="other-rows"),
        pytest.param(tampered(sampled_ratio=0.0), id="ratio"),
        pytest.param(tampered(sampled_ratio=float("nan")), id="nan-ratio"),
        pytest.param(tampered(key=None), id="no-key"),
        pytest.param(tampered(worker=7), id="wrong-type"),
        pytest.param(tampered(more=1), id="one-too-many"),
    ],
)
def test_a_malformed_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(FrameInvalid):
        decode_frame(frame)


@pytest.mark.parametrize(
    "comparison",
    [
        pytest.param(replace(COMPARISON, score_differences_n=np.array([np.nan, 0.0])), id="difference"),
        pytest.param(replace(COMPARISON, answered_at_n=np.array([np.inf, 0.0])), id="time"),
    ],
)
def test_a_comparison_must_be_finite(comparison: ShadowComparison) -> None:
    with pytest.raises(FrameInvalid):
        decode_frame(encode_frame(comparison))


def test_random_bytes_never_do_more_than_raise() -> None:
    rng = np.random.default_rng(0)
    frame = bytearray(encode_frame(observe(ROWS, 1.0)))
    for _ in range(500):
        damaged = bytearray(frame)
        damaged[int(rng.integers(5, len(frame)))] = int(rng.integers(0, 256))
        try:
            decode_frame(bytes(damaged))
        except FrameInvalid:
            continue


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(Failures("w", (FAILURE,) * 1_001), id="too-many"),
        pytest.param(Failures("w", (replace(FAILURE, model="x" * 1_025),)), id="too-long"),
        pytest.param(Failures("w", (replace(FAILURE, status="fine"),)), id="status"),  # type: ignore[arg-type]  # not one of the words
    ],
)
def test_failures_beyond_their_bounds_are_refused(block: Failures) -> None:
    with pytest.raises(FrameInvalid):
        decode_frame(encode_frame(block))


@pytest.mark.parametrize(
    "standstill",
    [
        pytest.param(Standstill("w", 2.5, 1.5), id="backwards"),
        pytest.param(Standstill("w", float("-inf"), 1.5), id="for-ever"),
        pytest.param(Standstill("w", 1.5, float("nan")), id="not-a-time"),
        pytest.param(Standstill("w" * 1_025, 1.5, 2.5), id="long"),
        pytest.param(Standstill("w", 1.5, 2.5, "m", "2" * 1_025), id="long-version"),
    ],
)
def test_a_standstill_that_is_none_is_refused(standstill: Standstill) -> None:
    with pytest.raises(FrameInvalid):
        decode_frame(encode_frame(standstill))
