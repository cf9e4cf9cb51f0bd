"""Whatever bytes come, the decoders refuse them or return rows that are finite, whole and within the limits."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec.decoded import Decoded
from gateway.contract import Feature
from gateway.errors import BodyMalformed, BodyTooLarge, InputRejected, RequestInvalid
from gateway.http.problems import problem_bytes
from gateway.types import TensorSpec
from tests.codec.contracts import LIMITS, Codec, TensorCodec

FEATURES = (
    Feature("a", "float32", minimum=-5, maximum=5, out_of_range="reject"),
    Feature("b", "int16"),
    Feature("é/~", "float64", categories=(0.0, 1.0)),
)
MATRIX = Codec(*FEATURES)
CODECS: dict[str, Codec | TensorCodec] = {
    "matrix": MATRIX,
    "columns": Codec(*FEATURES, Feature("s", "string"), Feature("t", "bool"), layout="columns"),
    "ignoring": Codec(*FEATURES, unknown="ignore"),
    "tensors": TensorCodec(TensorSpec("X", "float32", (-1, 2))),
    "strings": TensorCodec(TensorSpec("X", "string", (-1,))),
}
NAMES = ["a", "b", "é/~", "s", "t", "X", "instances", "model", "inputs", "name", "shape", "datatype", "data", "id"]
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(-(2**70), 2**70)
    | st.floats(width=64)
    | st.text(st.characters(codec=None), max_size=4)
    | st.sampled_from(["m", "X", "FP32", "BYTES", "FP64", "INT16"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=2), inner, max_size=5)
    ),
    max_leaves=25,
)
ROWS = st.fixed_dictionaries(
    {"a": SCALARS, "b": SCALARS, "é/~": SCALARS}, optional={"s": SCALARS, "t": SCALARS, "z": VALUES}
) | st.lists(SCALARS, min_size=2, max_size=5)
BODIES = st.fixed_dictionaries({"instances": st.lists(ROWS, max_size=4)}, optional={"model": SCALARS, "z": VALUES})
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["X", "a", "b", "s"]),
        "shape": st.lists(st.integers(-2, 4), max_size=3) | VALUES,
        "datatype": st.sampled_from(["FP32", "FP64", "BYTES", "INT16", "BOOL"]),
        "data": st.lists(SCALARS, max_size=6) | st.lists(st.floats(-9, 9), max_size=6) | VALUES,
    }
)
REQUESTS = st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=3)}, optional={"id": SCALARS, "outputs": VALUES})


def check(decode: Any, raw: bytes) -> None:
    try:
        decoded = decode(raw)
    except RequestInvalid as error:
        check_refusal(error)
        return
    assert isinstance(decoded, Decoded)
    assert 1 <= decoded.n <= LIMITS.rows
    for feed in decoded.feeds.values():
        assert feed.dtype == object or np.isfinite(feed).all()
    if decoded.values_nd is not None:
        assert len(decoded.values_nd) == decoded.n
        assert np.isfinite(decoded.values_nd).all()


def check_refusal(error: RequestInvalid) -> None:
    assert isinstance(error, BodyMalformed | BodyTooLarge | InputRejected)
    status, _, told = problem_bytes(error)
    assert status in (400, 413, 422)
    json.loads(told)
    if isinstance(error, InputRejected):
        assert 1 <= len(error.faults) <= 64
        assert error.total == sum(error.counts.values()) >= len(error.faults)


@pytest.mark.parametrize("name", CODECS)
@given(raw=st.binary(max_size=60))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_bytes_are_refused_or_decoded(name: str, raw: bytes) -> None:
    check(CODECS[name].plain.decode, raw)
    check(CODECS[name].v2.decode, raw)


@pytest.mark.parametrize("name", CODECS)
@given(value=VALUES | BODIES)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_any_json_is_refused_or_decoded_as_a_plain_body(name: str, value: Any) -> None:
    check(CODECS[name].plain.decode, json.dumps(value).encode())


@pytest.mark.parametrize("name", CODECS)
@given(value=VALUES | REQUESTS)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_any_json_is_refused_or_decoded_as_an_inference_request(name: str, value: Any) -> None:
    check(CODECS[name].v2.decode, json.dumps(value).encode())


@given(cut=st.integers(0, 60), junk=st.binary(max_size=3))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_good_body_with_a_bad_byte_is_refused_or_decoded(cut: int, junk: bytes) -> None:
    good = '{"instances": [{"a": 1.5, "b": 2, "é/~": 1}], "model": "m"}'.encode()
    assert MATRIX.plain.decode(good).n == 1
    check(MATRIX.plain.decode, good[:cut] + junk + good[cut + len(junk) :])
