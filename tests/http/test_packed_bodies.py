"""Packed bodies over ASGI."""

import gzip
import json

import pytest
import zstandard

from tests.http.front import BODY, LIMIT, Front, problem

GZIP = {"content-encoding": "gzip"}


def test_a_body_may_be_packed_by_gzip(front: Front) -> None:
    packed = gzip.compress(json.dumps(BODY).encode())
    assert front("POST", "/predict/m", content=packed, headers=GZIP).json()["predictions"] == [20.0, 30.0]
    assert front("POST", "/invocations", content=packed, headers=GZIP).status_code == 404


@pytest.mark.parametrize("encoding", ["zstd", "ZSTD", "identity, zstd"])
def test_a_body_may_be_packed_by_zstd(front: Front, encoding: str) -> None:
    packed = zstandard.compress(json.dumps(BODY).encode())
    told = front("POST", "/predict/m", content=packed, headers={"content-encoding": encoding}).json()
    assert told["predictions"] == [20.0, 30.0]


@pytest.mark.parametrize("encoding", ["identity", "", " , identity"])
def test_a_body_that_says_it_is_not_packed_is_read_as_it_is(front: Front, encoding: str) -> None:
    answer = front("POST", "/predict/m", content=json.dumps(BODY), headers={"content-encoding": encoding})
    assert answer.status_code == 200


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip, zstd", "zstd, br", "aes128gcm"])
def test_a_body_packed_otherwise_is_refused_and_told_how_it_may_be(front: Front, encoding: str) -> None:
    answer = front("POST", "/predict/m", content=json.dumps(BODY), headers={"content-encoding": encoding})
    problem(answer, 415, "encoding-unsupported")
    assert answer.headers["accept-encoding"] == "gzip, zstd"


@pytest.mark.parametrize(
    ("packed", "status", "slug"),
    [
        pytest.param(gzip.compress(b" " * (LIMIT + 1)), 413, "body-too-large", id="too large unpacked"),
        pytest.param(gzip.compress(b"0" * 10_000_000)[:LIMIT], 413, "body-too-large", id="a bomb"),
        pytest.param(gzip.compress(b"{}")[:-1], 400, "body-malformed", id="cut off"),
        pytest.param(gzip.compress(b"{}") + gzip.compress(b"{}"), 400, "body-malformed", id="something behind it"),
        pytest.param(b"{}", 400, "body-malformed", id="not packed"),
        pytest.param(b"", 400, "body-malformed", id="nothing"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(front: Front, packed: bytes, status: int, slug: str) -> None:
    problem(front("POST", "/predict/m", content=packed, headers=GZIP), status, slug)
