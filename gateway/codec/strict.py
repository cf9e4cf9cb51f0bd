"""Plain values (what JSON and YAML give) into frozen dataclasses, naming every fault instead of the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from gateway.errors import Fault

__all__ = ["StrictReader", "described", "exact", "pointer_to"]

REFUSED: Final = object()
"""Stands for a value that had a fault; never leaves this file."""

LONGEST_FOUND = 80
_WRITTEN_OUT = 1e16
"""Below this a double's own text has all its digits too, and no exponent."""
WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    Path: "a path",
    NoneType: "null",
}


def pointer_to(parent: str, step: object) -> str:
    """Give the JSON Pointer (RFC 6901) of a member or an element of ``parent``."""
    return f"{parent}/{str(step).replace('~', '~0').replace('/', '~1')}"


def described(value: object) -> str:
    """Name a found value in a few words of JSON."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= LONGEST_FOUND else text[: LONGEST_FOUND - 3] + "..."


def exact(number: float) -> str:
    """Write a number with all its digits, so that what is just outside a bound does not read like the bound.

    >>> exact(2**20), exact(1048577.0), exact(0.05), exact(1e300)
    ('1048576', '1048577', '0.05', '1e+300')
    """
    is_whole = abs(number) < _WRITTEN_OUT and number == int(number)
    return described(int(number) if is_whole else number)


class StrictReader:
    """Read plain values as typed ones and collect what is wrong in ``faults``.

    Knows dataclasses (unknown members are faults), tuples, lists, string-keyed dicts, unions, literals, paths and the
    scalars of JSON. An integer passes for a float; nothing else is converted. A dataclass may refuse in its
    ``__post_init__`` with ``ValueError``.

    Examples
    --------
    >>> reader = StrictReader()
    >>> reader.read([1, "2", None], tuple[int, ...])
    >>> [str(fault) for fault in reader.faults]
    ["/1: expected an integer, found '2'", '/2: expected an integer, found null']
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def read(self, value: object, type_: Any) -> Any:
        """Return the typed value, or ``None`` when ``faults`` has grown."""
        read = self._read(value, type_, "")
        return None if self.faults else read

    def _read(self, value: object, type_: Any, at: str) -> Any:
        if type(value) is type_:
            return value
        reading = _reading(type_)
        return value if reading is None else reading(self, value, type_, at)

    def _refuse(self, at: str, value: object, type_: Any, kind: str | None = None) -> Any:
        self.faults.append(Fault(at, kind or "wrong_type", _expected(type_), described(value)))
        return REFUSED

    def _scalar(self, value: object, type_: Any, at: str) -> Any:
        if type_ is Path and isinstance(value, str):
            return Path(value)
        if type_ is float and isinstance(value, int) and not isinstance(value, bool):
            return self._float(value, at)
        fits = type(value) is type_
        return value if fits else self._refuse(at, value, type_)

    def _float(self, value: int, at: str) -> Any:
        try:
            return float(value)
        except OverflowError:
            return self._refuse(at, value, float, kind="out_of_range")

    def _literal(self, value: object, type_: Any, at: str) -> Any:
        choices = get_args(type_)
        if any(type(value) is type(choice) and value == choice for choice in choices):
            return value
        of_kind = any(type(value) is type(choice) for choice in choices)
        return self._refuse(at, value, type_, kind="value" if of_kind else None)

    def _sequence(self, value: object, type_: Any, at: str) -> Any:
        if not isinstance(value, list | tuple):
            return self._refuse(at, value, type_)
        types = get_args(type_)
        if get_origin(type_) is not tuple or types[-1] is Ellipsis:
            types = (types[0],) * len(value)
        if len(types) != len(value):
            return self._refuse(at, value, type_, kind="shape")
        items = [self._read(item, types[i], pointer_to(at, i)) for i, item in enumerate(value)]
        return items if get_origin(type_) is list else tuple(items)

    def _mapping(self, value: object, type_: Any, at: str) -> Any:
        if not isinstance(value, Mapping):
            return self._refuse(at, value, type_)
        _, item_type = get_args(type_)
        read = {}
        for name, item in value.items():
            if not isinstance(name, str):
                self._refuse(pointer_to(at, name), name, str)
            read[name] = self._read(item, item_type, pointer_to(at, name))
        return read

    def _union(self, value: object, type_: Any, at: str) -> Any:
        near: list[list[Fault]] = []
        arms = get_args(type_)
        if value is None and NoneType in arms:
            return None
        # Integers before floats, so that a 1 stays an integer where both are welcome.
        for arm in sorted(arms, key=lambda arm: arm is float):
            trial = StrictReader()
            read = trial._read(value, arm, at)
            if not trial.faults:
                return read
            if any(fault.pointer != at or fault.kind != "wrong_type" for fault in trial.faults):
                near.append(trial.faults)
        if len(near) == 1:
            self.faults.extend(near[0])
            return REFUSED
        return self._refuse(at, value, type_)

    def _dataclass(self, value: object, type_: Any, at: str) -> Any:
        if not isinstance(value, Mapping):
            return self._refuse(at, value, type_)
        declared = _declared(type_)
        self._report_unknown(value, declared, at)
        hints = _hints(type_)
        before = len(self.faults)
        # A name in Python has nothing that a pointer escapes.
        read = {name: self._read(value[name], hints[name], f"{at}/{name}") for name in declared if name in value}
        self._report_missing(value, declared, hints, at)
        return REFUSED if len(self.faults) > before else self._built(type_, read, at)

    def _report_unknown(self, value: Mapping[Any, object], declared: Mapping[str, Field[Any]], at: str) -> None:
        for name in value:
            if name not in declared:
                known = "one of " + ", ".join(declared)
                self.faults.append(Fault(pointer_to(at, name), "unknown", known, f"unknown field {str(name)!r}"))

    def _report_missing(
        self, value: Mapping[Any, object], declared: Mapping[str, Field[Any]], hints: Mapping[str, Any], at: str
    ) -> None:
        for name, field in declared.items():
            required = field.default is MISSING and field.default_factory is MISSING
            if required and name not in value:
                self.faults.append(Fault(pointer_to(at, name), "missing", _expected(hints[name]), "nothing"))

    def _built(self, type_: Any, read: dict[str, Any], at: str) -> Any:
        try:
            return type_(**read)
        except ValueError as error:
            self.faults.append(Fault(at, "value", str(error), "values that break it"))
            return REFUSED


@cache
def _reading(type_: Any) -> Callable[[StrictReader, Any, Any, str], Any] | None:
    """Return how values are read as a type, ``None`` for as they are: telling types apart takes longer than reading."""
    origin = get_origin(type_)
    if type_ in (Any, object):
        return None
    if is_dataclass(type_):
        return StrictReader._dataclass
    if origin in (Union, UnionType):
        return StrictReader._union
    if origin is Literal:
        return StrictReader._literal
    if origin in (tuple, list, Sequence):
        return StrictReader._sequence
    if origin in (dict, Mapping):
        return StrictReader._mapping
    return StrictReader._scalar


@cache
def _declared(type_: type[Any]) -> Mapping[str, Field[Any]]:
    """Return the fields that a document may have."""
    return {field.name: field for field in fields(type_) if field.init}


@cache
def _hints(type_: type[Any]) -> Mapping[str, Any]:
    """Return the types of a dataclass's fields; working them out is half of the time of a list of small objects."""
    return get_type_hints(type_)


def _expected(type_: Any) -> str:
    origin = get_origin(type_)
    if origin is Literal:
        return "one of " + ", ".join(map(described, get_args(type_)))
    if origin in (Union, UnionType):
        return " or ".join(map(_expected, get_args(type_)))
    if origin is tuple and get_args(type_)[-1] is not Ellipsis:
        return f"a list of {len(get_args(type_))}"
    if origin in (tuple, list, Sequence):
        return "a list"
    return WORDS.get(type_, "an object")
