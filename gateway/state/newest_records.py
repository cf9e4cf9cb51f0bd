"""The newest audit records, from an API that reads upwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["newest_records"]


def newest_records(read: Callable[[int], Sequence[Any]], count: int) -> Sequence[Any]:
    """Return the newest ``count`` records, oldest first.

    The highest sequence above which there are ``count`` records is found by doubling and halving: the calls grow with
    the logarithm of the log, and sequences may have gaps.

    Parameters
    ----------
    read
        Returns the first ``count`` records above a sequence, fewer at the end.
    count
        How many are wanted, at least 1.

    Examples
    --------
    >>> newest_records(lambda after: [n for n in range(1, 100, 3) if n > after][:2], 2)
    [94, 97]
    """
    low, step, found = 0, count, read(0)
    if len(found) < count:
        return found
    while len(page := read(low + step)) == count:
        low, step, found = low + step, 2 * step, page
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        page = read(middle)
        if len(page) == count:
            low, found = middle, page
        else:
            high = middle
    return found
