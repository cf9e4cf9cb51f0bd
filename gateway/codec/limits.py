"""Limits that hold before and while a body is decoded."""

from __future__ import annotations

import re

from gateway.errors import BodyMalformed, BodyTooLarge

__all__ = ["check_depth", "check_rows"]

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def check_rows(n: int, limit: int) -> None:
    """Refuse an empty batch and one above the limit.

    Raises
    ------
    BodyMalformed, BodyTooLarge
    """
    if n == 0:
        raise BodyMalformed("the batch is empty: send at least one row")
    if n > limit:
        raise BodyTooLarge("rows", limit, n)


def check_depth(body: bytes, limit: int) -> None:
    """Refuse a JSON body nested deeper than ``limit``; linear in the body, no recursion.

    Raises
    ------
    BodyTooLarge
    """
    depth = 0
    for token in _TOKENS.finditer(body):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
            if depth > limit:
                raise BodyTooLarge("levels of nesting", limit)
        elif mark in (b"]", b"}"):
            depth -= 1
