"""How many samples are still needed: by scaling what was counted until it would decide."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

__all__ = ["still_needed"]

_FARTHEST = 4_096.0
_HALVINGS = 5


def still_needed(samples: int, passes: Callable[[float], bool]) -> int | None:
    """Return how many more samples of the candidate would pass, if all goes on like this.

    Parameters
    ----------
    samples
        Samples so far.
    passes
        Whether the same shares and shapes would pass with so many times the counts.

    Returns
    -------
    int or None
        ``None`` without samples, and where 4,096 times as many would not be enough.

    >>> still_needed(100, lambda factor: factor >= 3.0)
    200
    """
    if samples < 1:
        return None
    near, far = 1.0, 2.0
    while not passes(far):
        near, far = far, 2.0 * far
        if far > _FARTHEST:
            return None
    for _ in range(_HALVINGS):
        middle = 0.5 * (near + far)
        near, far = (near, middle) if passes(middle) else (middle, far)
    return max(1, ceil(samples * (far - 1.0) - 1e-9 * samples))
