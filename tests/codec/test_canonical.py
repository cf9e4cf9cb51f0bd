"""Canonical JSON is that of RFC 8785."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec.canonical import canonical_json


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-1.7976931348623157e308, "-1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (1e21, "1e+21"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (333333333.33333329, "333333333.3333333"),
        (4.5, "4.5"),
        (2e-3, "0.002"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.25e-9, "1.25e-9"),
        (-12.5, "-12.5"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(number: float, text: str) -> None:
    assert canonical_json(number).decode() == text


def test_keys_are_ordered_by_utf_16_and_text_is_escaped_as_little_as_possible() -> None:
    value = {"\ufb33": 1, "\U0001f600": 2, "é": "\u20ac$\x0f\nA'\"\\/", "a": True}
    assert canonical_json(value).decode() == '{"a":true,"é":"€$\\u000f\\nA\'\\"\\\\/","\U0001f600":2,"\ufb33":1}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back(number: float) -> None:
    assert float(json.loads(canonical_json(number))) == number


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800"])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON has no|surrogates"):
        canonical_json([value])


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="JSON has no set"):
        canonical_json({1})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40)
@given(ANYTHING)
def test_the_fast_way_and_the_one_for_unusual_values_write_the_same(value: object) -> None:
    # A key beyond ASCII sends all that lies below it the slow way.
    assert canonical_json({"é": value}) == '{"é":'.encode() + canonical_json(value) + b"}"


def test_text_of_every_character_is_written_the_same_in_both_ways() -> None:
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000, 7)]))
    assert canonical_json({"é": text}) == '{"é":'.encode() + canonical_json(text) + b"}"
