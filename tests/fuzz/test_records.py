"""What processes of one gateway tell each other and leave in files: damaged, it is refused or left out, and no more."""

import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.metrics.cells import cells_path, index_path
from gateway.metrics.shared import SharedCounters, read_counters
from gateway.shadow_jobs import ShadowJob, pack_jobs, unpack_jobs
from monitors.records import Observation, ShadowComparison, StreamInfo
from monitors.transport.frames import FrameInvalid, FrameParser, decode_frame, encode_frame

MANY = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SIZES = st.sampled_from([0, 1, 2, 3, -1, 2**31, 2**61, 2**62, 2**63, 2**64 - 1])
KEY = ["m", "1", "d", "stable"]
MEMBERS = [
    "model", "shadows", "answered_by", "protocol", "body", "json_bytes", "request_id", "answered_at", "classes",
    "labels", "scores", "k",
]  # fmt: skip
JOB = ShadowJob("m", ("2",), "1", "plain", b"{}", "r", 1.0, ("a", "b"), np.zeros(2, np.int32), np.zeros((2, 2)))


def framed(kind: int, body: Any) -> bytes:
    payload = msgspec.msgpack.encode(body)
    return struct.pack("<IB", len(payload), kind) + payload


@given(kind=st.integers(0, 6), body=PLAIN)
@MANY
def test_any_value_in_a_frame_is_a_record_or_refused(kind: int, body: Any) -> None:
    check_frame(framed(kind, body))


@given(raw=st.binary(max_size=60), kind=st.integers(0, 6))
@MANY
def test_any_bytes_are_a_record_or_refused(raw: bytes, kind: int) -> None:
    check_frame(raw)
    check_frame(struct.pack("<IB", len(raw), kind) + raw)


@given(
    rows=st.integers(0, 4), columns=SIZES, classes=SIZES, values=st.sampled_from([0, 8, 16, 32, 64]), ratio=st.floats()
)
@MANY
def test_shapes_that_do_not_fit_are_refused(rows: int, columns: int, classes: int, values: int, ratio: float) -> None:
    def words(size: int) -> bytes:
        return bytes(size * rows)

    head = [KEY, "w", 1, ratio, ["r"] * rows, columns, classes, words(8), words(8)]
    check_frame(framed(2, [*head, bytes(values), words(4), bytes(values), words(4), words(2)]))


@given(data=st.data())
@MANY
def test_a_stream_is_cut_into_the_same_records_wherever_it_is_cut(data: st.DataObject) -> None:
    records = data.draw(st.lists(st.dictionaries(st.text(max_size=3), st.integers(-5, 5), max_size=3), max_size=4))
    stream = b"".join(map(encode_frame, records))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    parser = FrameParser()
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [record for piece in pieces for record in parser.feed(piece)] == records


def check_frame(frame: bytes) -> None:
    try:
        record = decode_frame(frame)
    except FrameInvalid:
        return
    if isinstance(record, Observation):
        rows = len(record.request_ids)
        assert record.values_nd.shape[0] == record.scores_nk.shape[0] == len(record.labels_n) == rows
        assert 0.0 < record.sampled_ratio <= 1.0
    elif isinstance(record, ShadowComparison):
        assert np.isfinite(record.score_differences_n).all()
    else:
        assert isinstance(record, StreamInfo | dict)
    with suppress(FrameInvalid):  # what is too large to be sent
        assert encode_frame(decode_frame(encode_frame(record))) == encode_frame(record)


@given(
    name=st.sampled_from(MEMBERS),
    value=PLAIN | SIZES,
    is_missing=st.booleans(),
)
@MANY
def test_a_damaged_shadow_job_is_refused_or_of_its_types(name: str, value: Any, is_missing: bool) -> None:
    frame = pack_jobs([JOB, replace(JOB, json_bytes=1)])
    if is_missing:
        del frame["jobs"][0][name]
    else:
        frame["jobs"][0][name] = value
    check_jobs(frame)


@given(frame=PLAIN, jobs=PLAIN)
@MANY
def test_any_frame_is_jobs_or_refused(frame: Any, jobs: Any) -> None:
    for found in (frame if isinstance(frame, dict) else {}, {"jobs": jobs}, {"jobs": [jobs]}):
        check_jobs(found)


def check_jobs(frame: dict[str, Any]) -> None:
    try:
        jobs = unpack_jobs(frame)
    except ValueError:
        return
    for job in jobs:
        assert all(isinstance(text, str) for text in (job.model, job.answered_by, job.request_id, *job.shadows))
        assert isinstance(job.body, bytes)
        assert job.protocol in ("plain", "v1", "v2", "mlflow", "grpc")
        assert isinstance(job.answered_at, float)
        assert type(job.json_bytes) in (int, type(None))
        assert job.scores_nk.shape[0] == len(job.labels_n)


@pytest.fixture
def counters(tmp_path: Path) -> Path:
    """Give the files of a worker that has ended."""
    shared = SharedCounters.create(tmp_path, "w", role="worker", capacity=256)
    shared.counter("weir_http_requests_total", route="/predict", status="200").inc(7)
    shared.gauge("weir_inflight_requests").set(2.0)
    shared.close()
    return tmp_path


@given(
    line=st.binary(max_size=40)
    | PLAIN.map(lambda value: msgspec.json.encode(value))
    | st.builds(
        lambda name, labels, bounds, slot: msgspec.json.encode(
            {"name": name, "labels": labels, "bounds": bounds, "slot": slot}
        ),
        st.just("weir_http_requests_total") | st.just("weir_inflight_requests") | PLAIN,
        st.just({"route": "/v2", "status": "200"}) | PLAIN,
        st.just([]) | PLAIN,
        st.integers(-20, 400) | PLAIN,
    )
)
@MANY
def test_a_damaged_index_loses_no_count_of_others(counters: Path, line: bytes) -> None:
    whole = index_path(counters, "w").read_bytes()
    index_path(counters, "w").write_bytes(whole + b"\n" + line.replace(b"\n", b" ") + b"\n")
    try:
        found = {tuple(series.labels.items()): series.value for series in read_counters(counters)}
        assert found[(("route", "/predict"), ("status", "200"))] >= 7
    finally:
        index_path(counters, "w").write_bytes(whole)


@given(place=st.integers(0, 64), junk=st.binary(min_size=1, max_size=8), length=st.integers(0, 3_000))
@MANY
def test_damaged_cells_are_left_out_or_read(counters: Path, place: int, junk: bytes, length: int) -> None:
    whole = cells_path(counters, "w").read_bytes()
    for damaged in (whole[:place] + junk + whole[place + len(junk) :], whole[:length]):
        cells_path(counters, "w").write_bytes(damaged)
        assert all(isinstance(series.value, int | float) for series in read_counters(counters))
    cells_path(counters, "w").write_bytes(whole)
