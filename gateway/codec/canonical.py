"""Canonical JSON: one value, one text, so that equal documents have equal digests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

__all__ = ["canonical_json"]

_PLAIN = json.JSONEncoder(ensure_ascii=False).encode
_SORTED = msgspec.json.Encoder(order="sorted").encode
"""Escapes every character as RFC 8785 does, and differs in floats and in the order of keys beyond ASCII."""

_SCALARS = frozenset((str, int, bool, type(None)))
LONGEST_PLAIN = 21
"""Digits before the point above which ECMAScript, and so RFC 8785, writes an exponent."""


def canonical_json(value: Any) -> bytes:
    """Encode plain values as RFC 8785 orders it: keys sorted, no spaces, numbers as ECMAScript writes them, UTF-8.

    Integers are written in full, beyond 2**53 too, where RFC 8785 has no opinion of its own.

    Raises
    ------
    ValueError
        For a number that is not finite and for text that is not Unicode.
    TypeError
        For a value that JSON does not have.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [1e-7, None]})
    b'{"a":[1e-7,null],"b":1}'
    """
    try:
        # 0.02 ms for an audit record of 1.4 kB, and 0.5 ms below, where most of an examination of the log went.
        return _SORTED(_prepared(value))
    except _Unusual:
        return _encoded(value).encode("utf-8")


class _Unusual(Exception):
    """A value that the fast encoder may write in another way."""


def _prepared(value: Any) -> Any:
    """Return the value with the text of each float in its place."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is float:
        return msgspec.Raw(_number(value).encode())
    if kind is dict:
        if not all(type(name) is str and name.isascii() for name in value):
            raise _Unusual
        return {name: item if type(item) in _SCALARS else _prepared(item) for name, item in value.items()}
    if kind is list or kind is tuple:
        return [item if type(item) in _SCALARS else _prepared(item) for item in value]
    raise _Unusual


def _encoded(value: Any) -> str:
    if value is None or isinstance(value, bool | str | int):
        return _PLAIN(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{_encoded(name)}:{_encoded(item)}" for name, item in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_encoded, value)) + "]"
    raise TypeError(f"JSON has no {type(value).__name__}")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value == 0:
        return "0"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    # repr gives the shortest digits that read back as the same number, which is what ECMAScript asks for.
    sign, digits, exponent = Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int)
    return "-" * sign + _placed("".join(map(str, digits)), len(digits) + exponent)


def _placed(digits: str, point: int) -> str:
    """Write ``0.digits`` times ten to the power of ``point``."""
    if len(digits) <= point <= LONGEST_PLAIN:
        return digits + "0" * (point - len(digits))
    if 0 < point <= LONGEST_PLAIN:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e{point - 1:+d}"
