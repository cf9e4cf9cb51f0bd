"""Dataclasses as JSON text and back, strictly."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

__all__ = ["DocumentRefused", "decode_document", "encode_document"]

T = TypeVar("T")


class DocumentRefused(ValueError):
    """JSON text that is not the document expected: where, and what is wrong there."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


def encode_document(value: object) -> bytes:
    """Write a dataclass as indented JSON: members in the order of the fields, the same bytes for the same value."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def decode_document(text: bytes, type_: type[T]) -> T:
    """Read JSON as a dataclass.

    Raises
    ------
    DocumentRefused
        For text that is not JSON, a wrong type, a member too few or one too many.
    """
    try:
        raw = msgspec.json.decode(text)
        value = msgspec.convert(raw, type_)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at ")
        raise DocumentRefused(where.strip("`") or "$", what) from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DocumentRefused("$", f"not JSON: {exc}") from exc
    _refuse_unknown(raw, msgspec.to_builtins(value), "$")
    return value


def _refuse_unknown(raw: Any, known: Any, where: str) -> None:
    """Refuse members that the type did not take over."""
    if isinstance(raw, dict):
        for name, member in raw.items():
            if name not in known:
                raise DocumentRefused(where, f"unknown member `{name}`")
            _refuse_unknown(member, known[name], f"{where}.{name}")
    elif isinstance(raw, list):
        for i, (item, known_item) in enumerate(zip(raw, known, strict=True)):
            _refuse_unknown(item, known_item, f"{where}[{i}]")
