"""The slow second pass: after the fast decoder refused a body, say everything that is wrong with it, by JSON
Pointer.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gateway.codec.limits import check_depth
from gateway.codec.strict import described
from gateway.contract import Contract, Feature
from gateway.errors import BodyMalformed, BodyTooLarge, Fault, InputRejected, RequestInvalid
from gateway.settings import LimitSettings

__all__ = ["MAX_FAULTS", "diagnose_instances", "diagnose_row", "diagnose_tensors", "pointer"]

MAX_FAULTS = 64
_INTEGER_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64}
_LARGEST = {"float16": 65504.0, "float32": 3.4028235677973366e38, "float64": sys.float_info.max}


class _NotFinite(float):
    """NaN or Infinity as the body spelled it; not legal JSON, kept so that its place can be named."""


def pointer(*parts: str | int) -> str:
    """Return a JSON Pointer (RFC 6901).

    >>> pointer("instances", 0, "a/b")
    '/instances/0/a~1b'
    """
    joined = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return joined.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair has no UTF-8


def diagnose_instances(
    body: bytes, contract: Contract, limits: LimitSettings, *, names: tuple[str, str], cause: Exception
) -> RequestInvalid:
    """Return the error that names every fault of a plain body (up to ``MAX_FAULTS`` in detail, all counted)."""
    try:
        document = _parse(body, limits)
    except RequestInvalid as error:
        return error
    if isinstance(cause, BodyMalformed):
        return cause
    faults = list(_envelope_faults(document))
    if faults:
        return BodyMalformed("the body is not a prediction request", faults)
    if len(document["instances"]) > limits.rows:
        return BodyTooLarge("rows", limits.rows, len(document["instances"]))
    rows = document["instances"]
    if contract.layout == "tensors":
        return BodyMalformed(f"the rows cannot be read as the model's input: {cause}")
    found = (fault for i, row in enumerate(rows) for fault in diagnose_row(row, contract, "instances", i))
    rejected = _rejection(found, names, len(rows))
    return rejected if rejected.total else BodyMalformed(f"the rows cannot be read as the model's inputs: {cause}")


def diagnose_tensors(
    columns: Sequence[Sequence[Any]], pointers: Callable[[int, int], str], contract: Contract, *, names: tuple[str, str]
) -> InputRejected:
    """Return the error that names every value of tensors that breaks a ``reject`` policy.

    Parameters
    ----------
    columns
        Values of each feature, row by row.
    pointers
        Where a value stands in the body, from its row and the index of its feature.
    """
    found = (
        fault
        for i, row in enumerate(zip(*columns, strict=True))
        for j, value in enumerate(row)
        for fault in _value_faults(contract.features[j], value, pointers(i, j))
    )
    return _rejection(found, names, len(columns[0]))


def _rejection(found: Iterable[Fault], names: tuple[str, str], rows: int) -> InputRejected:
    counts: Counter[tuple[str, str]] = Counter()
    shown: list[Fault] = []
    for fault in found:
        counts[(fault.feature or "", fault.kind)] += 1
        if len(shown) < MAX_FAULTS:
            shown.append(fault)
    return InputRejected(*names, shown, counts.total(), counts, rows=rows)


def _parse(body: bytes, limits: LimitSettings) -> Any:
    check_depth(body, limits.depth)
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_NotFinite)
    except UnicodeDecodeError as exc:
        raise BodyMalformed(f"the body is not UTF-8 (byte {exc.start})") from exc
    except json.JSONDecodeError as exc:
        raise BodyMalformed(f"the body is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})") from exc
    except (ValueError, RecursionError) as exc:
        raise BodyMalformed("the body is not JSON: a number has too many digits") from exc


def _envelope_faults(document: Any) -> Iterator[Fault]:
    if not isinstance(document, dict):
        yield Fault("", "wrong_type", "an object with 'instances'", _name(document))
        return
    if "instances" not in document:
        yield Fault("/instances", "missing", "a list of rows", "nothing")
    elif not isinstance(document["instances"], list):
        yield Fault("/instances", "wrong_type", "a list of rows", _name(document["instances"]))
    elif not document["instances"]:
        yield Fault("/instances", "shape", "at least one row", "an empty list")
    if not isinstance(document.get("model"), str | None):
        yield Fault("/model", "wrong_type", "a model name", _name(document["model"]))
    for key in sorted(document.keys() - {"instances", "model"}):
        yield Fault(pointer(key), "unknown", "'instances' and 'model' only", "an unknown member")


def diagnose_row(row: Any, contract: Contract, *base: str | int) -> Iterator[Fault]:
    """Yield every fault of one row, named or listed."""
    features = contract.features
    if isinstance(row, list):
        if len(row) != len(features):
            yield Fault(pointer(*base), "shape", f"{len(features)} values", f"{len(row)} values")
            return
        for j, (feature, value) in enumerate(zip(features, row, strict=True)):
            yield from _value_faults(feature, value, pointer(*base, j))
    elif isinstance(row, dict):
        for feature in features:
            yield from _value_faults(feature, row.get(feature.name), pointer(*base, feature.name))
        if contract.unknown_features == "reject":
            known = {feature.name for feature in features}
            for key in row:
                if key not in known:
                    yield Fault(pointer(*base, key), "unknown", "a feature of the contract", "an unknown feature")
    else:
        yield Fault(pointer(*base), "wrong_type", "an object of features or a list of values", _name(row))


def _value_faults(feature: Feature, value: Any, at: str) -> Iterator[Fault]:
    if value is None:
        if feature.missing == "reject":
            yield Fault(at, "missing", _expected(feature), "nothing", feature.name)
        return
    if not _has_type(feature, value):
        yield Fault(at, "wrong_type", _expected(feature), _name(value), feature.name)
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
    if isinstance(value, _NotFinite):
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


def _name(value: Any) -> str:
    return f"{float(value)} (not JSON)" if isinstance(value, _NotFinite) else described(value)
