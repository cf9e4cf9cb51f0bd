"""Dataclasses as plain values without what holds its default: the form that digests are made of."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

__all__ = ["sparse_form"]


def sparse_form(value: object) -> Any:
    """Return dataclasses, tuples and dicts as plain values; members that hold their default are left out.

    So a later Weir that knows more optional members computes the same digest of the same document.

    Examples
    --------
    >>> from gateway.settings import RedisSettings
    >>> sparse_form(RedisSettings(namespace="loans"))
    {'namespace': 'loans'}
    """
    if is_dataclass(value):
        members = {declared: getattr(value, declared.name) for declared in fields(value)}
        return {
            declared.name: sparse_form(member)
            for declared, member in members.items()
            if member != (declared.default_factory() if declared.default_factory is not MISSING else declared.default)
        }
    if isinstance(value, tuple):
        return [sparse_form(item) for item in value]
    if isinstance(value, dict):
        return {name: sparse_form(item) for name, item in value.items()}
    return value
