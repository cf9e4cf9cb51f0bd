"""Plain values as YAML that people like to read: blocks outside, one line where it fits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["to_yaml"]

WIDTH = 110
PLAIN = re.compile(r"[A-Za-z][\w./-]*(?: [\w./-]+)*")
WORDS_WITH_A_MEANING = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def to_yaml(value: Mapping[str, Any]) -> str:
    """Return a mapping of mappings, lists and scalars as YAML text.

    Examples
    --------
    >>> print(to_yaml({"name": "demo", "seeds": {"numpy": 7}, "answer": "yes", "none": []}), end="")
    name: demo
    seeds: {numpy: 7}
    answer: "yes"
    none: []
    """
    return "\n".join(_lines(value, 0)) + "\n"


def _lines(value: Any, depth: int) -> Iterator[str]:
    lead = "  " * depth
    entries = value.items() if isinstance(value, Mapping) else (("", item) for item in value)
    for name, item in entries:
        mark = f"{name}:" if name else "-"
        line = f"{lead}{mark} {_flow(item)}"
        if not isinstance(item, Mapping | list) or (depth and len(line) <= WIDTH) or _is_small(item):
            yield line
        elif name:
            yield f"{lead}{mark}"
            yield from _lines(item, depth + 1)
        else:
            first, *others = _lines(item, depth + 1)
            yield f"{lead}- {first.lstrip()}"
            yield from others


def _is_small(value: Mapping[str, Any] | list[Any]) -> bool:
    return len(value) <= 1 and not any(isinstance(item, Mapping | list) for item in value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS_WITH_A_MEANING:
        return value
    return json.dumps(value, ensure_ascii=False)
