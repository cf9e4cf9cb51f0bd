"""Heaping: values that gather on a few exact numbers, although every cell of their quantiles keeps its share.

A sensor that is clipped, a field that is rounded, a default that fills in for some rows hardly move the counts of cells
that are as wide as a twentieth of the rows. So each number of many values is counted a second time, by a hash of its
bits. Of values that hardly ever occur twice every group of the hash gets its share, whatever their law and however it
moves; a value that takes a share of all rows gives it to one group, and a dozen values leave some groups empty.

The hash looks at one value alone: counts add up over any split of the rows, and the groups have a law of their own in
the reference, which is not even where its values gather already. So bets on them are as fair as all others.

References
----------
Myers, "Errors and bias in the reporting of ages in census data", Transactions of the Actuarial Society of America, 1940
(heaping of ages at multiples of five). Beauchamp, "Walsh functions and their applications", 1975.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["GROUPS", "heap_groups", "heaped_laws", "heaped_share"]

GROUPS = 16
"""Few enough that 78 bets suffice, and enough for a value that takes a tenth of the rows to show in a few hundred."""
HEAP_GAINS = (0.08, 0.25, 0.7)
HALF_GAIN = 0.5

_MIXING = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
"""Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (splitmix64)."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Family = tuple[float, list[Floats]]


def heap_groups(values_nd: Floats) -> Floats:
    """Return the group of each value, 0 to 15: (n, d) float64, NaN for a missing one. Cost: O(n d).

    Examples
    --------
    >>> heap_groups(np.array([[0.0, -0.0, 1.5, np.nan]])).tolist()
    [[14.0, 14.0, 13.0, nan]]
    """
    mixed_nd = (values_nd + 0.0).view(np.uint64)  # -0.0 is 0.0
    mixed_nd += np.uint64(0x9E3779B97F4A7C15)
    for bits, factor in _MIXING:
        mixed_nd ^= mixed_nd >> bits
        mixed_nd *= factor
    mixed_nd >>= np.uint64(60)
    groups_nd = mixed_nd.astype(np.float64)
    np.copyto(groups_nd, np.nan, where=np.isnan(values_nd))
    return groups_nd


def heaped_laws(p_b: Floats) -> Iterator[Family]:
    """Give the laws in which one group gains, and those in which one half of the groups does.

    A single value shows in its group. Many show in none of them so clearly as in one of the 30 halves that the 15
    Walsh functions make: whatever the values are, one of those holds most of them.
    """
    groups = range(1, GROUPS + 1)
    yield 0.5, [_gains(p_b, [group], gain) for group in groups for gain in HEAP_GAINS]
    yield 0.5, [_gains(p_b, half, HALF_GAIN) for half in _halves()]


def heaped_share(counts_b: Ints, law_b: Floats, phi: float = 1.0) -> float:
    """Return what share of all rows a single value would have to take to make the groups as uneven: 0 to 1.

    The squared distance from the law, less what so many rows have by chance, under the root.

    Parameters
    ----------
    counts_b : (b,) int64
        Rows of each group.
    law_b : (b,) float64
        The reference's law over the groups.
    phi
        Dependence: so many rows count as one.

    Examples
    --------
    >>> even = np.full(16, 100)
    >>> heaped = even + 400 * (np.arange(16) == 3)
    >>> round(heaped_share(even, even / 1600), 2), round(heaped_share(heaped, even / 1600), 2)
    (0.0, 0.19)
    """
    rows = int(counts_b.sum())
    if not rows:
        return 0.0
    by_chance = phi * float(1.0 - law_b @ law_b) / rows
    return float(np.sqrt(max(0.0, float(((counts_b / rows - law_b) ** 2).sum()) - by_chance)))


def _halves() -> Iterator[list[int]]:
    """Give the cells of every half: groups whose number has an even, or an odd, count of bits in common with a mask."""
    for mask in range(1, GROUPS):
        for parity in (0, 1):
            yield [1 + group for group in range(GROUPS) if (group & mask).bit_count() % 2 == parity]


def _gains(p_b: Floats, cells: list[int], gain: float) -> Floats:
    law_b = (1.0 - gain) * p_b
    law_b[cells] += gain * p_b[cells] / p_b[cells].sum()
    return law_b
