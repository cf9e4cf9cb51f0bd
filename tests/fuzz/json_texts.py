"""JSON as text, spelled as no encoder would: members twice, numbers beyond every type, half characters, and no JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["array", "members", "scalars", "values"]

ODD = [
    "-0", "-0.0", "1e400", "-1e400", "1e-400", "3.4028235e38", "3.4028236e38", "16777217", "9007199254740993", "32768",
    "9223372036854775808", "18446744073709551616", "1" + "0" * 400, "0." + "1" * 400, "NaN", "Infinity", "-Infinity",
    "nan", "01", "+1", ".5", "1.", "0x10", "1_0", "1e5", "2.0", "true", "null", '"1"', '"\\ud800"', '"\\ud83d\\ude00"',
    '"\\u0000"', '""', '"a', "'a'", "", "[]", "{}", "[[]]", "[1]", '{"a":1}', "/**/1", "-", "\ufeff1", "[1,]",
]  # fmt: skip
"""Each is a value of its own kind, or none."""

scalars: st.SearchStrategy[str] = (
    st.integers(-3, 3).map(str)
    | st.floats(-6, 6).map(repr)
    | st.integers(-(2**70), 2**70).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.text(max_size=3).map(json.dumps)
    | st.sampled_from(ODD)
)


def array(items: Sequence[str]) -> str:
    """Return an array of texts."""
    return "[" + ",".join(items) + "]"


def members(names: Sequence[str], texts: st.SearchStrategy[str], most: int = 6) -> st.SearchStrategy[str]:
    """Give objects; a name may stand twice, or be missing."""
    pair = st.tuples(st.sampled_from(names), texts).map(lambda pair: f"{json.dumps(pair[0])}:{pair[1]}")
    return st.lists(pair, max_size=most).map(lambda pairs: "{" + ",".join(pairs) + "}")


def values(names: Sequence[str]) -> st.SearchStrategy[str]:
    """Give any value, with objects of these names."""
    return st.recursive(scalars, lambda inner: st.lists(inner, max_size=4).map(array) | members(names, inner))
