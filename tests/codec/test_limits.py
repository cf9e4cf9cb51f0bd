"""Limits on depth and rows, and that hostile bodies cost no more than their length."""

import json
from contextlib import suppress
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec.limits import check_depth, check_rows
from gateway.errors import BodyMalformed, BodyTooLarge

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text('[]{}"\\a', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\a', max_size=3), inner, max_size=3),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 0


@given(VALUES)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_depth_is_that_of_the_document_whatever_its_strings_hold(value: Any) -> None:
    body, depth = json.dumps(value).encode(), depth_of(value)
    check_depth(body, depth)
    if depth:
        with pytest.raises(BodyTooLarge, match="levels of nesting"):
            check_depth(body, depth - 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 4_000_000, id="open brackets"),
        pytest.param(b"[" * 40 + b'\\"' * 2_000_000, id="unclosed strings"),
        pytest.param(b"[]," * 1_500_000, id="many small lists"),
        pytest.param(b'"[",' * 1_000_000, id="brackets in strings"),
    ],
)
def test_hostile_bodies_cost_no_more_than_their_length(body: bytes) -> None:
    started = process_time()
    with suppress(BodyTooLarge):
        check_depth(body, 32)
    assert process_time() - started < 2.0


def test_batches_have_at_least_one_row_and_no_more_than_the_limit() -> None:
    check_rows(1, 5)
    check_rows(5, 5)
    with pytest.raises(BodyMalformed, match="the batch is empty"):
        check_rows(0, 5)
    with pytest.raises(BodyTooLarge, match="at most 5 rows are accepted; this one has 6"):
        check_rows(6, 5)
