"""When requests arrive in the open loop: independent gaps, gamma-distributed, so that they come in bursts."""

from __future__ import annotations

import numpy as np

__all__ = ["bursts"]


def bursts(rate: float, seconds: float, *, variation: float, seed: int) -> list[float]:
    """Return the times of arrivals from 0 on, at ``rate`` a second for about ``seconds``; at least one.

    Parameters
    ----------
    variation : float
        Coefficient of variation of the gaps: 1 is a Poisson process, 2 comes in bursts.

    Examples
    --------
    >>> arrivals_s = bursts(100.0, 50.0, variation=1.0, seed=1)
    >>> len(arrivals_s), 45 < arrivals_s[-1] < 55
    (5000, True)
    """
    shape, rate = 1 / variation**2, max(rate, 1.0)
    gaps_s = np.random.default_rng(seed).gamma(shape, 1 / (rate * shape), max(int(rate * seconds), 1))
    times_s: list[float] = np.cumsum(gaps_s).tolist()
    return times_s
