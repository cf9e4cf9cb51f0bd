"""Parents of traces: what W3C Trace Context says of ``traceparent`` and ``tracestate``."""

import pytest
from opentelemetry.trace import SpanContext, get_current_span

from gateway.tracing.tracing import parent_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


def parent(value: bytes, *states: bytes) -> SpanContext:
    return get_current_span(parent_of(value, states)).get_span_context()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(PARENT, id="version-0"),
        pytest.param(b" " + PARENT + b"\t", id="white-space"),
        pytest.param(PARENT.replace(b"00-", b"cc-", 1) + b"-what-the-future-brings", id="later-version"),
    ],
)
def test_a_parent_is_taken_as_it_says(value: bytes) -> None:
    found = parent(value, b"a=1", b"b=2")
    assert (f"{found.trace_id:032x}", f"{found.span_id:016x}") == (TRACE, SPAN)
    assert (found.trace_flags.sampled, found.is_remote) == (True, True)
    assert found.trace_state.to_header() == "a=1,b=2"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00",
        PARENT[:-1],
        PARENT + b"-00",
        PARENT + b".",
        PARENT.upper(),
        PARENT.replace(b"00-", b"ff-", 1),
        PARENT.replace(TRACE.encode(), b"0" * 32),
        PARENT.replace(SPAN.encode(), b"0" * 16),
        PARENT.replace(b"-", b"_"),
        PARENT.replace(TRACE.encode(), TRACE[:-1].encode() + "é".encode("latin-1")),
        b"cc-" + PARENT[3:] + b"-" + b"a" * 100_000,
    ],
)  # fmt: skip
def test_a_malformed_parent_is_none(value: bytes) -> None:
    assert not parent_of(value, [b"a=1"])
    assert not parent(value, b"a=1").is_valid


@pytest.mark.parametrize("state", [b"", b",,,", b"no-pair", b"=x", b"a=1,a=2", b"a=" + b"1" * 9_000, b"\xff=1", b"A=1"])
def test_a_malformed_state_leaves_the_parent(state: bytes) -> None:
    found = parent(PARENT, state)
    assert f"{found.trace_id:032x}" == TRACE
    assert len(found.trace_state.to_header()) < 600
