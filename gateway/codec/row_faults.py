"""What is wrong with one row or one value of a request against the contract, and where that stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from gateway.codec.strict import described
from gateway.contract import Contract, Feature
from gateway.errors import Fault

__all__ = ["NotFinite", "found_name", "pointer", "row_faults", "value_faults"]

_INTEGER_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_LARGEST = {"float16": 65504.0, "float32": 3.4028235677973366e38, "float64": sys.float_info.max}


class NotFinite(float):
    """NaN or Infinity as the body spelled it; not legal JSON, kept so that its place can be named."""


def pointer(*parts: str | int) -> str:
    """Return a JSON Pointer (RFC 6901).

    >>> pointer("instances", 0, "a/b")
    '/instances/0/a~1b'
    """
    joined = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return joined.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair has no UTF-8


def row_faults(row: Any, contract: Contract, *base: str | int) -> Iterator[Fault]:
    """Yield every fault of one row, named or listed."""
    features = contract.features
    if isinstance(row, list):
        if len(row) != len(features):
            yield Fault(pointer(*base), "shape", f"{len(features)} values", f"{len(row)} values")
            return
        for j, (feature, value) in enumerate(zip(features, row, strict=True)):
            yield from value_faults(feature, value, pointer(*base, j))
    elif isinstance(row, dict):
        for feature in features:
            yield from value_faults(feature, row.get(feature.name), pointer(*base, feature.name))
        if contract.unknown_features == "reject":
            known = {feature.name for feature in features}
            for key in row:
                if key not in known:
                    yield Fault(pointer(*base, key), "unknown", "a feature of the contract", "an unknown feature")
    else:
        yield Fault(pointer(*base), "wrong_type", "an object of features or a list of values", found_name(row))


def value_faults(feature: Feature, value: Any, at: str) -> Iterator[Fault]:
    """Yield every fault of one value, which stands at ``at``."""
    if value is None:
        if feature.missing == "reject":
            yield Fault(at, "missing", _expected(feature), "nothing", feature.name)
        return
    if not _has_type(feature, value):
        yield Fault(at, "wrong_type", _expected(feature), found_name(value), feature.name)
        return
    if isinstance(value, str) and not _is_unicode(value):
        yield Fault(at, "wrong_type", "a string of valid Unicode", "half of a surrogate pair", feature.name)
        return
    if feature.out_of_range == "reject" and _is_outside(feature, value):
        yield Fault(at, "out_of_range", _range(feature), described(value), feature.name)
    if feature.unseen == "reject" and feature.categories and value not in feature.categories:
        known = ", ".join(repr(c) for c in feature.categories[:8])
        more = ", ..." if len(feature.categories) > 8 else ""
        yield Fault(at, "unseen", f"one of {known}{more}", described(value), feature.name)


def _has_type(feature: Feature, value: Any) -> bool:
    if isinstance(value, NotFinite):
        return False
    if feature.dtype == "string":
        return isinstance(value, str)
    if feature.dtype == "bool":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if feature.dtype.startswith("float"):
        return _fits_float(feature.dtype, value)
    return isinstance(value, int) and _fits_integer(feature.dtype, value)


def _is_unicode(text: str) -> bool:
    """Return whether text has no lone surrogate, which JSON can spell and UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _fits_float(dtype: str, value: float) -> bool:
    return bool(abs(value) <= _LARGEST[dtype])


def _fits_integer(dtype: str, value: int) -> bool:
    bits = _INTEGER_BITS[dtype]
    low, high = (0, 1 << bits) if dtype.startswith("u") else (-(1 << (bits - 1)), 1 << (bits - 1))
    return low <= value < high


def _is_outside(feature: Feature, value: Any) -> bool:
    if isinstance(value, str | bool):
        return False
    low, high = feature.minimum, feature.maximum
    return (low is not None and value < low) or (high is not None and value > high)


def _range(feature: Feature) -> str:
    if feature.minimum is None:
        return f"at most {feature.maximum}"
    return f"at least {feature.minimum}" if feature.maximum is None else f"{feature.minimum} to {feature.maximum}"


def _expected(feature: Feature) -> str:
    if feature.dtype == "string":
        return "a string"
    if feature.dtype == "bool":
        return "true or false"
    return (
        f"a finite number ({feature.dtype})" if feature.dtype.startswith("float") else f"an integer ({feature.dtype})"
    )


def found_name(value: Any) -> str:
    """Return a found value in words."""
    return f"{float(value)} (not JSON)" if isinstance(value, NotFinite) else described(value)
