"""Confidence sequences for a share: bounds that hold at every time at once, however often anybody looks.

A share ``p`` of x in n is rejected when the likelihood of a mixture of shares is ``1 / alpha`` times that of ``p``
(Robbins). The mixture is half Beta(1/2, 1/2) and half a Beta law around where the bound matters.

References
----------
Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical Statistics, 1970.
Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
Statistics, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p

__all__ = ["ShareBounds"]

_STRENGTH = 50.0
_HALVINGS = 24


@dataclass(frozen=True, slots=True)
class ShareBounds:
    """Bounds of a share at error probability ``alpha`` for each of the two sides.

    Parameters
    ----------
    alpha
        Probability that the bound of one side is ever wrong.
    near
        The share around which bounds are to be tight.

    Examples
    --------
    >>> bounds = ShareBounds(0.025, near=0.01)
    >>> round(bounds.high(0, 1_000), 4), round(bounds.low(100, 1_000), 3), round(bounds.high(100, 1_000), 3)
    (0.0058, 0.066, 0.142)
    """

    alpha: float
    near: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and 0 < self.near < 1):
            raise ValueError(f"alpha and near lie between 0 and 1, not {self.alpha} and {self.near}")

    def rejects(self, share: float, x: float, n: float) -> bool:
        """Return whether x in n, which may be fractions, rules out a share between 0 and 1."""
        return n > 0 and self._mixed(x, n) - x * log(share) - (n - x) * log1p(-share) >= -log(self.alpha)

    def low(self, x: float, n: float) -> float:
        """Return the lower bound."""
        if n <= 0 or x <= 0:
            return 0.0
        return self._edge(0.0, x / n, x, n)

    def high(self, x: float, n: float) -> float:
        """Return the upper bound."""
        if n <= 0 or x >= n:
            return 1.0
        return self._edge(1.0, x / n, x, n)

    def _mixed(self, x: float, n: float) -> float:
        """Return the logarithm of the likelihood of the mixture."""
        a, b = _STRENGTH * self.near, _STRENGTH * (1.0 - self.near)
        return _log_mean(_marginal(a, b, x, n), _marginal(0.5, 0.5, x, n))

    def _edge(self, out: float, within: float, x: float, n: float) -> float:
        """Halve the way between a share that is ruled out and one that is not; stays on the side that is."""
        least = -log(self.alpha) - self._mixed(x, n)
        for _ in range(_HALVINGS):
            middle = 0.5 * (out + within)
            if -x * log(middle) - (n - x) * log1p(-middle) >= least:
                out = middle
            else:
                within = middle
        return out


def _marginal(a: float, b: float, x: float, n: float) -> float:
    """Return the logarithm of the mean likelihood of one order of x in n under Beta(a, b)."""
    return lgamma(a + x) + lgamma(b + n - x) - lgamma(a + b + n) - lgamma(a) - lgamma(b) + lgamma(a + b)


def _log_mean(first: float, second: float) -> float:
    high, low = max(first, second), min(first, second)
    return high if high == -inf else high + log1p(exp(low - high)) - log(2.0)
