"""Numbers as people read them in a verdict."""

from __future__ import annotations

from math import isfinite

__all__ = ["milliseconds", "percent"]


def percent(share: float) -> str:
    """Write a share.

    >>> percent(0.125), percent(0.1)
    ('12.5 %', '10 %')
    """
    return f"{100 * share:.3g} %"


def milliseconds(seconds: float) -> str:
    """Write a duration; what has no bound is ``?``.

    >>> milliseconds(0.0123), milliseconds(float("inf"))
    ('12.3 ms', '?')
    """
    return f"{1e3 * seconds:.3g} ms" if isfinite(seconds) else "?"
