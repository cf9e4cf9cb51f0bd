"""JSON before raw tensors that was read before: what is found with it is what reading it again would find."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec.raw_layouts import RawLayout, RawLayouts, RawPlace
from gateway.codec.v2 import V2Decoder
from gateway.contract import Feature
from gateway.errors import RequestInvalid
from gateway.types import TensorSpec
from tests.codec.contracts import Codec, TensorCodec, infer

FEATURES = (Feature("a", "float32", minimum=0.0), Feature("b", "float32", nullable=True))
SPECS = (TensorSpec("flag", "bool", (-1,)), TensorSpec("text", "string", (-1,)), TensorSpec("x", "float32", (-1,)))


def raw_input(name: str, datatype: str, shape: list[int], size: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def found(decoder: V2Decoder, body: bytes, json_bytes: int) -> Any:
    """Return all that is to be seen of a body: what it decodes to, or what is said of it."""
    try:
        decoded = decoder.decode(body, json_bytes)
    except RequestInvalid as error:
        return type(error), str(error), getattr(error, "faults", None)
    feeds = {name: (feed.dtype, feed.shape, feed.tolist()) for name, feed in decoded.feeds.items()}
    values = None if decoded.values_nd is None else decoded.values_nd.tobytes()
    flags = None if decoded.flags_n is None else decoded.flags_n.tolist()
    return decoded.n, repr(feeds), values, flags, decoded.faults, decoded.requested, decoded.binary, decoded.echo_id


@given(
    rows=st.lists(st.tuples(*[st.floats(width=32)] * 2), min_size=2, max_size=2),
    more=st.binary(max_size=2),
    fewer=st.integers(0, 2),
    wanted=st.sampled_from([{}, {"outputs": [{"name": "label", "parameters": {"binary_data": True}}]}]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_rows_behind_known_json_are_found_as_if_it_were_new(
    rows: list[tuple[float, float]], more: bytes, fewer: int, wanted: dict[str, Any]
) -> None:
    known, fresh = Codec(*FEATURES).v2, Codec(*FEATURES).v2
    head = infer(raw_input("X", "FP32", [2, 2], 16), **wanted)
    known.decode(head + np.ones((2, 2), np.float32).tobytes(), len(head))
    raw = np.array(rows, np.float32).tobytes() + more
    body = head + raw[: len(raw) - fewer]
    assert found(known, body, len(head)) == found(fresh, body, len(head))


@given(flags=st.binary(min_size=2, max_size=2), text=st.binary(min_size=10, max_size=10))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_tensors_of_other_types_are_found_as_if_the_json_were_new(flags: bytes, text: bytes) -> None:
    known, fresh = TensorCodec(*SPECS).v2, TensorCodec(*SPECS).v2
    head = infer(raw_input("text", "BYTES", [2], 10), raw_input("flag", "BOOL", [2], 2), raw_input("x", "FP32", [1], 4))
    right = b"\x01\x00\x00\x00a\x01\x00\x00\x00b" + b"\x00\x01" + np.float32(1).tobytes()
    known.decode(head + right, len(head))
    for raw in (right, text + flags + b"\x00\x00\x80\x3f", right[:10] + flags + b"\x00\x00\xc0\x7f"):
        assert found(known, head + raw, len(head)) == found(fresh, head + raw, len(head))


@pytest.mark.parametrize("said", [{"id": "r-1"}, {"parameters": {"priority": 1}}, {"parameters": {"timeout": 1000}}])
def test_json_that_says_something_of_one_request_is_read_each_time(said: dict[str, Any]) -> None:
    decoder = Codec(*FEATURES).v2
    head = infer(raw_input("X", "FP32", [1, 2], 8), **said)
    for _ in range(2):
        decoded = decoder.decode(head + np.ones(2, np.float32).tobytes(), len(head))
        assert (decoded.echo_id == "r-1") is ("id" in said)
        assert (decoded.urgency is not None) is ("parameters" in said)


def test_another_length_of_the_json_is_another_request() -> None:
    decoder = Codec(*FEATURES).v2
    head = infer(raw_input("X", "FP32", [1, 2], 8))
    body = head + np.ones(2, np.float32).tobytes()
    decoder.decode(body, len(head))
    for json_bytes in (len(head) - 1, len(head) + 1, len(body), len(body) + 1):
        assert found(decoder, body, json_bytes) == found(Codec(*FEATURES).v2, body, json_bytes)


def test_memory_is_bounded_in_number_and_length() -> None:
    layouts, layout = RawLayouts(), RawLayout([RawPlace("x", "uint8", (1,), 0, 1)], 1, (), frozenset())
    layouts.remember(b"a" * 3_000 + b"x", 3_000, layout)
    assert layouts.find(b"a" * 3_000 + b"x", 3_000) is None
    bodies = [b"%04d" % i + b"x" for i in range(1_000)]
    for body in bodies:
        layouts.remember(body, 4, layout)
    assert 0 < sum(layouts.find(body, 4) is not None for body in bodies) <= 256
